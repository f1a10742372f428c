"""What the task's log says about a job that ended, and which error comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.errors import JobFailed
from airflow_provider_batchad.jobs.outcome import Ending

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.outcome import JobOutcome, TaskFailure

_SHOWN = 10
_REASONS = {
    Ending.TASKS_FAILED: "{failed} of {submitted} task(s) failed: {failures}{ended_early}.",
    Ending.TASKS_UNFINISHED: "it was ended ({reason}) before {unfinished} of {submitted} task(s) were done"
    "{failed_too}.",
    Ending.TASKS_MISSING: "{missing} of {submitted} task(s) are not in it: deleted, or never submitted.",
    Ending.TIME_LIMIT: "its maxWallClockTime ended it with {unfinished} of {submitted} task(s) not done"
    "{failed_too}.",
    Ending.GONE: "it is no longer there: somebody deleted it.",
    Ending.RUNNING: "it is in state {state!r}, though its end was reported.",
}


def log_outcome(log: Any, outcome: JobOutcome) -> None:
    """One line of counts; then each of the first failures with the end of its stderr."""
    log.info(
        "Batch job %s is %s: %d of %d task(s) succeeded, %d failed, %d not done; %d retries.",
        outcome.job_id,
        outcome.state,
        outcome.succeeded_tasks,
        outcome.submitted,
        len(outcome.failures),
        len(outcome.unfinished) + len(outcome.missing),
        outcome.retries,
    )
    for failure in outcome.failures[:_SHOWN]:
        log.error("Batch task %s: %s. %s", failure.task_id, _exit(failure), failure.reason)
        if failure.stderr_tail:
            log.error("End of stderr of Batch task %s:\n%s", failure.task_id, failure.stderr_tail.rstrip())
        else:
            log.warning("Batch task %s left no stderr that can be read.", failure.task_id)
    if len(outcome.failures) > _SHOWN:
        log.error("%d more Batch tasks failed.", len(outcome.failures) - _SHOWN)


def check_outcome(outcome: JobOutcome, max_failed_tasks: int) -> None:
    """Nothing for a success.

    :raises JobFailed: says how it ended, with the first failing tasks and their exit codes.
    """
    ending = outcome.ending(max_failed_tasks)
    if ending is Ending.SUCCEEDED:
        return
    shown = [f"{failure.task_id} ({_exit(failure)})" for failure in outcome.failures[:_SHOWN]]
    more = len(outcome.failures) - len(shown)
    failures = ", ".join(shown) + (f" and {more} more" if more else "")
    by_itself = (outcome.terminate_reason or "AllTasksComplete").casefold() == "alltaskscomplete"
    reason = _REASONS[ending].format(
        failed=len(outcome.failures),
        submitted=outcome.submitted,
        failures=failures,
        failed_too=f", and {len(outcome.failures)} failed: {failures}" if failures else "",
        ended_early="" if by_itself else f"; the job was ended: {outcome.terminate_reason}",
        unfinished=len(outcome.unfinished),
        missing=len(outcome.missing),
        reason=outcome.terminate_reason or "no reason given",
        state=outcome.state,
    )
    raise JobFailed(
        f"Batch job {outcome.job_id!r} did not succeed: {reason}",
        job_id=outcome.job_id,
        failed_task_ids=tuple(failure.task_id for failure in outcome.failures),
    )


def _exit(failure: TaskFailure) -> str:
    return "no exit code" if failure.exit_code is None else f"exit code {failure.exit_code}"
