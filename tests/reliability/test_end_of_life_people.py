"""What a person, or a timeout of the DAG run, ends: the job ends within half a minute, and no other does."""

from __future__ import annotations

import pytest

from airflow_provider_batchad.local.faults import FaultRule
from tests.airflow.dags.end_of_life import RUN_SECONDS
from tests.airflow.task_runs import TRIGGERS_ARE_TOLD, TaskRun, eventually
from tests.reliability.end_of_life_airflow import Parts

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1200)]

NOT_TOLD = "Airflow 3.2 tells a trigger nothing of a person's action or a timeout of its DAG run"


@pytest.mark.parametrize(
    "mode",
    ["sync", pytest.param("deferred", marks=pytest.mark.skipif(not TRIGGERS_ARE_TOLD, reason=NOT_TOLD))],
)
def test_a_job_ends_when_its_dag_run_ran_out_of_time(parts: Parts, mode: str) -> None:
    neighbour = TaskRun(parts, f"{mode}_endless")
    run = TaskRun(parts, f"{mode}_short_run")
    job_id = run.job_id()
    run.wait_for("skipped", seconds=RUN_SECONDS + 180)
    run.wait_for_reason(job_id, "Airflow: the task was set to skipped.")
    other = neighbour.job_id()
    assert neighbour.job(other) == {"state": "active", "reason": None}
    neighbour.mark("success")


def test_a_clear_on_a_worker_ends_the_job_of_before(parts: Parts) -> None:
    run = TaskRun(parts, "sync_endless")
    first = run.job_id()
    run.clear()
    run.wait_for_reason(first, "Airflow: the task was set to restarting.")
    second = run.job_id(other_than=first)
    assert run.job(second) == {"state": "active", "reason": None}
    run.mark("failed")
    run.wait_for_reason(second, "Airflow: the task was set to failed.")


@pytest.mark.skipif(not TRIGGERS_ARE_TOLD, reason=NOT_TOLD)
def test_a_clear_while_the_job_is_being_ended_leaves_the_new_job_alone(parts: Parts) -> None:
    run = TaskRun(parts, "deferred_endless")
    first = run.job_id()
    run.wait_until_watched(first)
    ledger, faults = parts.azure.ledger, parts.azure.faults
    before = ledger.last_sequence
    rule = faults.add(FaultRule(service="batch", operation="Terminate Job", hold=True, times=1))
    try:
        run.mark("failed")
        eventually(lambda: faults.held(rule.id), 60, "the trigger asks for its end")
        run.clear()
        second = run.job_id(other_than=first)
    finally:
        faults.remove(rule.id)
    asked = eventually(
        lambda: ledger.entries(operation="Terminate Job", after=before)[1:], 60, "both have been answered"
    )
    assert all(first in entry.path for entry in asked)
    assert run.job(first)["state"] == "completed"
    assert run.job(second) == {"state": "active", "reason": None}
    run.wait_until_watched(second, number=run.instance()["try_number"])
    run.mark("failed")
    run.wait_for_reason(second, "Airflow: the task was set to failed.")
