from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_batchad.errors import ServiceUnavailable, Unreachable
from airflow_provider_batchad.jobs.outcome import (
    Ending,
    JobOutcome,
    TaskFailure,
    read_outcome,
)
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run
from tests.unit.batch_model import BatchModel
from tests.unit.tries import PREFIX, plan_of, spec_of, submit_to

JOB_ID = f"{PREFIX}3-1"


@pytest.fixture
def model() -> BatchModel:
    return BatchModel()


def read(model: BatchModel, count: int) -> JobOutcome:
    return run(read_outcome(JOB_ID, spec_of(count).task_ids), model.send, lambda _: None)


def finish(model: BatchModel, count: int = 3, **exit_codes: int) -> JobOutcome:
    model.exit_codes = exit_codes
    submit_to(model, plan_of(), spec_of(count))
    model.settle()
    return read(model, count)


def test_a_job_whose_tasks_all_succeeded_succeeded(model: BatchModel) -> None:
    outcome = finish(model)
    assert outcome.ending() is Ending.SUCCEEDED
    assert outcome.succeeded()
    assert outcome.summary() == {
        "job_id": JOB_ID,
        "tasks": 3,
        "succeeded": 3,
        "failed": 0,
        "failed_task_ids": [],
        "exit_codes": {"0": 3},
        "retries": 0,
        "terminate_reason": "AllTasksComplete",
        "start_time": None,
        "end_time": model.now.isoformat(),
        "succeeded_in_earlier_jobs": 0,
        "waited_seconds": None,
        "ran_seconds": None,
        "task_seconds": 0.0,
        "slowest_tasks": {},
    }


def test_failures_come_in_the_order_of_the_tasks(model: BatchModel) -> None:
    outcome = finish(model, 12, t11=3, t2=4)
    assert [(failure.task_id, failure.exit_code) for failure in outcome.failures] == [("t2", 4), ("t11", 3)]
    assert outcome.ending() is Ending.TASKS_FAILED
    assert outcome.ending(max_failed_tasks=1) is Ending.TASKS_FAILED
    assert outcome.ending(max_failed_tasks=2) is Ending.SUCCEEDED
    assert outcome.exit_codes == {"0": 10, "3": 1, "4": 1}


def test_all_pages_of_tasks_are_read(model: BatchModel) -> None:
    outcome = finish(model, 2500, t2499=1)
    assert (outcome.submitted, outcome.succeeded_tasks) == (2500, 2499)
    assert model.operations.count("List Tasks") == 3


def test_a_neighbours_task_is_not_looked_at(model: BatchModel) -> None:
    submit_to(model, plan_of(), spec_of(3))
    model.exit_codes = {"t2": 1}
    model.settle()
    assert read(model, 2).succeeded()


def test_a_task_that_somebody_deleted_is_missing(model: BatchModel) -> None:
    finish(model)
    del model.jobs[JOB_ID].tasks["t1"]
    outcome = read(model, 3)
    assert outcome.missing == ("t1",)
    assert outcome.ending(max_failed_tasks=9) is Ending.TASKS_MISSING


def test_an_empty_job_did_not_succeed(model: BatchModel) -> None:
    finish(model)
    model.jobs[JOB_ID].tasks.clear()
    assert read(model, 3).ending() is Ending.TASKS_MISSING


@pytest.mark.parametrize("lost", ["Get Job", "List Tasks"])
def test_a_job_that_somebody_deleted_is_gone(model: BatchModel, lost: str) -> None:
    finish(model)

    def send(request: BatchRequest) -> BatchResponse:
        if request.operation == lost:
            model.jobs.clear()
        return model.send(request)

    outcome = run(read_outcome(JOB_ID, ("t0", "t1")), send, lambda _: None)
    assert outcome.ending(max_failed_tasks=9) is Ending.GONE
    assert outcome.missing == ("t0", "t1")
    assert outcome.succeeded_tasks == 0


@pytest.mark.parametrize("state", ["active", "terminating", "disabled"])
def test_a_job_that_is_not_completed_has_no_verdict_yet(model: BatchModel, state: str) -> None:
    finish(model)
    model.jobs[JOB_ID].state = state
    assert read(model, 3).ending() is Ending.RUNNING


def end_early(model: BatchModel, reason: str, *, running: bool) -> JobOutcome:
    """A job that is ended while its last task waits, or runs."""
    finish(model)
    job = model.jobs[JOB_ID]
    job.execution["terminateReason"] = reason
    last = job.tasks["t2"]
    if running:
        ended = {"category": "UserError", "code": "TaskEnded", "message": "The task was ended"}
        last.execution = {"result": "failure", "failureInfo": ended, "retryCount": 0}
    else:
        last.state, last.execution = "active", {"retryCount": 0}
    return read(model, 3)


@pytest.mark.parametrize("reason", ["MaxWallClockTimeExpiry", "maxwallclocktimeexpiry"])
@pytest.mark.parametrize("running", [False, True])
def test_a_job_that_its_time_limit_ended_says_so(model: BatchModel, reason: str, running: bool) -> None:
    assert end_early(model, reason, running=running).ending() is Ending.TIME_LIMIT


def test_a_job_that_its_time_limit_ended_after_its_tasks_succeeded(model: BatchModel) -> None:
    finish(model)
    model.jobs[JOB_ID].execution["terminateReason"] = "MaxWallClockTimeExpiry"
    assert read(model, 3).succeeded()


def test_a_job_that_a_person_ended(model: BatchModel) -> None:
    waiting = end_early(model, "UserTerminate", running=False)
    assert (waiting.ending(9), waiting.unfinished) == (Ending.TASKS_UNFINISHED, ("t2",))
    assert waiting.succeeded_tasks == 2


def test_a_task_that_was_killed_has_no_exit_code(model: BatchModel) -> None:
    outcome = end_early(model, "UserTerminate", running=True)
    assert outcome.failures == (
        TaskFailure(task_id="t2", exit_code=None, reason="TaskEnded: The task was ended", code="TaskEnded"),
    )
    assert outcome.exit_codes == {"0": 2, "none": 1}


def test_states_and_results_are_compared_without_case(model: BatchModel) -> None:
    finish(model)
    model.jobs[JOB_ID].state = "Completed"
    for task in model.jobs[JOB_ID].tasks.values():
        task.state, task.execution["result"] = "Completed", "Success"
    assert read(model, 3).succeeded()


def test_the_reason_of_a_failure_has_the_services_words_and_details(model: BatchModel) -> None:
    finish(model)
    model.jobs[JOB_ID].tasks["t0"].execution = {
        "exitCode": 2,
        "result": "failure",
        "retryCount": 3,
        "failureInfo": {
            "category": "UserError",
            "code": "FailureExitCode",
            "message": "The task exited with an exit code representing a failure",
            "details": [{"name": "AdditionalErrorCode", "value": "FailureExitCode"}],
        },
    }
    outcome = read(model, 3)
    assert outcome.failures[0].reason == (
        "FailureExitCode: The task exited with an exit code representing a failure "
        "(AdditionalErrorCode: FailureExitCode)"
    )
    assert outcome.retries == 3


def test_the_summary_is_bounded_whatever_the_number_of_failures(model: BatchModel) -> None:
    outcome = finish(model, 1000, **{f"t{n}": n + 1 for n in range(1000)})
    summary = outcome.summary()
    assert summary["failed"] == 1000
    assert summary["failed_task_ids"] == [f"t{n}" for n in range(100)]
    assert len(summary["exit_codes"]) == 100
    assert len(json.dumps(summary)) < 4096


@pytest.mark.parametrize(("fault", "error"), [("before", Unreachable), ("busy", ServiceUnavailable)])
def test_an_outcome_that_cannot_be_read_is_no_outcome(model: BatchModel, fault: str, error: Any) -> None:
    finish(model)
    model.fault = lambda _: fault
    with pytest.raises(error):
        read(model, 3)
