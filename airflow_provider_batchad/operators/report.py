"""What the task's log says about a job that ended, and which error comes of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_batchad.errors import JobFailed
from airflow_provider_batchad.jobs.failure_codes import meaning_of
from airflow_provider_batchad.jobs.outcome import BLOCKED_REASON, Ending
from airflow_provider_batchad.jobs.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_batchad.jobs.outcome import JobOutcome, TaskFailure
    from airflow_provider_batchad.jobs.submission import Submitted
    from airflow_provider_batchad.jobs.verdict import Policy

SHOWN = 10
_WIDTH = 160
_OWN_END = "FailureExitCode"
_REASONS = {
    Ending.TASKS_FAILED: "{failed} of {submitted} task(s) failed: {failures}{ended_early}.",
    Ending.TASKS_UNFINISHED: "it was ended ({reason}) before {unfinished} of {submitted} task(s) were done"
    "{failed_too}.",
    Ending.BLOCKED: "it could not go on, and was ended: {reason}{failed_too}.",
    Ending.TASKS_MISSING: "{missing} of {submitted} task(s) are not in it: {why_missing}.",
    Ending.TIME_LIMIT: "its maxWallClockTime ended it with {unfinished} of {submitted} task(s) not done"
    "{failed_too}.",
    Ending.GONE: "it is no longer there: somebody deleted it.",
    Ending.RUNNING: "it is in state {state!r}, though its end was reported.",
}


def log_submission(log: Any, done: Submitted, *, tasks: int, url: str) -> None:
    """What was submitted, or attached to, and what became of jobs of before."""
    for job_id in done.superseded:
        log.info("Terminated Batch job %s of before the task was cleared.", job_id)
    number = tasks - len(done.kept) - len(done.rejected)
    if done.attached or done.etag is not None:
        doing = "Attached to" if done.attached else "Submitted"
        log.info("%s Batch job %s with %d task(s): %s", doing, done.job_id, number, url)
    else:
        log.warning("Batch job %s was ended while its %d task(s) were added: %s", done.job_id, number, url)
    if done.kept:
        jobs = ", ".join(dict.fromkeys(done.kept.values()))
        log.info("%d more task(s) succeeded in %s and are not run again.", len(done.kept), jobs)
    if done.rejected:
        shown = "; ".join(f"{task_id}: {why}" for task_id, why in list(done.rejected.items())[:SHOWN])
        more = f" and {len(done.rejected) - SHOWN} more" if len(done.rejected) > SHOWN else ""
        log.error("Batch refused %d task(s); the others run: %s%s.", len(done.rejected), shown, more)
    if done.specification_changed:
        log.warning(
            "Batch job %s was submitted by an earlier try with other arguments than this try has; it "
            "runs with those.",
            done.job_id,
        )


def log_outcome(log: Any, outcome: JobOutcome) -> None:
    """The counts; then the first failures as a table, what to do about them, and the ends of their logs."""
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
    if outcome.kept:
        log.info("%d of them succeeded in jobs of earlier tries.", len(outcome.kept))
    _log_timing(log, outcome)
    shown = outcome.failures[:SHOWN]
    if not shown:
        return
    more = len(outcome.failures) - len(shown)
    log.error("Failed Batch tasks%s:\n%s", f" ({more} more are not shown)" if more else "", _table(shown))
    for code in dict.fromkeys(failure.code for failure in shown):
        meaning = meaning_of(code)
        if meaning is not None:
            log.error("%s: %s %s", code, meaning.what, meaning.advice)
    for failure in shown:
        _log_ends(log, failure)


def _log_timing(log: Any, outcome: JobOutcome) -> None:
    timing = outcome.timing
    if timing.waited_seconds is None or timing.ran_seconds is None:
        return
    slowest = ", ".join(f"{task_id} ({seconds:.1f} s)" for task_id, seconds in timing.slowest)
    log.info(
        "It waited %.1f s for its first task to start and ran %.1f s; its tasks ran %.1f s together. "
        "Slowest: %s.",
        timing.waited_seconds,
        timing.ran_seconds,
        timing.task_seconds,
        slowest,
    )


def _log_ends(log: Any, failure: TaskFailure) -> None:
    if failure.stderr_tail:
        log.error("End of stderr of Batch task %s:\n%s", failure.task_id, failure.stderr_tail.rstrip())
    else:
        log.warning("Batch task %s left no stderr that can be read.", failure.task_id)
    if failure.stdout_tail:
        log.info("End of stdout of Batch task %s:\n%s", failure.task_id, failure.stdout_tail.rstrip())


def _table(failures: Sequence[TaskFailure]) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("Batch task", "exit code", "node", "reason", box=box.SIMPLE, pad_edge=False)
    for failure in failures:
        code = "none" if failure.exit_code is None else str(failure.exit_code)
        # As text: what a task wrote is no markup.
        table.add_row(
            *(Text(cell) for cell in (failure.task_id, code, failure.node_id or "", failure.reason))
        )
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None, force_terminal=False)
    console.print(table)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]  # it is the StringIO above
    return "\n".join(line.rstrip() for line in lines if line.strip())


def raise_verdict(verdict: Verdict, outcome: JobOutcome, policy: Policy) -> None:
    """Nothing for a success.

    :raises JobFailed: says how it ended, with the first failing tasks and their exit codes.
    :raises AirflowSkipException: every failing task ended with an exit code that means *skip*.
    :raises AirflowFailException: one ended with an exit code that means *do not retry*.
    """
    if verdict is Verdict.SUCCEEDED:
        return
    message = f"Batch job {outcome.job_id!r} did not succeed: {_reason(outcome, policy.max_failed_tasks)}"
    match verdict:
        case Verdict.SKIPPED:
            raise AirflowSkipException(f"{message} Each exit code is one of skip_on_exit_code.")
        case Verdict.FAILED_FOR_GOOD:
            raise AirflowFailException(f"{message} It is not tried again: fail_on_exit_code.")
        case Verdict.FAILED:
            raise JobFailed(
                message,
                job_id=outcome.job_id,
                failed_task_ids=tuple(failure.task_id for failure in outcome.failures),
                remedy=_remedy(outcome),
            )


def _reason(outcome: JobOutcome, max_failed_tasks: int) -> str:
    shown = [f"{failure.task_id} ({_exit(failure)})" for failure in outcome.failures[:SHOWN]]
    more = len(outcome.failures) - len(shown)
    failures = ", ".join(shown) + (f" and {more} more" if more else "")
    by_itself = (outcome.terminate_reason or "AllTasksComplete").casefold() == "alltaskscomplete"
    return _REASONS[outcome.ending(max_failed_tasks)].format(
        failed=len(outcome.failures),
        submitted=outcome.submitted,
        failures=failures,
        failed_too=f", and {len(outcome.failures)} failed: {failures}" if failures else "",
        ended_early="" if by_itself else f"; the job was ended: {outcome.terminate_reason}",
        unfinished=len(outcome.unfinished),
        missing=len(outcome.missing),
        why_missing="deleted, or never submitted"
        if by_itself
        else f"it was ended ({outcome.terminate_reason}) before they were added, or they were deleted",
        reason=(outcome.terminate_reason or "no reason given").removeprefix(BLOCKED_REASON).rstrip("."),
        state=outcome.state,
    )


def _remedy(outcome: JobOutcome) -> str | None:
    meanings = {code: meaning_of(code) for code in (failure.code for failure in outcome.failures)}
    meaning = next(iter(meanings.values()), None)
    # One sentence for one cause; where there are several, the log has them one by one.
    return meaning.advice if meaning is not None and len(meanings) == 1 else None


def _exit(failure: TaskFailure) -> str:
    code = "no exit code" if failure.exit_code is None else f"exit code {failure.exit_code}"
    # A file that could not be fetched or uploaded, a program that is not there: not the program's own end.
    by_itself = (failure.code or _OWN_END).casefold() == _OWN_END.casefold()
    return code if by_itself else f"{failure.code}, {code}"
