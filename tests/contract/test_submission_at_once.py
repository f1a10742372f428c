"""Chunks of tasks under way at the same time, through both hooks, against local Azure over TLS."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import pytest

from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, AzureBatchAdHook
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.adding import AT_ONCE, add_tasks
from airflow_provider_batchad.jobs.outcome import list_tasks
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure
from airflow_provider_batchad.operators.kill_switch import Killed, KillSwitch
from tests.contract.batch_fixtures import eventually
from tests.contract.signing_in import connected
from tests.unit.tries import spec_of

T = TypeVar("T")
SPEC = spec_of(1000)
ADD = "Create Task Collection"
JOB_ID = "many"
ACTIONS = ("jobs/read", "jobs/write")


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalAzure]:
    # No node: nothing runs, and the tasks stay to be counted.
    config = LocalAzureConfig(port=0, state_dir=tmp_path, pools=(PoolConfig(id="cpu", nodes=0),))
    with connected(monkeypatch, config) as signing_in:
        yield signing_in.azure


@pytest.fixture
def hook(azure: LocalAzure) -> Iterator[AzureBatchAdHook]:
    with AzureBatchAdHook(actions=ACTIONS) as hook:
        hook.send(requests.create_job({"id": JOB_ID, "poolInfo": {"poolId": "cpu"}}))
        yield hook


def in_a_thread(work: Callable[[], T]) -> Future[T]:
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to who waits for it
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done


def added(hook: AzureBatchAdHook) -> set[str]:
    return set(hook.run(list_tasks(JOB_ID)))


def count(azure: LocalAzure) -> int:
    return len(azure.ledger.entries(service="batch", operation=ADD))


def run_async() -> dict[str, str]:
    async def run() -> dict[str, str]:
        async with AzureBatchAdAsyncHook(actions=ACTIONS) as hook:
            return await hook.run(add_tasks(JOB_ID, SPEC.tasks))

    return asyncio.run(run())


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_so_many_chunks_are_under_way_and_no_more(
    azure: LocalAzure, hook: AzureBatchAdHook, asynchronous: bool
) -> None:
    held = azure.faults.add(FaultRule(service="batch", operation=ADD, hold=True))
    sync: Callable[[], dict[str, str]] = lambda: hook.run(add_tasks(JOB_ID, SPEC.tasks))  # noqa: E731
    done = in_a_thread(run_async if asynchronous else sync)
    eventually(lambda: azure.faults.held(held.id) == AT_ONCE)
    assert not done.done()
    azure.faults.remove(held.id)
    assert done.result(timeout=60) == {}
    assert count(azure) == 10
    assert added(hook) == set(SPEC.task_ids)


def test_a_worker_that_is_told_to_end_does_not_wait_for_what_is_under_way(
    azure: LocalAzure, hook: AzureBatchAdHook
) -> None:
    switch = KillSwitch()
    held = azure.faults.add(FaultRule(service="batch", operation=ADD, hold=True))
    done = in_a_thread(lambda: hook.run(add_tasks(JOB_ID, SPEC.tasks), switch.pause))
    eventually(lambda: azure.faults.held(held.id) == AT_ONCE)
    switch.flip()
    with pytest.raises(Killed):
        done.result(timeout=20)
    assert azure.faults.held(held.id) == AT_ONCE
    azure.faults.remove(held.id)


def test_one_throttled_chunk_slows_all(azure: LocalAzure, hook: AzureBatchAdHook) -> None:
    busy = FaultRule(
        service="batch", operation=ADD, status=429, headers={"Retry-After": "60"}, skip=2, times=1
    )
    azure.faults.add(busy)
    pauses: list[float] = []
    hook.run(add_tasks(JOB_ID, SPEC.tasks), pauses.append)
    assert [seconds for seconds in pauses if seconds] == [60.0]
    assert count(azure) == 11
    assert added(hook) == set(SPEC.task_ids)


def test_a_refused_chunk_ends_all(azure: LocalAzure, hook: AzureBatchAdHook) -> None:
    refused = FaultRule(service="batch", operation=ADD, status=403, code="AuthorizationFailure")
    azure.faults.add(refused)
    with pytest.raises(Exception, match="AuthorizationFailure"):
        hook.run(add_tasks(JOB_ID, SPEC.tasks))
    assert count(azure) == AT_ONCE
