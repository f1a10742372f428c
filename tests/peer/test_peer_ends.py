"""What becomes of the Batch job when its Airflow task ends first."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowTaskTimeout, TaskDeferred
from airflow.sdk.execution_time.timeout import TimeoutPosix
from azure.batch import models

from airflow_provider_batchad.errors import JobFailed
from airflow_provider_batchad.triggers import killed
from tests.contract.operator_runs import context_of, operator_of, resume
from tests.peer.peer_runs import Both, beside

pytestmark = pytest.mark.peer

LONG = "/bin/sleep 600"


def our_end(both: Both) -> tuple[str, str | None]:
    """State and reason of our one job."""
    return both.state_of(both.only_job()), both.end_of(both.only_job())


def limit_of(job: models.BatchJob) -> timedelta:
    assert job.constraints is not None
    assert job.constraints.max_wall_clock_time is not None
    return job.constraints.max_wall_clock_time


def test_peer_kill_on_a_worker_raises_and_ends_nothing(both: Both) -> None:
    seen = both.peer.run("kill_operator", batch_task_command_line=LONG)
    assert seen.error == "ValueError"
    assert both.statuses("Terminate Job") == []
    assert both.state_of() == "active"


def test_our_kill_on_a_worker_ends_the_job_with_a_reason(both: Both) -> None:
    operator = operator_of(command_line=LONG, poll_interval=600)
    context = context_of(operator)
    context["ti"].get_task_states = lambda **_: {"r": {"t": "failed"}}
    with beside(operator.execute, context) as running:
        both.until("Get Job")
        operator.on_kill()
        with pytest.raises(AirflowException, match="set to failed"):
            running.result(60)
    state, reason = our_end(both)
    assert state in ("terminating", "completed")
    assert reason == "Airflow: the task was set to failed."


def test_peer_end_by_a_person_while_it_is_deferred_ends_nothing(both: Both) -> None:
    seen = both.peer.run("kill_trigger", batch_task_command_line=LONG)
    assert seen.error is None
    assert both.statuses("Terminate Job") == []
    assert both.state_of() == "active"


async def test_our_end_by_a_person_while_it_is_deferred_ends_the_job(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = operator_of(command_line=LONG, deferrable=True)
    context = context_of(operator)
    with pytest.raises(TaskDeferred) as deferred:
        await asyncio.to_thread(operator.execute, context)
    trigger: Any = deferred.value.trigger
    monkeypatch.setattr(killed, "ask_airflow", lambda _: ("failed", trigger.job_id))
    trigger.task_instance = SimpleNamespace(
        id=context["ti"].id, task_id="t", try_number=1, dag_id="d", run_id="r", map_index=-1
    )
    await trigger.on_kill()
    assert both.statuses("Terminate Job") == [202]
    assert our_end(both)[1] == "Airflow: the task was set to failed."


def test_peer_timeout_while_it_is_deferred_leaves_the_job_running(both: Both) -> None:
    seen = both.peer.run(batch_task_command_line=LONG, timeout=0.005)
    assert (seen.error, "Timeout waiting" in seen.sentence) == ("RuntimeError", True)
    assert both.statuses("Terminate Job") == []
    job = both.batch.client.get_job("peer")
    assert job.state == "active"
    # As good as none: Batch's own default.
    assert limit_of(job) > timedelta(days=10_000_000)
    assert both.batch.running("peer", "a")


async def test_our_timeout_while_it_is_deferred_ends_the_job(both: Both) -> None:
    timeout = timedelta(seconds=6)
    operator = operator_of(command_line=LONG, execution_timeout=timeout, deferrable=True)
    context = context_of(operator)
    with pytest.raises(TaskDeferred) as deferred:
        await asyncio.to_thread(operator.execute, context)
    trigger: Any = deferred.value.trigger
    job = both.batch.client.get_job(both.only_job())
    assert limit_of(job) == timeout + timedelta(minutes=10)
    event = await anext(trigger.run())
    assert event.payload["status"] == "deadline"
    given = {"job_id": trigger.job_id, **(deferred.value.kwargs or {})}
    with pytest.raises(JobFailed, match="did not end within the execution_timeout"):
        await asyncio.to_thread(resume, operator, context, "deadline", given)
    assert our_end(both)[1] == "Airflow: execution_timeout of 0:00:06 passed."


def test_peer_timeout_on_a_worker_neither_ends_nor_cleans_up(both: Both) -> None:
    seen = both.peer.run(
        batch_task_command_line=LONG, timeout=0.005, deferrable=False, should_delete_job=True
    )
    assert seen.error == "TimeoutError"
    assert both.statuses("Terminate Job") == both.statuses("Delete Job") == []
    assert both.state_of() == "active"


def test_our_timeout_on_a_worker_ends_the_job(both: Both) -> None:
    # As Airflow's task runner does it: a signal, in the process's main thread.
    assert threading.current_thread() is threading.main_thread()
    operator = operator_of(command_line=LONG, execution_timeout=timedelta(seconds=6), cleanup="delete")
    with pytest.raises(AirflowTaskTimeout), TimeoutPosix(6):  # type: ignore[no-untyped-call]  # Airflow's own
        operator.execute(context_of(operator))
    state, reason = our_end(both)
    assert state in ("terminating", "completed")
    assert reason == "Airflow: execution_timeout of 0:00:06 passed."
