"""One poll for all triggers of a connection in one event loop, counted on the ledger of local Azure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, shared
from airflow_provider_batchad.jobs import requests, watching
from airflow_provider_batchad.jobs.waiting import Wait, Waited, WaitResult
from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.triggers import AzureBatchJobTrigger, job
from airflow_provider_batchad.triggers.watcher import JobWatcher
from tests.contract.signing_in import SigningIn, connected

INTERVAL = 1.0


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    monkeypatch.setattr(job, "SETTLE_SECONDS", 0.0)
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path)) as signing_in:
        yield signing_in
    assert shared._shared == {}


async def create(*job_ids: str) -> None:
    async with AzureBatchAdAsyncHook(actions=["jobs/read", "jobs/write"]) as hook:
        for job_id in job_ids:
            await hook.send(requests.create_job({"id": job_id, "poolInfo": {"poolId": "cpu"}}))


async def end(*job_ids: str) -> None:
    async with AzureBatchAdAsyncHook(actions=["jobs/read", "jobs/write"]) as hook:
        for job_id in job_ids:
            await hook.send(requests.terminate_job(job_id, reason="the test is over"))


async def fire(job_id: str, poll_interval: float = INTERVAL, deadline: str | None = None) -> str:
    trigger = AzureBatchJobTrigger("batchad_default", job_id, poll_interval, deadline)
    (status,) = [event.payload["status"] async for event in trigger.run()]
    return str(status)


def start(job_ids: Sequence[str], poll_interval: float = INTERVAL) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(fire(job_id, poll_interval)) for job_id in job_ids]


async def looks(signing_in: SigningIn, operation: str, more: int) -> None:
    """Wait until so many more requests of the operation were answered."""
    wanted = signing_in.count("batch", operation) + more
    async with asyncio.timeout(60):
        while signing_in.count("batch", operation) < wanted:  # noqa: ASYNC110 - the ledger has no event
            await asyncio.sleep(0.05)


async def test_two_hundred_waiters_cost_one_request_an_interval(signing_in: SigningIn) -> None:
    job_ids = [f"j{number:03}" for number in range(200)]
    await create(*job_ids)
    before = signing_in.azure.ledger.last_sequence
    waiting = start(job_ids)
    await looks(signing_in, "List Jobs", 5)
    assert len(signing_in.azure.ledger.entries(service="entra", operation="Token", after=before)) == 1
    await end(*job_ids[:20])
    assert await asyncio.gather(*waiting[:20]) == ["completed"] * 20
    asked = signing_in.azure.ledger.entries(service="batch", after=before)
    lists = [entry for entry in asked if entry.operation == "List Jobs"]
    # Two at the beginning; then no two of them are less than an interval apart, but for its spread.
    assert lists[-1].time - lists[1].time >= 0.85 * INTERVAL * (len(lists) - 2)
    assert {entry.operation for entry in asked} == {"List Jobs", "Terminate Job"}
    assert not any(task.done() for task in waiting[20:])
    await end(*job_ids[20:])
    assert set(await asyncio.gather(*waiting[20:])) == {"completed"}


async def test_one_who_is_cancelled_leaves_the_others_as_they_are(signing_in: SigningIn) -> None:
    await create("a", "b", "c")
    waiting = start("abc")
    await looks(signing_in, "List Jobs", 1)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    await end("b")
    assert await waiting[1] == "completed"
    await end("c")
    assert await waiting[2] == "completed"


async def test_the_poll_ends_with_its_last_waiter_and_begins_anew(signing_in: SigningIn) -> None:
    await create("a")
    for _ in range(2):
        (waiting,) = start("a")
        await looks(signing_in, "Get Job", 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert shared._shared == {}
        assert len(asyncio.all_tasks()) == 1
    (waiting,) = start("a")
    await end("a")
    assert await waiting == "completed"


async def test_a_waiter_that_comes_as_the_last_one_goes_is_told(signing_in: SigningIn) -> None:
    await create("a", "b")
    async with AzureBatchAdAsyncHook() as hook:
        watcher = await JobWatcher.of(hook)
        wait = Wait(poll_interval_seconds=INTERVAL)
        first = asyncio.create_task(watcher.wait("a", wait))
        await looks(signing_in, "Get Job", 1)
        first.cancel()
        # Before the poll that was told to end has ended.
        await asyncio.sleep(0)
        second = asyncio.create_task(watcher.wait("b", wait))
        await end("b")
        assert await second == Waited(result=WaitResult.COMPLETED)
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_deadline_fires_though_nothing_answers(signing_in: SigningIn) -> None:
    await create("a")
    fault = signing_in.azure.faults.add(FaultRule(service="batch", operation="Get Job", hold=True))
    deadline = datetime.now(UTC) + timedelta(seconds=1)
    assert await fire("a", deadline=deadline.isoformat()) == "deadline"
    assert datetime.now(UTC) >= deadline
    signing_in.azure.faults.remove(fault.id)
    passed = datetime.now(UTC) - timedelta(days=1)
    assert await fire("a", deadline=passed.isoformat()) == "deadline"


async def test_not_being_able_to_ask_is_unreachable_and_not_failed(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "TOLERANCE", timedelta(0))
    await create("a", "b")
    # More than azure-core is let sleep out.
    busy = FaultRule(service="batch", operation="* Job*", status=503, headers={"Retry-After": "31"})
    signing_in.azure.faults.add(busy)
    assert await asyncio.gather(*start("ab")) == ["unreachable"] * 2


async def test_where_the_list_is_denied_jobs_are_read(signing_in: SigningIn) -> None:
    await create("a", "b")
    signing_in.azure.faults.add(FaultRule(service="batch", operation="List Jobs", status=403))
    waiting = start("ab", 0.2)
    await looks(signing_in, "Get Job", 6)
    await end("a", "b")
    assert await asyncio.gather(*waiting) == ["completed"] * 2


@pytest.mark.parametrize("failure", [RuntimeError("a defect"), asyncio.CancelledError()])
async def test_whatever_ends_the_poll_reaches_all_waiters(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def look(_: watching.Watch):
        raise failure
        yield

    monkeypatch.setattr(watching.Watch, "look", look)
    answers = await asyncio.gather(*start("abc"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [RuntimeError] * 3
    cause = answers[0].__cause__
    assert cause is failure or "CancelledError" in str(cause)
