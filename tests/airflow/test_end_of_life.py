"""What becomes of the Batch job when a person ends the Airflow task, or its time is over: in both modes."""

from __future__ import annotations

import getpass
import signal
from collections.abc import Iterator

import pytest

from demo.airflow import find_components
from tests.airflow.conftest import Deployment
from tests.airflow.dags.end_of_life import TASK_SECONDS
from tests.airflow.task_runs import TRIGGERS_ARE_TOLD, TaskRun, eventually, orphans

# The first one waits for a whole Airflow to start.
pytestmark = pytest.mark.timeout(600)

OUT_OF_TIME = f"Airflow: execution_timeout of 0:00:{TASK_SECONDS:02} passed."


@pytest.fixture(scope="module")
def short(deployment: Deployment) -> dict[str, TaskRun]:
    """Tasks that run out of time while the other tests go on."""
    return {mode: TaskRun(deployment, f"{mode}_short") for mode in ("sync", "deferred")}


def test_a_job_ends_with_the_task_that_a_person_ended(
    deployment: Deployment, short: dict[str, TaskRun]
) -> None:
    runs = {
        "failed": TaskRun(deployment, "deferred_endless"),
        "success": TaskRun(deployment, "deferred_endless"),
        "on the worker": TaskRun(deployment, "sync_endless"),
        "success on the worker": TaskRun(deployment, "sync_endless"),
        "neighbour": TaskRun(deployment, "deferred_endless"),
    }
    jobs = {name: run.job_id() for name, run in runs.items()}
    for name in ("failed", "success", "neighbour"):
        runs[name].wait_until_watched(jobs[name])
    states = {name: "success" if name.startswith("success") else "failed" for name in runs}
    ended = [name for name in runs if name != "neighbour"]
    for name in ended:
        runs[name].mark(states[name])
    for name in ended if TRIGGERS_ARE_TOLD else ["on the worker", "success on the worker"]:
        runs[name].wait_for_reason(jobs[name], f"Airflow: the task was set to {states[name]}.")
    neighbour, job_id = runs["neighbour"], jobs["neighbour"]
    assert neighbour.job(job_id) == {"state": "active", "reason": None}
    neighbour.mark("failed")
    if TRIGGERS_ARE_TOLD:
        neighbour.wait_for_reason(job_id, "Airflow: the task was set to failed.")


def test_a_clear_ends_the_job_of_before_and_waits_for_another(deployment: Deployment) -> None:
    run = TaskRun(deployment, "deferred_endless")
    first = run.job_id()
    run.wait_until_watched(first)
    run.clear()
    second = run.job_id(other_than=first)
    eventually(lambda: run.job(first)["state"] == "completed", 30, "the job of before is ended")
    # Whichever of the two was first: the trigger of before, or the new try.
    superseded = f"Superseded by {second}: the Airflow task was cleared."
    assert run.job(first)["reason"] in ("Airflow: the task was cleared.", superseded)
    assert run.job(second) == {"state": "active", "reason": None}
    run.wait_until_watched(second, number=2)
    run.mark("failed")
    if TRIGGERS_ARE_TOLD:
        run.wait_for_reason(second, "Airflow: the task was set to failed.")


@pytest.fixture
def stalled_triggerer(deployment: Deployment) -> Iterator[None]:
    standalone = deployment.airflow._process
    assert standalone is not None
    triggerer = find_components(standalone)["triggerer"]
    members = [triggerer, *triggerer.children(recursive=True)]
    for process in members:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in members:
            if process.is_running():
                process.send_signal(signal.SIGCONT)


def test_a_job_whose_task_ended_before_its_trigger_began_is_an_orphan(
    deployment: Deployment, request: pytest.FixtureRequest
) -> None:
    neighbour = TaskRun(deployment, "sync_endless")
    request.getfixturevalue("stalled_triggerer")
    run = TaskRun(deployment, "deferred_endless")
    run.wait_for("deferred")
    job_id = run.job_id()
    other = neighbour.job_id()
    run.mark("failed")
    status, found = orphans(deployment)
    assert status == 1
    mine = [row for row in found if row["job_id"] == job_id]
    assert [row["why"] for row in mine] == ["the task instance is failed"]
    assert other not in {row["job_id"] for row in found}
    assert run.job(job_id) == {"state": "active", "reason": None}
    status, ended = orphans(deployment, "batchad_default", "--terminate")
    assert status == 0
    assert [row["terminated"] for row in ended if row["job_id"] == job_id] == [True]
    user = getpass.getuser()
    run.wait_for_reason(
        job_id, f"Airflow: the task instance is failed; ended by {user} with 'airflow batchad orphans'."
    )
    assert neighbour.job(other) == {"state": "active", "reason": None}
    neighbour.mark("failed")
    neighbour.wait_for_reason(other, "Airflow: the task was set to failed.")


@pytest.mark.parametrize("mode", ["sync", "deferred"])
def test_a_job_ends_when_its_task_ran_out_of_time(short: dict[str, TaskRun], mode: str) -> None:
    run = short[mode]
    run.wait_for("failed")
    job_id = run.job_id()
    run.wait_for_reason(job_id, OUT_OF_TIME)
