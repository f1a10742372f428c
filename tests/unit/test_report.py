from __future__ import annotations

import dataclasses
import logging
from typing import Any

import pytest

from airflow_provider_batchad.errors import JobFailed
from airflow_provider_batchad.jobs.outcome import JobOutcome, TaskFailure
from airflow_provider_batchad.operators.report import check_outcome, log_outcome

LOG = logging.getLogger("test_report")
SUCCESS = JobOutcome(
    job_id="etl-1",
    state="completed",
    terminate_reason="AllTasksComplete",
    started=None,
    ended=None,
    submitted=20,
    succeeded_tasks=20,
    failures=(),
    unfinished=(),
    missing=(),
    retries=4,
    exit_codes={"0": 20},
)


def failures(count: int, exit_code: int | None = 3, stderr: str = "") -> tuple[TaskFailure, ...]:
    reason = "FailureExitCode: The task exited"
    return tuple(
        TaskFailure(task_id=f"t{n}", exit_code=exit_code, reason=reason, stderr_tail=stderr)
        for n in range(count)
    )


def outcome(**changes: Any) -> JobOutcome:
    return dataclasses.replace(SUCCESS, **changes)


def test_a_success_raises_nothing() -> None:
    check_outcome(SUCCESS, max_failed_tasks=0)
    check_outcome(outcome(failures=failures(2)), max_failed_tasks=2)


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (
            outcome(failures=failures(2)),
            "2 of 20 task(s) failed: t0 (exit code 3), t1 (exit code 3).",
        ),
        (
            outcome(failures=failures(1, exit_code=None), terminate_reason="UserTerminate"),
            "1 of 20 task(s) failed: t0 (no exit code); the job was ended: UserTerminate.",
        ),
        (
            outcome(failures=failures(12)),
            ", ".join(
                ["12 of 20 task(s) failed: t0 (exit code 3)"] + [f"t{n} (exit code 3)" for n in range(1, 10)]
            )
            + " and 2 more.",
        ),
        (
            outcome(unfinished=("t5",), terminate_reason="UserTerminate"),
            "it was ended (UserTerminate) before 1 of 20 task(s) were done.",
        ),
        (
            outcome(unfinished=("t5",), terminate_reason=None),
            "it was ended (no reason given) before 1 of 20 task(s) were done.",
        ),
        (
            outcome(unfinished=("t5", "t6"), failures=failures(1), terminate_reason="TaskFailed"),
            "it was ended (TaskFailed) before 2 of 20 task(s) were done, and 1 failed: t0 (exit code 3).",
        ),
        (
            outcome(unfinished=("t5",), terminate_reason="MaxWallClockTimeExpiry"),
            "its maxWallClockTime ended it with 1 of 20 task(s) not done.",
        ),
        (
            outcome(failures=failures(1, exit_code=None), terminate_reason="MaxWallClockTimeExpiry"),
            "its maxWallClockTime ended it with 0 of 20 task(s) not done, and 1 failed: t0 (no exit code).",
        ),
        (outcome(missing=("t1",)), "1 of 20 task(s) are not in it: deleted, or never submitted."),
        (outcome(state="gone"), "it is no longer there: somebody deleted it."),
        (outcome(state="active"), "it is in state 'active', though its end was reported."),
    ],
)
def test_how_it_ended_is_said_with_the_first_failing_tasks(ended: JobOutcome, said: str) -> None:
    with pytest.raises(JobFailed) as caught:
        check_outcome(ended, max_failed_tasks=0)
    assert str(caught.value) == f"Batch job 'etl-1' did not succeed: {said}"
    assert caught.value.job_id == "etl-1"
    assert caught.value.failed_task_ids == tuple(failure.task_id for failure in ended.failures)
    assert caught.value.retryable


def test_a_success_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOG.name):
        log_outcome(LOG, SUCCESS)
    assert caplog.messages == [
        "Batch job etl-1 is completed: 20 of 20 task(s) succeeded, 0 failed, 0 not done; 4 retries."
    ]


def test_the_log_has_each_of_the_first_failures_with_the_end_of_its_stderr(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shown = failures(1, stderr="Traceback\nValueError: no\n\n") + failures(12)[1:]
    with caplog.at_level(logging.INFO, LOG.name):
        log_outcome(LOG, outcome(failures=shown, succeeded_tasks=8))
    assert caplog.messages[1:4] == [
        "Batch task t0: exit code 3. FailureExitCode: The task exited",
        "End of stderr of Batch task t0:\nTraceback\nValueError: no",
        "Batch task t1: exit code 3. FailureExitCode: The task exited",
    ]
    assert "Batch task t1 left no stderr that can be read." in caplog.messages
    assert caplog.messages[-1] == "2 more Batch tasks failed."
    assert not any("task t10:" in message for message in caplog.messages)


def test_tasks_that_are_not_done_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOG.name):
        log_outcome(LOG, outcome(succeeded_tasks=17, unfinished=("t5", "t6"), missing=("t7",)))
    assert "17 of 20 task(s) succeeded, 0 failed, 3 not done" in caplog.text
