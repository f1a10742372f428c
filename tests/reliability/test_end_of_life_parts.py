"""Airflow's parts begin anew, take each other's work over, or are out of reach: no job ends for that."""

from __future__ import annotations

import signal

import pytest

from tests.airflow.task_runs import (
    TRIES_WAIT_FOR_THE_API_SERVER,
    TRIGGERS_ARE_TOLD,
    TaskRun,
    eventually,
    is_gone,
)
from tests.reliability.end_of_life_airflow import (
    HEARTBEAT_TIMEOUT_SECONDS,
    QUEUED_TIMEOUT_SECONDS,
    TRIGGERER_SILENCE_SECONDS,
    Parts,
    end,
    signal_all,
)

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1200)]

TAKEN_OVER = TRIGGERER_SILENCE_SECONDS + 240
GIVEN_UP = HEARTBEAT_TIMEOUT_SECONDS + 240


def deferred(parts: Parts) -> tuple[TaskRun, str]:
    """A task that waits in a triggerer: its run and its job."""
    run = TaskRun(parts, "deferred_retried")
    job_id = run.job_id()
    run.wait_until_watched(job_id)
    return run, job_id


def log_of(run: TaskRun) -> str:
    return run.deployment.log(run.dag_id, run.run_id)


def begun(run: TaskRun, job_id: str) -> int:
    """How often a trigger has begun to wait for the job."""
    return log_of(run).count(f"Waiting for Batch job {job_id}.")


def triggerer_of(run: TaskRun) -> int:
    """The id of the triggerer that has the trigger."""
    trigger = run.instance()["triggerer_job"]
    return int(trigger["id"]) if trigger else 0


def check_goes_on(run: TaskRun, job_id: str) -> None:
    """The job is waited for as before, and ends with its task."""
    assert run.job(job_id) == {"state": "active", "reason": None}
    assert run.instance()["state"] == "deferred"
    assert run.instance()["try_number"] == 1
    run.mark("failed")
    if TRIGGERS_ARE_TOLD:
        run.wait_for_reason(job_id, "Airflow: the task was set to failed.", 60)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL], ids=["restarted", "killed"])
def test_a_triggerer_that_begins_anew_waits_on(parts: Parts, ending: signal.Signals) -> None:
    run, job_id = deferred(parts)
    parts.replace("triggerer", ending)
    eventually(lambda: begun(run, job_id) == 2, TAKEN_OVER, "it is waited for again")
    check_goes_on(run, job_id)


def test_a_triggerer_that_takes_over_from_a_frozen_one_lets_the_job_go_on(parts: Parts) -> None:
    run, job_id = deferred(parts)
    first = parts.process("triggerer")
    before = triggerer_of(run)
    second = parts.start("triggerer")
    try:
        signal_all(first, signal.SIGSTOP)
        eventually(lambda: triggerer_of(run) not in (0, before), TAKEN_OVER, "another one has it")
        signal_all(first, signal.SIGCONT)
        eventually(lambda: begun(run, job_id) == 2, TAKEN_OVER, "another one waits for it")
        if TRIGGERS_ARE_TOLD:
            # Airflow calls on_kill in the one that lost it, as if somebody had ended the task.
            left = f"Batch job {job_id} is left to whoever waits for it."
            eventually(lambda: left in log_of(run), 240, "the one that lost it looked, and left the job")
        check_goes_on(run, job_id)
    finally:
        signal_all(first, signal.SIGCONT)
        end(second, signal.SIGTERM)


@pytest.mark.parametrize("dag_id", ["deferred_retried", "sync_retried"])
def test_a_scheduler_that_begins_anew_finds_the_job_again(parts: Parts, dag_id: str) -> None:
    run = TaskRun(parts, dag_id)
    job_id, before = run.job_id(), run.instance()["id"]
    parts.replace("scheduler", signal.SIGKILL)
    if dag_id == "deferred_retried":
        run.wait_until_watched(job_id)
        check_goes_on(run, job_id)
        return
    # Its workers were its children: the task begins anew when their silence is noticed.
    run.wait_until_attached(job_id, before, GIVEN_UP)
    assert run.job(job_id) == {"state": "active", "reason": None}
    run.mark("failed")
    run.wait_for_reason(job_id, "Airflow: the task was set to failed.", 60)


def test_a_worker_without_an_api_server_leaves_its_job(parts: Parts) -> None:
    # Airflow 3.2 fails each try that begins meanwhile, and uses up its retries.
    run = TaskRun(parts, "sync_retried" if TRIES_WAIT_FOR_THE_API_SERVER else "sync_retried_late")
    job_id = run.job_id()
    child, before = run.task_process(), run.instance()["id"]
    end(parts.process("api-server"), signal.SIGKILL)
    try:
        # Its supervisor gives up after a few heartbeats that nobody takes, and ends it.
        eventually(lambda: is_gone(child), 300, "the worker is ended")
        assert run.job(job_id) == {"state": "active", "reason": None}
    finally:
        parts.replaced["api-server"] = parts.start("api-server")
        eventually(parts.airflow.api.health, 240, "the API server answers")
    # A try that began while nobody answered is given up in its queue, and begun once more.
    run.wait_until_attached(job_id, before, GIVEN_UP + QUEUED_TIMEOUT_SECONDS)
    assert run.job(job_id) == {"state": "active", "reason": None}
    run.mark("failed")
    run.wait_for_reason(job_id, "Airflow: the task was set to failed.", 60)
