"""Errors of the simulated Resource Manager.

Recorded in public logs: the codes and texts of ``AuthorizationFailed``, ``RoleAssignmentExists``,
``RoleDefinitionWithSameNameExists``, ``RoleDefinitionDoesNotExist``, ``InvalidResourceType``,
``MissingApiVersionParameter``, and of data actions at a management group; documented: that of
``RoleDefinitionHasAssignments``. The others are assumed, and stand here alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.entra.tokens import RejectionReason, TokenRejected
from airflow_provider_batchad.local.json_answer import answer_json

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.entra.tokens import Principal

AUDIENCES: Final = (
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    "https://management.azure.com/",
    "https://management.azure.com",
)
_GATEWAY: Final = {"x-ms-failure-cause": "gateway"}
_USUAL_CODES: Final = {
    401: "AuthenticationFailed",
    403: "AuthorizationFailed",
    404: "ResourceNotFound",
    409: "Conflict",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
}


class ManagementRefused(Exception):
    """Resource Manager's answer is an error.

    :param headers: beside those of every answer.
    """

    def __init__(self, status: int, code: str, text: str, *, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.code = code
        self.text = text
        self.headers = headers or {}
        super().__init__(code)


def render_management_error(error: ManagementRefused) -> web.Response:
    """The error in Resource Manager's envelope."""
    current_call().error_code = error.code
    body = {"error": {"code": error.code, "message": error.text}}
    return answer_json(body, status=error.status, headers={**every_answer(), **error.headers})


def every_answer() -> dict[str, str]:
    """The headers that each answer has."""
    request_id = str(uuid.uuid4())
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return {
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Expires": "-1",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": request_id,
        "x-ms-routing-request-id": f"LOCAL:{stamp}:{request_id}",
    }


def outage(status: int, code: str | None) -> ManagementRefused:
    """What a fault rule asked for."""
    name = code or _USUAL_CODES.get(status, "InternalServerError")
    return ManagementRefused(status, name, "The request could not be served. Please try again later.")


def unauthorized(rejected: TokenRejected, *, tenant_id: str) -> ManagementRefused:
    """401, with the challenge."""
    code, text, description = _describe_rejection(rejected, tenant_id)
    challenge = (
        f'Bearer authorization_uri="https://login.windows.net/{tenant_id}", error="invalid_token", '
        f'error_description="{description}"'
    )
    return ManagementRefused(401, code, text, headers={"WWW-Authenticate": challenge, **_GATEWAY})


def _describe_rejection(rejected: TokenRejected, tenant_id: str) -> tuple[str, str, str]:
    match rejected.reason:
        case RejectionReason.MISSING:
            return (
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
                "The authorization header is missing access token.",
            )
        case RejectionReason.AUDIENCE:
            text = (
                f"The access token has been obtained for wrong audience or resource '{rejected.found}'. It "
                f"should exactly match with one of the allowed audiences '{','.join(AUDIENCES)}'."
            )
            return "InvalidAuthenticationTokenAudience", text, "The audience of the access token is invalid."
        case RejectionReason.TENANT:
            text = (
                f"The access token is from the wrong issuer 'https://sts.windows.net/{rejected.found}/'. It "
                f"must match the tenant 'https://sts.windows.net/{tenant_id}/' associated with this "
                f"subscription. Please use the authority (URL) 'https://login.windows.net/{tenant_id}' to "
                "get the token."
            )
            return "InvalidAuthenticationTokenTenant", text, "The access token is from the wrong issuer."
        case RejectionReason.EXPIRED:
            text = "The access token expiry UTC time is earlier than current UTC time."
            return "ExpiredAuthenticationToken", text, "The access token has expired."
        case _:
            text = "The access token is invalid."
            return "InvalidAuthenticationToken", text, text


def authorization_failed(principal: Principal, action: str, scope: str) -> ManagementRefused:
    """403 for an action that no role of the principal has at the scope."""
    return ManagementRefused(
        403,
        "AuthorizationFailed",
        f"The client '{principal.app_id}' with object id '{principal.object_id}' does not have "
        f"authorization to perform action '{action}' over scope '{scope or '/'}' or the scope is invalid. If "
        "access was recently granted, please refresh your credentials.",
        headers=_GATEWAY,
    )


def missing_api_version() -> ManagementRefused:
    """400."""
    return ManagementRefused(
        400,
        "MissingApiVersionParameter",
        "The api-version query parameter (?api-version=) is required for all requests.",
        headers=_GATEWAY,
    )


def invalid_api_version(version: str, known: Iterable[str]) -> ManagementRefused:
    """400, for what Resource Manager answers by itself, and for what is no version at all."""
    text = f"The api-version '{version}' is invalid. The supported versions are '{','.join(known)}'."
    return ManagementRefused(400, "InvalidApiVersionParameter", text, headers=_GATEWAY)


def invalid_resource_type(namespace: str, version: str, known: Iterable[str] = ()) -> ManagementRefused:
    """404, for a type that a provider does not have, or not in this version."""
    text = f"The resource type could not be found in the namespace '{namespace}' for api version '{version}'."
    versions = ",".join(known)
    if versions:
        text += f" The supported api-versions are '{versions}'."
    return ManagementRefused(404, "InvalidResourceType", text, headers=_GATEWAY)


def subscription_not_found(subscription: str) -> ManagementRefused:
    """404."""
    return ManagementRefused(
        404,
        "SubscriptionNotFound",
        f"The subscription '{subscription}' could not be found.",
        headers=_GATEWAY,
    )


def group_not_found(group: str) -> ManagementRefused:
    """404."""
    return ManagementRefused(
        404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.", headers=_GATEWAY
    )


def resource_not_found(kind: str, group: str) -> ManagementRefused:
    """404.

    :param kind: the resource's type and name, such as ``Microsoft.Batch/batchAccounts/demo``.
    """
    return ManagementRefused(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}' under resource group '{group}' was not found. For more details please go to "
        "https://aka.ms/ARMResourceNotFoundFix",
        headers=_GATEWAY,
    )


def bad_request(code: str, text: str) -> ManagementRefused:
    """400."""
    return ManagementRefused(400, code, text)
