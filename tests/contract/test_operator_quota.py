"""An account without a place for another active job: waited for in turn, within a bound, leaving nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred

from airflow_provider_batchad.errors import JobFailed
from airflow_provider_batchad.hooks import shared
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.batch_fixtures import eventually
from tests.contract.full_accounts import (
    FullAccount,
    check_releases,
    full_account,
    run_all,
    trigger_of,
)
from tests.contract.operator_runs import context_of, operator_of


@pytest.fixture
def account(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[FullAccount]:
    with full_account(monkeypatch, tmp_path, getattr(request, "param", 1)) as account:
        yield account
    assert shared._shared == {}


def test_a_worker_waits_and_the_task_runs_when_there_is_a_place(account: FullAccount) -> None:
    operator = operator_of()
    with ThreadPoolExecutor(1) as worker:
        running = worker.submit(operator.execute, context_of(operator))
        eventually(lambda: account.refusals() > 1)
        account.empty()
        assert running.result(60)["succeeded"] == 1
    assert len(account.own_jobs()) == 1


@pytest.mark.parametrize("account", [10], indirect=True)
async def test_forty_for_ten_places_all_succeed_the_oldest_first(account: FullAccount) -> None:
    results = await run_all(account, 40, slots=4, poll_interval=0.5, within=60)
    assert [result["succeeded"] for result in results] == [1] * 40
    assert len(set(account.own_jobs())) == 40
    check_releases(account)


@pytest.mark.parametrize("deferrable", [False, True])
async def test_a_wait_has_its_bound(account: FullAccount, deferrable: bool) -> None:
    operator = operator_of(deferrable=deferrable, quota_timeout=0.5)
    context = context_of(operator)

    async def wait() -> Any:
        step, given = operator.execute, {}
        while True:
            try:
                return await asyncio.to_thread(step, context, **given)
            except TaskDeferred as deferred:
                # It may be let try once before: whether there is more room than known.
                (event,) = [event.payload async for event in deferred.trigger.run()]
                step, given = operator.execute_in_a_place, {"event": event, **deferred.kwargs}

    with pytest.raises(
        JobFailed,
        match=r"no place for another active job .* until the quota_timeout passed .* Nothing was submitted",
    ):
        await wait()
    assert account.own_jobs() == []


def test_a_worker_that_is_killed_while_it_waits_leaves_nothing(account: FullAccount) -> None:
    operator = operator_of()
    context = context_of(operator)
    context["ti"].get_task_states = lambda **_: {"r": {"t": "success"}}
    with ThreadPoolExecutor(1) as worker:
        running = worker.submit(operator.execute, context)
        eventually(lambda: account.refusals() > 0)
        operator.on_kill()
        with pytest.raises(AirflowException, match="success"):
            running.result(60)
    account.empty()
    assert account.own_jobs() == []


async def test_a_trigger_that_is_cancelled_leaves_the_others_waiting(account: FullAccount) -> None:
    waiting = [asyncio.create_task(anext(trigger_of().run())) for _ in range(2)]
    await asyncio.to_thread(account.until_waiting, 2)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    await asyncio.to_thread(account.empty)
    assert (await asyncio.wait_for(waiting[1], 30)).payload["status"] == "free"
    assert len(asyncio.all_tasks()) == 1


async def test_a_throttled_count_is_made_again(account: FullAccount) -> None:
    account.signing_in.azure.faults.add(
        FaultRule(service="batch", operation="List Jobs", status=503, times=6)
    )
    await asyncio.to_thread(account.empty)
    (event,) = [event.payload async for event in trigger_of().run()]
    assert event["status"] == "free"


async def test_an_unreachable_count_is_waited_on(account: FullAccount) -> None:
    operator = operator_of(deferrable=True)
    with pytest.raises(TaskDeferred) as first:
        await asyncio.to_thread(operator.execute, context_of(operator))
    event = {"status": "unreachable", "message": "nothing answered"}
    with pytest.raises(TaskDeferred) as again:
        operator.execute_in_a_place(context_of(operator), event, **first.value.kwargs)
    assert again.value.trigger.serialize() == first.value.trigger.serialize()


@pytest.mark.parametrize("given", ["soon", -1, None])
def test_a_bound_that_is_no_length_of_time_is_refused(account: FullAccount, given: Any) -> None:
    operator = operator_of(quota_timeout=given)
    with pytest.raises(AirflowFailException, match="quota_timeout: not a length of time"):
        operator.execute(context_of(operator))
