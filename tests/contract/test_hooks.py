"""The hooks, sync and async, with Airflow's own connection and Microsoft's client, against local Azure."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.errors import (
    AccountRefusedToken,
    BatchAdError,
    Conflict,
    ForeignHostRefused,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Unreachable,
)
from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, AzureBatchAdHook
from airflow_provider_batchad.identity.patience import Patience
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse
from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.batch_fixtures import eventually
from tests.contract.signing_in import SigningIn, connected

Send = Callable[[BatchRequest], BatchResponse]
DECLARED = ("jobs/read", "jobs/write")
NEW_JOB = {"id": "j1", "poolInfo": {"poolId": "cpu"}}


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    # A directory of its own keeps the CA file where it is when local Azure stops.
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path)) as signing_in:
        yield signing_in


@pytest.fixture(params=["sync", "async"])
def send(request: pytest.FixtureRequest, signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch) -> Send:
    """Sends one request with a new hook; retries do not wait."""
    from airflow_provider_batchad.hooks import clients
    from airflow_provider_batchad.identity import tokens

    monkeypatch.setitem(clients._RETRIES, "retry_backoff_factor", 0.0)
    monkeypatch.setattr(tokens, "Patience", partial(Patience, sleep=lambda _: None))

    def send_sync(batch_request: BatchRequest) -> BatchResponse:
        with AzureBatchAdHook(actions=DECLARED) as hook:
            return hook.send(batch_request)

    async def send_async(batch_request: BatchRequest) -> BatchResponse:
        async with AzureBatchAdAsyncHook(actions=DECLARED) as hook:
            return await hook.send(batch_request)

    if request.param == "sync":
        return send_sync
    return lambda batch_request: asyncio.run(send_async(batch_request))


def test_a_request_is_answered(send: Send) -> None:
    assert send(requests.create_job(NEW_JOB)).status == 201
    job = send(requests.get_job("j1", select="id,state"))
    assert job.json()["state"] == "active"
    assert job.headers["dataserviceversion"] == "3.0"


def test_nothing_that_is_not_there_is_found(send: Send) -> None:
    with pytest.raises(NotFound) as caught:
        send(requests.get_job("absent"))
    assert caught.value.code == "JobNotFound"
    assert caught.value.request_id
    assert caught.value.request_id in str(caught.value)


def test_a_conflict_keeps_its_code(send: Send) -> None:
    send(requests.create_job(NEW_JOB))
    with pytest.raises(Conflict) as caught:
        send(requests.create_job(NEW_JOB))
    assert caught.value.is_code("jobexists")


def test_the_status_tells_the_error_even_with_an_etag(send: Send) -> None:
    send(requests.create_job(NEW_JOB))
    with pytest.raises(BatchAdError) as caught:
        send(requests.terminate_job("j1", reason="x", etag="0x1"))
    assert caught.value.status == 412  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        send(requests.terminate_job("absent", reason="x", etag="0x1"))


def test_a_missing_permission_names_the_action_and_who_lacks_it(send: Send, signing_in: SigningIn) -> None:
    for assignment in signing_in.azure.roles.assignments():
        if assignment.scope == signing_in.azure.config.account_scope:
            signing_in.azure.roles.unassign(assignment.id)
    with pytest.raises(PermissionDenied) as caught:
        send(requests.create_job(NEW_JOB))
    assert caught.value.actions == ("Microsoft.Batch/batchAccounts/jobs/write",)
    assert signing_in.client_id in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 503, "headers": {"Retry-After": "0"}}, ServiceUnavailable),
        ({"status": 429}, ServiceUnavailable),
        ({"status": 500}, ServiceUnavailable),
        ({"status": 502, "body": "<html>Bad gateway</html>"}, ServiceUnavailable),
        ({"status": 401}, AccountRefusedToken),
        ({"status": 403, "code": "AuthenticationFailed"}, AccountRefusedToken),
        ({"broken": "reset"}, Unreachable),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else value.__name__,
)
def test_a_fault_is_told_apart(
    send: Send, signing_in: SigningIn, fault: dict[str, Any], expected: type[BatchAdError]
) -> None:
    signing_in.azure.faults.add(FaultRule(service="batch", **fault))
    with pytest.raises(expected) as caught:
        send(requests.get_job("j1"))
    assert caught.value.retryable == (expected in (ServiceUnavailable, Unreachable))


def test_a_passing_fault_is_not_noticed(send: Send, signing_in: SigningIn) -> None:
    send(requests.create_job(NEW_JOB))
    signing_in.azure.faults.add(FaultRule(service="batch", status=503, times=2))
    assert send(requests.get_job("j1")).json()["id"] == "j1"


def test_a_long_retry_after_is_left_to_the_caller(send: Send, signing_in: SigningIn) -> None:
    rule = signing_in.azure.faults.add(
        FaultRule(service="batch", status=429, headers={"Retry-After": "3600"})
    )
    with pytest.raises(ServiceUnavailable) as caught:
        send(requests.get_job("j1"))
    assert caught.value.retry_after_seconds == 3600
    assert signing_in.azure.faults.hits(rule.id) == 1


def test_a_page_on_another_host_is_not_asked_for(send: Send, signing_in: SigningIn) -> None:
    foreign = f"{signing_in.azure.endpoints.storage}/jobs?api-version=2025-06-01"
    with pytest.raises(ForeignHostRefused):
        send(BatchRequest(operation="List Jobs", method="GET", path=foreign))
    assert signing_in.azure.ledger.entries(service="storage") == ()


def test_a_file_is_read_no_further_than_asked(send: Send, signing_in: SigningIn) -> None:
    send(requests.create_job(NEW_JOB))
    command = b"/bin/sh -c 'head -c 100000 /dev/zero'"
    send(requests.create_task_collection("j1", [b'{"id":"t","commandLine":"' + command + b'"}']))
    eventually(lambda: send(requests.get_task_counts("j1")).json()["taskCounts"]["completed"])
    answer = send(requests.get_task_file("j1", "t", "stdout.txt", max_bytes=10, start=99_995))
    assert answer.content == b"\0" * 5
    answer = send(requests.get_task_file("j1", "t", "stdout.txt", max_bytes=10))
    assert answer.content == b"\0" * 10
    with pytest.raises(NotFound) as caught:
        send(requests.get_task_file("j1", "t", "wd/absent", max_bytes=10))
    assert caught.value.code == "FileNotFound"


def test_the_sdks_write_nothing_below_warning(send: Send, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for name in ("azure", "msal"):
        caplog.set_level(logging.NOTSET, logger=name)
    send(requests.create_job(NEW_JOB))
    assert [record for record in caplog.records if record.name.startswith(("azure", "msal"))] == []


def test_a_host_where_nobody_listens_is_unreachable(send: Send, signing_in: SigningIn) -> None:
    signing_in.azure.stop()
    with pytest.raises(Unreachable) as caught:
        send(requests.get_job("j1"))
    assert caught.value.retryable


def test_no_traceback_repeats_what_batch_or_the_vault_said(send: Send, signing_in: SigningIn) -> None:
    value = {"key": "PropertyValue", "value": "https://a.blob.example/c?sv=1&sig=CANARYSIG"}
    body = json.dumps({"code": "InvalidPropertyValue", "values": [value]})
    signing_in.azure.faults.add(FaultRule(service="batch", status=400, body=body, times=1))
    with pytest.raises(BatchAdError) as refused:
        send(requests.create_job(NEW_JOB))
    assert "CANARYSIG" not in "".join(traceback.format_exception(refused.value))
    broken = '{"value":"CANARYSECRET","id":'
    signing_in.azure.faults.add(FaultRule(service="keyvault", status=200, body=broken))
    with pytest.raises(BatchAdError) as unread:
        send(requests.get_job("j1"))
    assert "CANARYSECRET" not in "".join(traceback.format_exception(unread.value))
