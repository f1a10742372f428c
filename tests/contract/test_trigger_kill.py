"""The trigger's ``on_kill`` against local Azure; what Airflow would answer is given."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.triggers import AzureBatchJobTrigger, killed
from airflow_provider_batchad.triggers import job as trigger_module
from tests.contract.operator_runs import context_of, operator_of, submit
from tests.contract.signing_in import SigningIn, connected


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path / "state")) as signing_in:
        yield signing_in


async def kill(
    monkeypatch: pytest.MonkeyPatch, looks: list[tuple[str | None, str | None]], **changes: Any
) -> tuple[AzureBatchJobTrigger, str]:
    """Defer a task, and tell its trigger of an end while Airflow answers ``looks``; the job's id."""
    operator = operator_of(command_line="/bin/sleep 60")
    context = context_of(operator)
    job = submit(operator, context)
    answers = iter(looks)
    monkeypatch.setattr(killed, "ask_airflow", lambda _: _named(next(answers), job["job_id"]))
    monkeypatch.setattr(killed, "_BETWEEN_LOOKS_SECONDS", 0.0)
    trigger = AzureBatchJobTrigger("batchad_default", job["job_id"], etag=job["etag"], **changes)
    trigger.task_instance = _as_airflow_gives_it(context)
    await trigger.on_kill()
    return trigger, job["job_id"]


def _named(look: tuple[str | None, str | None], job_id: str) -> tuple[str | None, str | None]:
    state, named = look
    return state, job_id if named == "own" else named


def _as_airflow_gives_it(context: dict[str, Any]) -> Any:
    return SimpleNamespace(
        id=context["ti"].id, task_id="t", try_number=1, dag_id="d", run_id="r", map_index=-1
    )


def ended(signing_in: SigningIn, job_id: str) -> str | None:
    found = signing_in.azure.batch.jobs.get(job_id)
    return found.terminate_reason if found is not None else None


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "removed", "restarting"])
async def test_a_job_whose_task_was_ended_is_ended(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    _, job_id = await kill(monkeypatch, [(state, "own")])
    assert ended(signing_in, job_id) == f"Airflow: the task was set to {state}."


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param([("deferred", "own")], id="another triggerer took over"),
        pytest.param([("scheduled", "own"), ("queued", "own"), ("running", "own")], id="resuming"),
        pytest.param([("queued", "own"), ("running", None), ("deferred", "own")], id="a new try attached"),
        pytest.param([("queued", "own"), ("up_for_retry", "own"), ("deferred", "own")], id="retried"),
    ],
)
async def test_a_job_that_somebody_waits_for_is_left(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch, looks: list[tuple[str | None, str | None]]
) -> None:
    _, job_id = await kill(monkeypatch, looks)
    assert ended(signing_in, job_id) is None


async def test_a_job_of_before_the_task_was_cleared_is_ended(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job_id = await kill(monkeypatch, [("queued", "own"), ("running", None), ("deferred", "another")])
    assert ended(signing_in, job_id) == "Airflow: the task was cleared."


async def test_where_airflow_does_not_settle_the_job_is_left(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killed, "LONGEST_LOOK_SECONDS", 0.0)
    _, job_id = await kill(monkeypatch, [("queued", "own")])
    assert ended(signing_in, job_id) is None


async def test_a_job_is_left_where_the_author_says_so(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job_id = await kill(monkeypatch, [("failed", "own")], cancel_on_kill=False)
    assert ended(signing_in, job_id) is None


async def test_a_job_that_a_later_try_has_is_left(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = operator_of(command_line="/bin/sleep 60")
    first, second = context_of(operator), context_of(operator, number=2)
    job = submit(operator, first)
    submit(operator, second)
    monkeypatch.setattr(killed, "ask_airflow", lambda _: ("failed", job["job_id"]))
    trigger = AzureBatchJobTrigger("batchad_default", job["job_id"], etag=job["etag"])
    trigger.task_instance = _as_airflow_gives_it(first)
    await trigger.on_kill()
    assert ended(signing_in, job["job_id"]) is None


def test_a_task_is_deferred_without_a_timeout_of_airflows(signing_in: SigningIn) -> None:
    # Airflow tells nobody of its own: the deadline is the trigger's.
    operator = operator_of(execution_timeout=timedelta(minutes=5), deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context_of(operator))
    assert deferred.value.timeout is None
    assert deferred.value.trigger.serialize()[1]["deadline"] is not None


async def test_a_trigger_that_has_fired_ends_nothing(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trigger_module, "SETTLE_SECONDS", 0.0)
    operator = operator_of()
    context = context_of(operator)
    job = submit(operator, context)
    trigger = AzureBatchJobTrigger("batchad_default", job["job_id"], 0.2, etag=job["etag"])
    events = trigger.run()
    assert (await anext(events)).payload["status"] == "completed"
    monkeypatch.setattr(killed, "ask_airflow", lambda _: pytest.fail("nobody is to be asked"))
    await trigger.on_kill()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(events), 5)


async def test_a_job_ends_though_airflow_cancels_on_kill_again_and_again(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = operator_of(command_line="/bin/sleep 60")
    context = context_of(operator)
    job = submit(operator, context)
    asked, go_on = threading.Event(), threading.Event()

    def ask(_: object) -> tuple[str, str]:
        asked.set()
        assert go_on.wait(30)
        return "failed", job["job_id"]

    monkeypatch.setattr(killed, "ask_airflow", ask)
    trigger = AzureBatchJobTrigger("batchad_default", job["job_id"], etag=job["etag"])
    trigger.task_instance = _as_airflow_gives_it(context)
    ending = asyncio.ensure_future(trigger.on_kill())
    assert await asyncio.to_thread(asked.wait, 30)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    go_on.set()
    for _ in range(600):
        if ended(signing_in, job["job_id"]):
            break
        await asyncio.sleep(0.05)
    assert ended(signing_in, job["job_id"]) == "Airflow: the task was set to failed."
