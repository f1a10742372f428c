from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_batchad.errors import Conflict
from airflow_provider_batchad.jobs.blocked import why_blocked
from airflow_provider_batchad.jobs.exits import satisfies
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run

BLOCK = {"exitOptions": {"dependencyAction": "block"}}
SATISFY = {"exitOptions": {"dependencyAction": "Satisfy"}}


def task(
    task_id: str, state: str = "active", *depends: str, code: int | None = None, **more: Any
) -> dict[str, Any]:
    execution: dict[str, Any] = {}
    if state == "completed":
        execution = {"result": "success" if code == 0 else "failure"}
        if code is not None:
            execution["exitCode"] = code
        if code != 0:
            execution["failureInfo"] = {"code": "FailureExitCode"}
    depends_on = {"taskIds": list(depends)} if depends else {}
    return {"id": task_id, "state": state, "executionInfo": execution, "dependsOn": depends_on, **more}


class Job:
    def __init__(self, *tasks: dict[str, Any], preparations: list[dict[str, Any]] | None = None) -> None:
        self.tasks = tasks
        self.preparations = preparations
        self.operations: list[str] = []

    def send(self, request: BatchRequest) -> BatchResponse:
        self.operations.append(request.operation)
        if request.operation == "Get Job Task Counts":
            states = [one["state"] for one in self.tasks]
            body: Any = {
                "taskCounts": {name: states.count(name) for name in ("active", "running", "completed")}
            }
        elif request.operation == "List Tasks":
            body = {"value": list(self.tasks)}
        elif self.preparations is None:
            raise Conflict("", operation="", status=409, code="JobPreparationTaskNotSpecified")
        else:
            body = {"value": [{"jobPreparationTaskExecutionInfo": one} for one in self.preparations]}
        return BatchResponse(status=200, content=json.dumps(body).encode())

    def reason(self) -> str | None:
        return run(why_blocked("j"), self.send, lambda _: None)


def test_a_job_of_which_a_task_runs_is_asked_for_its_counts_alone() -> None:
    job = Job(task("a", "running"), task("b", "active", "a"))
    assert job.reason() is None
    assert job.operations == ["Get Job Task Counts"]


def test_a_task_whose_parent_failed_waits_for_ever_and_so_do_those_behind_it() -> None:
    job = Job(task("A", "completed", code=3), task("b", "active", "a"), task("c", "active", "B"))
    assert job.reason() == "2 task(s) wait for ever for tasks that failed or are not there: b for A, c for b."


def test_a_task_whose_parent_is_not_there_waits_for_ever() -> None:
    assert "b for gone" in (Job(task("b", "active", "gone")).reason() or "")


def test_a_range_waits_for_each_of_its_numbers() -> None:
    spanned = task("m", dependsOn={"taskIdRanges": [{"start": 1, "end": 3}]})
    done = [task(name, "completed", code=0) for name in ("1", "002", "3")]
    assert Job(*done, spanned).reason() is None
    assert "m for 3" in (Job(*done[:2], spanned).reason() or "")
    failed = [*done[:2], task("3", "completed", code=1)]
    assert "m for 3" in (Job(*failed, spanned).reason() or "")


def test_one_task_that_can_start_keeps_the_job_going() -> None:
    assert Job(task("a", "completed", code=3), task("b", "active", "a"), task("c")).reason() is None


@pytest.mark.parametrize("state", ["preparing", "running"])
def test_a_task_that_began_after_the_counts_were_taken_keeps_the_job_going(state: str) -> None:
    job = Job(task("a", "completed", code=3), task("b", "active", "a"), task("c", state))
    job.send = lambda request, send=job.send: (  # type: ignore[method-assign]
        BatchResponse(status=200, content=b'{"taskCounts": {"active": 1, "running": 0}}')
        if request.operation == "Get Job Task Counts"
        else send(request)
    )
    assert job.reason() is None


@pytest.mark.parametrize(
    ("runs", "blocked"),
    [
        ([], False),
        ([{"state": "running"}], False),
        ([{"state": "completed", "result": "failure", "exitCode": 5}], True),
        ([{"state": "completed", "result": "failure"}, {"state": "completed", "result": "Success"}], False),
        ([{"state": "completed", "result": "failure"}, {"state": "running"}], False),
    ],
)
def test_a_preparation_that_failed_wherever_it_ran_blocks_the_job(runs: Any, blocked: bool) -> None:
    reason = Job(task("a"), preparations=runs).reason()
    assert (reason is not None) is blocked
    if blocked:
        assert reason == "The job preparation task failed on all 1 node(s) that ran it (exit codes: 5)."


@pytest.mark.parametrize(
    ("conditions", "execution", "satisfied"),
    [
        (None, {"exitCode": 0, "result": "success"}, True),
        (None, {"exitCode": 1, "result": "failure"}, False),
        ({"default": SATISFY["exitOptions"]}, {"exitCode": 1, "result": "failure"}, True),
        ({"default": BLOCK["exitOptions"]}, {"exitCode": 0, "result": "success"}, True),
        ({"exitCodes": [{"code": 2, **SATISFY}]}, {"exitCode": 2, "result": "failure"}, True),
        ({"exitCodes": [{"code": 0, **BLOCK}]}, {"exitCode": 0, "result": "success"}, False),
        ({"exitCodeRanges": [{"start": 2, "end": 4, **SATISFY}]}, {"exitCode": 3, "result": "failure"}, True),
        (
            {"exitCodeRanges": [{"start": 2, "end": 4, **SATISFY}]},
            {"exitCode": 5, "result": "failure"},
            False,
        ),
        (
            {"exitCodes": [{"code": 2, **BLOCK}], "exitCodeRanges": [{"start": 1, "end": 9, **SATISFY}]},
            {"exitCode": 2, "result": "failure"},
            False,
        ),
        (
            {"preProcessingError": SATISFY["exitOptions"]},
            {"result": "failure", "failureInfo": {"code": "BlobNotFound"}},
            True,
        ),
        (
            {"fileUploadError": SATISFY["exitOptions"]},
            {"exitCode": 0, "result": "failure", "failureInfo": {"code": "FileUploadMiscError"}},
            True,
        ),
        (
            {"exitCodes": [{"code": 0, **BLOCK}], "fileUploadError": SATISFY["exitOptions"]},
            {"exitCode": 0, "result": "failure", "failureInfo": {"code": "FileUploadMiscError"}},
            False,
        ),
    ],
)
def test_exit_conditions_say_whether_dependants_start(
    conditions: Any, execution: dict[str, Any], satisfied: bool
) -> None:
    one = {"executionInfo": execution, **({"exitConditions": conditions} if conditions else {})}
    assert satisfies(one) is satisfied
