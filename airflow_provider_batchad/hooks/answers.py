"""From azure-core's requests, answers and errors to those of this package, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.access.actions import explain_missing
from airflow_provider_batchad.access.operations import BY_NAME, need_of
from airflow_provider_batchad.errors import (
    AccountRefusedToken,
    BatchAdError,
    BatchServiceError,
    Conflict,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Unreachable,
)
from airflow_provider_batchad.identity.proxies import strike_proxy_passwords
from airflow_provider_batchad.identity.unreachable import parse_retry_after
from airflow_provider_batchad.jobs.redaction import redact_signatures
from airflow_provider_batchad.jobs.rest import API_VERSION, BatchRequest, BatchResponse
from airflow_provider_batchad.jobs.service_codes import MEANINGS, service_meaning_of
from airflow_provider_batchad.jobs.shapes import missent

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError, HttpResponseError
    from azure.core.rest import HttpRequest

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_BY_STATUS: dict[int, type[BatchServiceError]] = {404: NotFound, 409: Conflict}


def http_request(request: BatchRequest) -> HttpRequest:
    """``request`` as azure-core sends it."""
    from azure.core.rest import HttpRequest

    headers = {"Accept": "application/json", **request.headers}
    if request.path.startswith("https://"):
        return HttpRequest(request.method, request.path, headers=headers)
    params = {"api-version": API_VERSION, **request.query}
    return HttpRequest(request.method, request.path, params=params, headers=headers, content=request.body)


def batch_response(request: BatchRequest, status: int, headers: Any, content: bytes) -> BatchResponse:
    """The answer, with the names of its headers in lower case.

    :raises Unreachable: what answered was not Batch.
    """
    response = BatchResponse(
        status=status,
        headers={name.lower(): value for name, value in headers.items()},
        content=content,
        operation=request.operation,
    )
    problem = missent(request.operation, status, response.headers)
    if problem is not None:
        raise response.not_batch(problem)
    return response


def translate(error: AzureError, request: BatchRequest, account_url: str, principal: str) -> BatchAdError:
    """What azure-core raised, as an error of this package that says what to do.

    :param principal: who asked, such as ``application 1111…``.
    """
    from azure.core.exceptions import HttpResponseError

    if isinstance(error, HttpResponseError) and error.status_code is not None:
        if error.status_code < 300:
            # azure-core reads the body of a success, and could not.
            return Unreachable(
                f"{request.operation}: what answered at {account_url} with HTTP {error.status_code} is not "
                "Batch: its body is not what its headers say.",
                step="batch",
                remedy="Look for a proxy or a portal between this machine and the account.",
            )
        return _answered(error, request, account_url, principal)
    said = strike_proxy_passwords(error.message)
    return Unreachable(
        f"{request.operation}: {account_url} could not be reached: {type(error).__name__}: {said}",
        step="batch",
        remedy="Check the name of the account, DNS, proxy and firewall of the machine that asks.",
    )


def _answered(
    error: HttpResponseError, request: BatchRequest, account_url: str, principal: str
) -> BatchServiceError:
    status = error.status_code or 0
    body = _error_body(error)
    code = body["code"] if isinstance(body.get("code"), str) else None
    text = _text_of(body.get("message"))
    details = _details_of(body.get("values"))
    headers = getattr(error.response, "headers", {})
    request_id = headers.get("request-id")
    extra = "; ".join(f"{name}: {value}" for name, value in details.items())
    said = " ".join(
        part for part in (code, f"- {text}" if text else "", f"({extra})" if extra else "") if part
    )
    message = f"{request.operation} on {account_url}: HTTP {status} {said or error.reason or ''}".rstrip()
    if request_id:
        message += f" [request-id {request_id}]"
    fields: dict[str, Any] = {
        "operation": request.operation,
        "status": status,
        "code": code,
        "request_id": request_id,
        "details": details,
        "retry_after_seconds": parse_retry_after(headers),
    }
    return _classify(message, fields, principal, request.body)


def _classify(message: str, fields: dict[str, Any], principal: str, body: bytes | None) -> BatchServiceError:
    status, code = fields["status"], str(fields["code"] or "").casefold()
    if status == 401 or (status == 403 and code == "authenticationfailed"):
        return AccountRefusedToken(message, remedy=MEANINGS["AuthenticationFailed"].advice, **fields)
    meaning = service_meaning_of(code)
    advice = meaning.advice if meaning is not None else None
    if status == 403:
        operation = BY_NAME.get(fields["operation"])
        actions = need_of(operation, body).all() if operation is not None else ()
        remedy = advice or explain_missing(actions, fields["operation"], principal)
        return PermissionDenied(
            message, actions=tuple(action.value for action in actions), remedy=remedy, **fields
        )
    kind = _BY_STATUS.get(status, ServiceUnavailable if status in _TRANSIENT else BatchServiceError)
    return kind(message, remedy=advice, **fields)


def _text_of(message: object) -> str:
    # Batch has {"lang", "value"}; what stands before it on the way may answer with a text, or with nothing.
    value = message.get("value") if isinstance(message, dict) else message
    return redact_signatures(value.partition("\nRequestId:")[0]) if isinstance(value, str) else ""


def _details_of(values: object) -> dict[str, str]:
    items = values if isinstance(values, list) else []
    return {
        str(item.get("key")): redact_signatures(str(item.get("value")))
        for item in items
        if isinstance(item, dict)
    }


def _error_body(error: HttpResponseError) -> dict[str, Any]:
    try:
        body = json.loads(error.response.text()) if error.response is not None else {}
    except ValueError:
        # HTML of a proxy, or a body cut short: the status alone has to do.
        return {}
    return body if isinstance(body, dict) else {}
