"""Every error code that local Batch can give, provoked through Microsoft's client."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceModifiedError

from airflow_provider_batchad.local.batch.errors import FAULTS
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.batch_error_table import DOCUMENTED, NOT_GIVEN, ONLY_BY_FAULT, Row
from tests.contract.batch_fixtures import Batch
from tests.contract.error_account import Account
from tests.contract.provoked_requests import REQUESTS
from tests.contract.provoked_states import STATES

PROVOKED = REQUESTS | STATES
# Recorded of a signature; of a token the last three words are missing.
SIGNATURE_TEXT = (
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
    "correctly including the signature."
)
MESSAGE = re.compile(
    r"(?P<text>.*)\nRequestId:(?P<id>[0-9a-f-]{36})\nTime:\d{4}-\d\d-\d\dT[\d:.]+Z", re.DOTALL
)


@pytest.fixture
def account(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with ExitStack() as stack:
        yield Account(batch, monkeypatch, stack)


def check(error: HttpResponseError, code: str, row: Row) -> list[tuple[str, str]]:
    """Status, code, text, keys of the details, and the request's id in header and text.

    :return: the details.
    """
    model: Any = error.model
    assert (error.status_code, model.code) == (row.status, code)
    assert model.message.lang == "en-US"
    found = MESSAGE.fullmatch(model.message.value)
    assert found is not None, model.message.value
    assert found["text"] == row.text
    assert error.response is not None
    assert error.response.headers["request-id"] == found["id"]
    assert error.response.headers["Content-Type"] == "application/json; odata=minimalmetadata"
    details = [(one.key, one.value) for one in model.error_values or ()]
    assert tuple(dict(details)) == row.details
    assert all(value for _, value in details)
    return details


def test_every_code_is_provoked_or_has_a_reason_why_not() -> None:
    assert PROVOKED.keys() | ONLY_BY_FAULT.keys() == DOCUMENTED.keys() == FAULTS.keys()
    assert not PROVOKED.keys() & ONLY_BY_FAULT.keys()
    assert len(PROVOKED) == len(REQUESTS) + len(STATES)
    assert not NOT_GIVEN.keys() & DOCUMENTED.keys()


@pytest.mark.parametrize("code", sorted(PROVOKED))
def test_refusal_is_as_documented(account: Account, code: str) -> None:
    with pytest.raises(HttpResponseError) as raised:
        PROVOKED[code](account)
    check(raised.value, code, DOCUMENTED[code])


@pytest.mark.parametrize("code", sorted(ONLY_BY_FAULT))
def test_fault_rule_gives_the_words_of_the_code(account: Account, code: str) -> None:
    row = DOCUMENTED[code]
    rule = account.batch.azure.faults.add(
        FaultRule(service="batch", operation="List Jobs", status=row.status, code=code, times=1)
    )
    try:
        with pytest.raises(HttpResponseError) as raised:
            account.ask("GET", "/jobs")
    finally:
        account.batch.azure.faults.remove(rule.id)
    check(raised.value, code, row)


def test_signature_that_does_not_hold_is_a_403_with_the_same_code(account: Account) -> None:
    batch = account.batch
    credential = AzureNamedKeyCredential(batch.azure.config.account, "bm90IHRoZSBrZXk=")
    client = BatchClient(batch.url, credential, connection_verify=str(batch.azure.ca_file), retry_total=0)
    account.stack.enter_context(client)
    with pytest.raises(HttpResponseError) as raised:
        account.ask("GET", "/jobs", client=client)
    row = Row(403, SIGNATURE_TEXT, ("AuthenticationErrorDetail",))
    [(_, detail)] = check(raised.value, "AuthenticationFailed", row)
    assert "MAC signature" in detail


def test_read_of_what_has_not_changed_is_a_304_without_a_body(account: Account) -> None:
    job_id = account.job()
    etag = account.batch.client.get_job(job_id).etag
    with pytest.raises(ResourceModifiedError) as raised:
        account.ask("GET", f"/jobs/{job_id}", headers={"If-None-Match": etag})
    assert raised.value.response is not None
    assert (raised.value.status_code, raised.value.response.content) == (304, b"")
    assert raised.value.response.headers["request-id"]


def test_details_name_what_is_wrong(account: Account) -> None:
    with pytest.raises(HttpResponseError) as raised:
        REQUESTS["InvalidQueryParameterValue"](account)
    details = check(raised.value, "InvalidQueryParameterValue", DOCUMENTED["InvalidQueryParameterValue"])
    assert details == [
        ("QueryParameterName", "maxresults"),
        ("QueryParameterValue", "0"),
        ("Reason", "MaxResults cannot be less than 1"),
    ]
    with pytest.raises(HttpResponseError) as raised:
        REQUESTS["AuthorizationFailure"](account)
    details = check(raised.value, "AuthorizationFailure", DOCUMENTED["AuthorizationFailure"])
    assert details == [("MissingPermission", "Microsoft.Batch/batchAccounts/jobs/read")]


def test_error_of_one_task_of_a_collection_is_the_same_without_its_envelope(account: Account) -> None:
    job_id = account.job_with_task()
    body = {"value": [account.task()]}
    [result] = account.post(f"/jobs/{job_id}/addtaskcollection", body)["value"]
    found = MESSAGE.fullmatch(result["error"]["message"]["value"])
    assert found is not None
    assert (result["error"]["code"], found["text"]) == ("TaskExists", DOCUMENTED["TaskExists"].text)
