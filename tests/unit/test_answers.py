from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
import requests as http
import time_machine
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.rest import HttpRequest
from azure.core.rest._requests_basic import RestRequestsTransportResponse

from airflow_provider_batchad.access.actions import explain_missing
from airflow_provider_batchad.access.operations import BY_NAME, find_operation
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
from airflow_provider_batchad.hooks.answers import batch_response, http_request, translate
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.rest import BatchRequest

ACCOUNT_URL = "https://demo.westeurope.batch.azure.com"
PRINCIPAL = "application 1111"
CREATE = requests.create_job({"id": "j"})


def answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> RestRequestsTransportResponse:
    """An answer as azure-core has it after reading it off a socket."""
    received = http.Response()
    received.status_code = status
    received.reason = "Reason"
    received.raw = io.BytesIO(body)
    received.headers.update({"Content-Type": "application/json", **(headers or {})})
    sent = HttpRequest("POST", f"{ACCOUNT_URL}/jobs")
    response = RestRequestsTransportResponse(  # type: ignore[no-untyped-call]
        request=sent, internal_response=received, block_size=4096
    )
    response.read()
    return response


def error_body(code: str, text: str = "It says so.", values: dict[str, str] | None = None) -> bytes:
    body: dict[str, Any] = {
        "odata.metadata": f"{ACCOUNT_URL}/$metadata#errors/@Element",
        "code": code,
        "message": {"lang": "en-US", "value": f"{text}\nRequestId:66-39\nTime:2025-07-13T20:43:59.9917729Z"},
    }
    if values:
        body["values"] = [{"key": key, "value": value} for key, value in values.items()]
    return json.dumps(body).encode()


def refused(
    status: int,
    body: bytes,
    headers: dict[str, str] | None = None,
    request: BatchRequest = CREATE,
    kind: type[HttpResponseError] = HttpResponseError,
) -> BatchServiceError:
    error = translate(kind(response=answer(status, body, headers)), request, ACCOUNT_URL, PRINCIPAL)
    assert isinstance(error, BatchServiceError)
    return error


@pytest.mark.parametrize(
    ("status", "code", "kind", "retryable"),
    [
        (400, "InvalidPropertyValue", BatchServiceError, False),
        (401, "", AccountRefusedToken, False),
        (403, "AuthenticationFailed", AccountRefusedToken, False),
        (403, "authenticationfailed", AccountRefusedToken, False),
        (403, "AuthorizationFailure", PermissionDenied, False),
        (404, "JobNotFound", NotFound, False),
        (408, "OperationTimedOut", ServiceUnavailable, True),
        (409, "JobExists", Conflict, False),
        (412, "ConditionNotMet", BatchServiceError, False),
        (413, "RequestBodyTooLarge", BatchServiceError, False),
        (416, "InvalidRange", BatchServiceError, False),
        (429, "TooManyRequests", ServiceUnavailable, True),
        (500, "InternalError", ServiceUnavailable, True),
        (502, "", ServiceUnavailable, True),
        (503, "ServerBusy", ServiceUnavailable, True),
        (504, "", ServiceUnavailable, True),
    ],
)
def test_an_error_is_classed_by_its_status_and_keeps_its_code(
    status: int, code: str, kind: type[BatchServiceError], retryable: bool
) -> None:
    error = refused(status, error_body(code))
    assert type(error) is kind
    assert (error.status, error.code, error.operation) == (status, code, "Create Job")
    assert error.retryable is retryable
    assert error.is_code(code.upper())


@pytest.mark.parametrize("kind", [HttpResponseError, ResourceExistsError, ResourceNotFoundError])
def test_azure_cores_own_class_decides_nothing(kind: type[HttpResponseError]) -> None:
    """azure-batch makes one class of every 409, and of every error where an ETag was given."""
    assert type(refused(403, error_body("AuthorizationFailure"), kind=kind)) is PermissionDenied


def test_the_message_has_what_was_asked_and_all_that_the_service_said() -> None:
    values = {"PropertyName": "priority", "Reason": "too high"}
    body = error_body("InvalidPropertyValue", "The value is invalid.", values)
    error = refused(400, body, {"request-id": "66-39"})
    assert error.message == (
        f"Create Job on {ACCOUNT_URL}: HTTP 400 InvalidPropertyValue - The value is invalid. "
        "(PropertyName: priority; Reason: too high) [request-id 66-39]"
    )
    assert error.request_id == "66-39"
    assert error.details == values


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b'{"code": "Jo', b"[1]", b"null", b'"x"'])
def test_a_body_that_is_no_error_of_batch_leaves_the_status(body: bytes) -> None:
    error = refused(404, body)
    assert type(error) is NotFound
    assert error.code is None
    assert str(error) == f"Create Job on {ACCOUNT_URL}: HTTP 404 Reason"
    assert not error.is_code("JobNotFound")


def test_a_missing_permission_names_the_action_and_a_role_that_has_it() -> None:
    error = refused(403, error_body("AuthorizationFailure"))
    assert isinstance(error, PermissionDenied)
    assert error.actions == ("Microsoft.Batch/batchAccounts/jobs/write",)
    needed = "lacks the data action Microsoft.Batch/batchAccounts/jobs/write, which 'Create Job' needs."
    assert f"The role of application 1111 {needed}" in str(error)
    assert "'airflow batchad role' prints the role" in str(error)


def test_a_refused_token_is_no_missing_permission() -> None:
    error = refused(403, error_body("AuthenticationFailed"))
    assert "A fresh token was refused too" in str(error)
    assert "lacks" not in str(error)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", None),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    headers = {} if header is None else {"Retry-After": header}
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        error = refused(503, error_body("ServerBusy"), headers)
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize(
    "lost",
    [
        ServiceRequestError("Name or service not known"),
        ServiceResponseError("Connection aborted"),
        HttpResponseError("cut short"),
    ],
)
def test_no_answer_says_nothing_of_the_credential(lost: Any) -> None:
    error: BatchAdError = translate(lost, CREATE, ACCOUNT_URL, PRINCIPAL)
    assert isinstance(error, Unreachable)
    assert error.step == "batch"
    assert error.retryable
    assert f"Create Job: {ACCOUNT_URL} could not be reached: {type(lost).__name__}: {lost.message}" in str(
        error
    )


def test_a_request_goes_with_the_api_version_and_its_query() -> None:
    sent = http_request(requests.list_jobs(where="startswith(id,'a-')", select="id"))
    assert sent.method == "GET"
    path, _, query = unquote(sent.url).partition("?")
    assert path == "/jobs"
    assert query == "api-version=2025-06-01&maxresults=1000&$filter=startswith(id,'a-')&$select=id"
    assert sent.headers["Accept"] == "application/json"


def test_a_further_page_goes_to_the_link_as_it_is() -> None:
    link = f"{ACCOUNT_URL}/jobs?$skiptoken=WATV2%3A1&api-version=2025-06-01"
    page = BatchRequest(operation="List Jobs", method="GET", path=link)
    assert http_request(page).url == link


def test_a_body_goes_as_it_is_with_its_content_type_and_etag() -> None:
    request = requests.update_job("j", {"priority": 1}, etag="0x8D1")
    sent = http_request(request)
    assert sent.content == b'{"priority":1}'
    assert sent.headers["Content-Type"] == "application/json; odata=minimalmetadata"
    assert sent.headers["If-Match"] == "0x8D1"


def test_an_encoded_path_is_not_encoded_again() -> None:
    sent = http_request(requests.get_task_file("j", "t", "wd/a b.txt", max_bytes=10))
    assert sent.url.startswith("/jobs/j/tasks/t/files/wd%2Fa%20b.txt?")
    assert sent.headers["ocp-range"] == "bytes=0-9"


def test_the_names_of_an_answers_headers_are_in_lower_case() -> None:
    response = batch_response(
        requests.update_job("j", {}), 200, {"ETag": "0x1", "Content-LENGTH": "2"}, b"{}"
    )
    assert dict(response.headers) == {"etag": "0x1", "content-length": "2"}
    assert (response.status, response.json()) == (200, {})


def test_every_request_of_a_jobs_life_has_its_actions() -> None:
    made = [
        requests.create_job({}),
        requests.get_job("j"),
        requests.list_jobs(),
        requests.update_job("j", {}),
        requests.terminate_job("j", reason="x"),
        requests.delete_job("j"),
        requests.create_task_collection("j", []),
        requests.list_tasks("j"),
        requests.get_task_counts("j"),
        requests.list_preparation_status("j"),
        requests.get_task_file_properties("j", "t", "f"),
        requests.get_task_file("j", "t", "f", max_bytes=1),
    ]
    for request in made:
        assert find_operation(request.method, request.path) == BY_NAME[request.operation]


def test_an_operation_that_is_not_known_makes_up_no_action() -> None:
    assert "lacks an action that this package does not know" in explain_missing((), "Resize Pool", PRINCIPAL)


@pytest.mark.parametrize(
    "body",
    [
        '{"message": "Forbidden"}',
        '{"code": 403, "message": {"value": 7}, "values": {"a": "b"}}',
        '{"code": "X", "message": null, "values": ["a", null]}',
        "[]",
        '"text"',
    ],
)
def test_json_that_is_not_batchs_is_classified_by_its_status(body: str) -> None:
    error = refused(503, body.encode())
    assert isinstance(error, ServiceUnavailable)
    assert "HTTP 503" in str(error)


def test_the_signature_of_a_url_is_struck_out() -> None:
    url = "https://acct.blob.core.windows.net/c?sv=2024&sig=c2VjcmV0%3D&se=2030"
    values = [{"key": "PropertyValue", "value": url}]
    error = refused(400, json.dumps({"code": "InvalidPropertyValue", "values": values}).encode())
    assert "c2VjcmV0" not in f"{error} {error.details}"
    assert "sig=***&se=2030" in str(error)
