from __future__ import annotations

import dataclasses
import logging
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_batchad.errors import JobFailed
from airflow_provider_batchad.jobs.outcome import JobOutcome, TaskFailure
from airflow_provider_batchad.jobs.submission import Submitted
from airflow_provider_batchad.jobs.timing import Timing
from airflow_provider_batchad.jobs.verdict import Policy, Verdict
from airflow_provider_batchad.operators.report import log_outcome, log_submission, raise_verdict

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
        TaskFailure(
            task_id=f"t{n}",
            exit_code=exit_code,
            reason=reason,
            code="FailureExitCode",
            node_id="tvm-1",
            stderr_tail=stderr,
        )
        for n in range(count)
    )


def outcome(**changes: Any) -> JobOutcome:
    return dataclasses.replace(SUCCESS, **changes)


def judge(ended: JobOutcome, **policy: Any) -> None:
    policy_ = Policy(**policy)
    raise_verdict(policy_.judge(ended), ended, policy_)


def test_a_success_raises_nothing() -> None:
    judge(SUCCESS)
    judge(outcome(failures=failures(2)), max_failed_tasks=2)


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
        (
            outcome(missing=("t1",), terminate_reason="a"),
            "1 of 20 task(s) are not in it: it was ended (a) before they were added, or they were deleted.",
        ),
        (outcome(state="gone"), "it is no longer there: somebody deleted it."),
        (outcome(state="active"), "it is in state 'active', though its end was reported."),
    ],
)
def test_how_it_ended_is_said_with_the_first_failing_tasks(ended: JobOutcome, said: str) -> None:
    with pytest.raises(JobFailed) as caught:
        judge(ended)
    advice = " Read the end of its stderr." if ended.failures else ""
    assert str(caught.value) == f"Batch job 'etl-1' did not succeed: {said}{advice}"
    assert caught.value.job_id == "etl-1"
    assert caught.value.failed_task_ids == tuple(failure.task_id for failure in ended.failures)
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("etag", "attached", "said"),
    [
        ("0x1", False, "Submitted Batch job etl-1 with 20 task(s): https://portal"),
        ("0x1", True, "Attached to Batch job etl-1 with 20 task(s): https://portal"),
        (None, True, "Attached to Batch job etl-1 with 20 task(s): https://portal"),
        (None, False, "Batch job etl-1 was ended while its 20 task(s) were added: https://portal"),
    ],
)
def test_a_job_that_somebody_ended_meanwhile_is_not_called_submitted(
    caplog: pytest.LogCaptureFixture, etag: str | None, attached: bool, said: str
) -> None:
    done = Submitted(job_id="etl-1", etag=etag, attached=attached)
    with caplog.at_level("INFO"):
        log_submission(LOG, done, tasks=20, url="https://portal")
    assert caplog.messages == [said]


@pytest.mark.parametrize(
    ("code", "exit_code", "said"),
    [
        ("BlobNotFound", None, "t0 (BlobNotFound, no exit code)"),
        ("FileUploadContainerNotFound", 0, "t0 (FileUploadContainerNotFound, exit code 0)"),
        ("SomethingNew", None, "t0 (SomethingNew, no exit code)"),
        (None, 3, "t0 (exit code 3)"),
    ],
)
def test_what_went_wrong_before_or_after_the_program_is_said_by_its_code(
    code: str | None, exit_code: int | None, said: str
) -> None:
    failed = dataclasses.replace(failures(1, exit_code=exit_code)[0], code=code)
    with pytest.raises(JobFailed) as caught:
        judge(outcome(failures=(failed,)))
    assert f"1 of 20 task(s) failed: {said}." in str(caught.value)


def test_a_success_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOG.name):
        log_outcome(LOG, SUCCESS)
    assert caplog.messages == [
        "Batch job etl-1 is completed: 20 of 20 task(s) succeeded, 0 failed, 0 not done; 4 retries."
    ]


def test_several_causes_are_explained_in_the_log_and_not_in_the_error() -> None:
    mixed = (*failures(1), dataclasses.replace(failures(1)[0], code="BlobNotFound"))
    with pytest.raises(JobFailed) as caught:
        judge(outcome(failures=mixed))
    assert caught.value.remedy is None


def test_failures_that_mean_skip_skip() -> None:
    with pytest.raises(AirflowSkipException, match="skip_on_exit_code"):
        judge(outcome(failures=failures(2, exit_code=99)), skip_on_exit_code=frozenset({99}))


def test_a_failure_that_means_do_not_retry_is_not_retried() -> None:
    mixed = (*failures(1, exit_code=99), *failures(1, exit_code=64))
    with pytest.raises(AirflowFailException, match="fail_on_exit_code"):
        judge(outcome(failures=mixed), skip_on_exit_code=frozenset({99}), fail_on_exit_code=frozenset({64}))


@pytest.mark.parametrize("reason", ["gone", "unfinished", "none"])
def test_more_than_failing_tasks_is_no_reason_to_skip(reason: str) -> None:
    changes: dict[str, Any] = {
        "gone": {"state": "gone", "missing": ("t1",)},
        "unfinished": {"unfinished": ("t9",)},
        "none": {"failures": failures(1, exit_code=None)},
    }[reason]
    ended = outcome(**{"failures": failures(1, exit_code=99)} | changes)
    assert Policy(skip_on_exit_code=frozenset({99})).judge(ended) is Verdict.FAILED


def test_a_success_is_one_line_of_counts_and_one_of_times(caplog: pytest.LogCaptureFixture) -> None:
    timing = Timing(waited_seconds=1.25, ran_seconds=9.0, task_seconds=17.5, slowest=(("t3", 8.5),))
    with caplog.at_level(logging.INFO, LOG.name):
        log_outcome(LOG, outcome(timing=timing))
    (said,) = caplog.messages[1:]
    assert said.startswith("It waited 1.2 s for its first task to start and ran 9.0 s; ")
    assert said.endswith("its tasks ran 17.5 s together. Slowest: t3 (8.5 s).")


def test_the_log_has_a_table_of_the_first_failures_and_the_ends_of_their_logs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = dataclasses.replace(
        failures(1, stderr="Traceback\nValueError: no\n\n")[0], stdout_tail="step 1\n"
    )
    shown = (first, *failures(12)[1:])
    with caplog.at_level(logging.INFO, LOG.name):
        log_outcome(LOG, outcome(failures=shown, succeeded_tasks=8))
    table, advice, *ends = caplog.messages[1:]
    assert table.startswith("Failed Batch tasks (2 more are not shown):\n")
    rows = [line.split() for line in table.splitlines()]
    assert ["t0", "3", "tvm-1", "FailureExitCode:", "The", "task", "exited"] in rows
    assert not any(row[:1] == ["t10"] for row in rows)
    assert advice.startswith("FailureExitCode: The program ended with an exit code other than 0.")
    assert ends[:2] == [
        "End of stderr of Batch task t0:\nTraceback\nValueError: no",
        "End of stdout of Batch task t0:\nstep 1",
    ]
    assert "Batch task t1 left no stderr that can be read." in ends


def test_what_a_task_wrote_is_no_markup_of_the_table(caplog: pytest.LogCaptureFixture) -> None:
    odd = dataclasses.replace(failures(1)[0], reason="[bold]x[/nope] of [link=http://a]")
    with caplog.at_level(logging.INFO, LOG.name):
        log_outcome(LOG, outcome(failures=(odd,)))
    assert "[bold]x[/nope] of [link=http://a]" in caplog.text


def test_tasks_that_are_not_done_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOG.name):
        log_outcome(LOG, outcome(succeeded_tasks=17, unfinished=("t5", "t6"), missing=("t7",)))
    assert "17 of 20 task(s) succeeded, 0 failed, 3 not done" in caplog.text
