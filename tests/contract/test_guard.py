"""The guard in Microsoft's clients: what is refused never reaches the account, what is declared does."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from airflow_provider_batchad.access.actions import ACTIONS
from airflow_provider_batchad.access.declaration import Declaration, declared
from airflow_provider_batchad.access.operations import OPERATIONS, Operation
from airflow_provider_batchad.errors import UndeclaredRequest
from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, AzureBatchAdHook
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.local.client_settings import describe_connection
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig
from tests.contract.signing_in import SigningIn, connected

Ask = Callable[[Operation, frozenset[str]], None]
END: Any = {"terminateReason": "asked"}  # azure-batch 15.1 fails without one
VERSION = "api-version=2025-06-01"


@pytest.fixture(scope="module")
def signing_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningIn]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        config = LocalAzureConfig(
            port=0,
            state_dir=tmp_path_factory.mktemp("azure"),
            pools=(PoolConfig(id="cpu"), PoolConfig(id="spare", nodes=0)),
        )
        with connected(monkeypatch, config) as signing_in:
            yield signing_in


def request_of(operation: Operation) -> HttpRequest:
    return HttpRequest(operation.method, f"{operation.path.replace('{}', 'absent')}?{VERSION}")


def answered() -> contextlib.AbstractContextManager[None]:
    """Nothing of that name is there, some of it local Azure leaves out, and a body is missing."""
    return contextlib.suppress(HttpResponseError)


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, signing_in: SigningIn) -> Ask:
    """Sends an operation's request to something that is not there, with these actions declared."""

    def ask_sync(operation: Operation, actions: frozenset[str]) -> None:
        with AzureBatchAdHook() as hook, declared(Declaration.of("a test", actions)), answered():
            hook.get_conn().send_request(request_of(operation))

    async def ask_async(operation: Operation, actions: frozenset[str]) -> None:
        async with AzureBatchAdAsyncHook() as hook:
            with declared(Declaration.of("a test", actions)), answered():
                await (await hook.get_conn()).send_request(request_of(operation))

    if request.param == "sync":
        return ask_sync
    return lambda operation, actions: asyncio.run(ask_async(operation, actions))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_a_request_reaches_the_account_exactly_where_its_actions_are_declared(
    operation: Operation, ask: Ask, signing_in: SigningIn
) -> None:
    before = len(signing_in.azure.ledger.entries(service="batch"))
    needed = frozenset(action.value for action in operation.need.all())
    for lacking in needed:
        others = frozenset(action.value for action in ACTIONS) - {lacking}
        with pytest.raises(UndeclaredRequest, match=operation.name):
            ask(operation, others)
    assert len(signing_in.azure.ledger.entries(service="batch")) == before
    ask(operation, needed)
    assert len(signing_in.azure.ledger.entries(service="batch")) == before + 1


def test_a_hook_that_declares_may_do_that_and_no_more(signing_in: SigningIn) -> None:
    with AzureBatchAdHook(actions=["jobs/read", "jobs/write"]) as hook:
        hook.send(requests.create_job({"id": "declared", "poolInfo": {"poolId": "cpu"}}))
        with pytest.raises(UndeclaredRequest, match="jobs/delete, which AzureBatchAdHook does not declare"):
            hook.get_conn().begin_delete_job("declared")
        assert hook.send(requests.get_job("declared")).json()["state"] == "active"


async def test_hooks_that_declare_otherwise_share_no_client(signing_in: SigningIn) -> None:
    async with (
        AzureBatchAdAsyncHook(actions=["jobs/read"]) as reader,
        AzureBatchAdAsyncHook(actions=["jobs/write"]) as writer,
        AzureBatchAdAsyncHook(actions=["jobs/write"]) as another,
    ):
        assert await writer.get_conn() is await another.get_conn()
        await writer.send(requests.create_job({"id": "shared", "poolInfo": {"poolId": "cpu"}}))
        with pytest.raises(UndeclaredRequest):
            await reader.send(requests.terminate_job("shared", reason="x"))
        with pytest.raises(UndeclaredRequest):
            await writer.send(requests.get_job("shared"))


def test_undeclared_code_may_read_jobs_with_a_warning(
    signing_in: SigningIn, caplog: pytest.LogCaptureFixture
) -> None:
    with AzureBatchAdHook() as hook:
        hook.send(requests.list_jobs())
        hook.send(requests.list_jobs())
        with pytest.raises(UndeclaredRequest, match="declares no actions"):
            hook.send(requests.create_job({"id": "undeclared", "poolInfo": {"poolId": "cpu"}}))
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len([one for one in said if "'List Jobs'" in one]) == 1


@pytest.mark.parametrize(("mode", "warnings"), [("warn", 1), ("off", 0)])
def test_a_connection_may_be_lenient(
    mode: str,
    warnings: int,
    signing_in: SigningIn,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    given = describe_connection(signing_in.azure)
    given["extra"]["least_privilege"] = mode
    monkeypatch.setenv("AIRFLOW_CONN_LENIENT", json.dumps(given))
    with AzureBatchAdHook("lenient") as hook:
        hook.send(requests.create_job({"id": f"lenient-{mode}", "poolInfo": {"poolId": "cpu"}}))
    assert len([one for one in caplog.records if "'Create Job'" in one.getMessage()]) == warnings


def test_testing_the_connection_is_declared(signing_in: SigningIn) -> None:
    assert AzureBatchAdHook().test_connection()[0]


def test_a_poller_of_the_sdk_goes_by_what_was_declared_where_its_client_was_made(
    signing_in: SigningIn, caplog: pytest.LogCaptureFixture
) -> None:
    operator = Declaration.of(
        "AnOperator", ["jobs/read", "jobs/write", "jobs/delete", "pools/read", "pools/delete"]
    )
    config = signing_in.azure.config
    signing_in.azure.roles.assign(
        principal_id=config.applications[0].object_id,
        role="Azure Batch Data Contributor",
        scope=config.account_scope,
    )
    with declared(operator), AzureBatchAdHook() as hook:
        client: Any = hook.get_conn()
        hook.send(requests.create_job({"id": "polled", "poolInfo": {"poolId": "cpu"}}))
        client.begin_terminate_job("polled", options=END, polling_interval=0).result(60)
        assert client.get_job("polled").state == "completed"
        client.begin_delete_job("polled", polling_interval=0).result(60)
        client.begin_delete_pool("spare", polling_interval=0).result(60)
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_a_poller_may_ask_for_no_more_than_its_operator(signing_in: SigningIn) -> None:
    with declared(Declaration.of("AnOperator", ["jobs/write"])), AzureBatchAdHook() as hook:
        hook.send(requests.create_job({"id": "blind", "poolInfo": {"poolId": "cpu"}}))
        with pytest.raises(UndeclaredRequest, match="needs jobs/read, which AnOperator does not"):
            hook.get_conn().begin_terminate_job("blind", options=END, polling_interval=0).result(60)


def test_no_header_makes_another_operation_of_a_request(signing_in: SigningIn) -> None:
    before = len(signing_in.azure.ledger.entries(service="batch"))
    request, header = HttpRequest("POST", f"/jobs/j/terminate?{VERSION}"), {"X-HTTP-Method": "DELETE"}
    with AzureBatchAdHook(actions=["jobs/read", "jobs/write", "jobs/delete"]) as hook:
        client: Any = hook.get_conn()
        with pytest.raises(UndeclaredRequest, match="a header makes it one"):
            client.send_request(request, headers=header)
        with pytest.raises(UndeclaredRequest, match="a header makes it one"):
            client.get_job("j", headers=header)
    assert len(signing_in.azure.ledger.entries(service="batch")) == before


def auto_pool_job() -> models.BatchJobCreateOptions:
    specification = models.BatchAutoPoolSpecification(pool_lifetime_option="job")
    return models.BatchJobCreateOptions(
        id="auto", pool_info=models.BatchPoolInfo(auto_pool_specification=specification)
    )


async def test_a_job_with_a_pool_of_its_own_is_seen_in_whatever_the_sdk_is_given(
    signing_in: SigningIn,
) -> None:
    before = len(signing_in.azure.ledger.entries(service="batch"))
    text = json.dumps(auto_pool_job().as_dict())
    ways_out = "/jobs/j/tasks/t/files/../../../../../pools/p"
    with AzureBatchAdHook(actions=["jobs/write", "jobs/delete", "jobSchedules/write"]) as hook:
        client: Any = hook.get_conn()
        for body in (auto_pool_job(), json.loads(text)):
            with pytest.raises(UndeclaredRequest, match="pools/write"):
                client.create_job(body)
        with pytest.raises(UndeclaredRequest, match="pools/write"):
            client.send_request(HttpRequest("POST", f"/jobs?{VERSION}", content=io.BytesIO(text.encode())))
        with pytest.raises(UndeclaredRequest, match="pools/write"):
            client.create_job_schedule({"id": "s", "schedule": {}, "jobSpecification": json.loads(text)})
        with pytest.raises(UndeclaredRequest, match="no operation"):
            client.send_request(HttpRequest("DELETE", f"{ways_out}?{VERSION}"))
    async with AzureBatchAdAsyncHook(actions=["jobs/write", "jobs/delete"]) as other:
        client = await other.get_conn()
        with pytest.raises(UndeclaredRequest, match="pools/write"):
            await client.create_job(auto_pool_job())
        with pytest.raises(UndeclaredRequest, match="no operation"):
            await client.send_request(HttpRequest("DELETE", f"{ways_out}?{VERSION}"))
    assert len(signing_in.azure.ledger.entries(service="batch")) == before
