"""How a job ended, judged by exactly the tasks that were submitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from airflow_provider_batchad.errors import BatchServiceError, NotFound, Unreachable
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.redaction import redact_signatures
from airflow_provider_batchad.jobs.rest import Steps, ask

_TASK_SELECT = "id,state,executionInfo"
_JOB_SELECT = "id,state,creationTime,executionInfo"
TAIL_BYTES = 4096


class Ending(StrEnum):
    """In what way a job ended."""

    SUCCEEDED = "succeeded"
    TASKS_FAILED = "tasks_failed"
    TASKS_UNFINISHED = "tasks_unfinished"
    TASKS_MISSING = "tasks_missing"
    TIME_LIMIT = "time_limit"
    GONE = "gone"
    RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailure:
    """A Batch task that did not succeed.

    :param exit_code: ``None`` where no process of it ran, or where it was killed from outside.
    :param reason: the service's code and message, such as ``FailureExitCode: …``.
    :param stderr_tail: the end of its ``stderr.txt``; empty where it could not be read.
    """

    task_id: str
    exit_code: int | None
    reason: str
    stderr_tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """What became of a job and of the tasks that were submitted in it.

    :param failures: in the order in which the tasks were given.
    :param unfinished: tasks that never came to an end.
    :param missing: tasks that were submitted and that the job does not hold.
    :param exit_codes: how many tasks ended with which exit code.
    """

    job_id: str
    state: str
    terminate_reason: str | None
    started: str | None
    ended: str | None
    submitted: int
    succeeded_tasks: int
    failures: tuple[TaskFailure, ...]
    unfinished: tuple[str, ...]
    missing: tuple[str, ...]
    retries: int
    exit_codes: Mapping[str, int]

    def ending(self, max_failed_tasks: int = 0) -> Ending:
        """In what way it ended, with up to ``max_failed_tasks`` failed tasks let pass."""
        if self.state == "gone":
            return Ending.GONE
        if self.state != "completed":
            return Ending.RUNNING
        if self.missing:
            return Ending.TASKS_MISSING
        if not self.unfinished and len(self.failures) <= max_failed_tasks:
            return Ending.SUCCEEDED
        # A task that runs when the time is over ends as a failure; one that waits stays unfinished.
        if (self.terminate_reason or "").casefold() == "maxwallclocktimeexpiry":
            return Ending.TIME_LIMIT
        return Ending.TASKS_UNFINISHED if self.unfinished else Ending.TASKS_FAILED

    def succeeded(self, max_failed_tasks: int = 0) -> bool:
        """Whether every submitted task is complete, and all but ``max_failed_tasks`` of them succeeded."""
        return self.ending(max_failed_tasks) is Ending.SUCCEEDED

    def summary(self) -> dict[str, Any]:
        """What goes to XCom: plain data, bounded in size whatever the number of tasks."""
        return {
            "job_id": self.job_id,
            "tasks": self.submitted,
            "succeeded": self.succeeded_tasks,
            "failed": len(self.failures),
            "failed_task_ids": [failure.task_id for failure in self.failures[:100]],
            "exit_codes": dict(Counter(self.exit_codes).most_common(100)),
            "retries": self.retries,
            "terminate_reason": self.terminate_reason,
            "start_time": self.started,
            "end_time": self.ended,
        }


def read_outcome(job_id: str, task_ids: Iterable[str]) -> Steps[JobOutcome]:
    """Read the job and its tasks, a thousand a page.

    :param task_ids: the tasks that were submitted, in their order.
    """
    wanted = tuple(task_ids)
    try:
        job = (yield from ask(requests.get_job(job_id, select=_JOB_SELECT))).json()
        tasks = yield from requests.all_pages(requests.list_tasks(job_id, select=_TASK_SELECT))
    except NotFound:
        return _gone(job_id, wanted)
    return _judge(job, {task["id"].casefold(): task for task in tasks}, wanted)


def _judge(
    job: Mapping[str, Any], tasks: Mapping[str, Mapping[str, Any]], wanted: tuple[str, ...]
) -> JobOutcome:
    failures, unfinished, missing = [], [], []
    exit_codes: Counter[str] = Counter()
    retries = 0
    for task_id in wanted:
        task = tasks.get(task_id.casefold())
        if task is None:
            missing.append(task_id)
            continue
        execution = task.get("executionInfo") or {}
        retries += int(execution.get("retryCount", 0))
        if str(task.get("state", "")).casefold() != "completed":
            unfinished.append(task_id)
            continue
        exit_codes[str(execution.get("exitCode", "none"))] += 1
        if str(execution.get("result", "")).casefold() != "success":
            failures.append(_failure(task_id, execution))
    execution = job.get("executionInfo") or {}
    return JobOutcome(
        job_id=job["id"],
        state=str(job["state"]).casefold(),
        terminate_reason=execution.get("terminateReason"),
        started=execution.get("startTime"),
        ended=execution.get("endTime"),
        submitted=len(wanted),
        succeeded_tasks=len(wanted) - len(failures) - len(unfinished) - len(missing),
        failures=tuple(failures),
        unfinished=tuple(unfinished),
        missing=tuple(missing),
        retries=retries,
        exit_codes=exit_codes,
    )


def _failure(task_id: str, execution: Mapping[str, Any]) -> TaskFailure:
    info = execution.get("failureInfo") or {}
    details = "; ".join(f"{item.get('name')}: {item.get('value')}" for item in info.get("details") or ())
    reason = ": ".join(part for part in (info.get("code"), info.get("message")) if part)
    return TaskFailure(
        task_id=task_id,
        exit_code=execution.get("exitCode"),
        reason=redact_signatures(f"{reason} ({details})" if details else reason),
    )


def _gone(job_id: str, wanted: tuple[str, ...]) -> JobOutcome:
    return JobOutcome(
        job_id=job_id,
        state="gone",
        terminate_reason=None,
        started=None,
        ended=None,
        submitted=len(wanted),
        succeeded_tasks=0,
        failures=(),
        unfinished=(),
        missing=wanted,
        retries=0,
        exit_codes={},
    )


def with_stderr(outcome: JobOutcome, *, most: int) -> Steps[JobOutcome]:
    """``outcome`` with the end of stderr of the first ``most`` failures; one that is gone is left empty."""
    failures = list(outcome.failures)
    for number, failure in enumerate(failures[:most]):
        tail = yield from read_tail(outcome.job_id, failure.task_id, "stderr.txt")
        failures[number] = replace(failure, stderr_tail=tail)
    return replace(outcome, failures=tuple(failures))


def read_tail(job_id: str, task_id: str, file_path: str, max_bytes: int = TAIL_BYTES) -> Steps[str]:
    """The last ``max_bytes`` bytes of a task's file; empty where it cannot be read now, or its node is gone.

    :raises BatchServiceError: the principal may not read it.
    """
    try:
        properties = yield from ask(requests.get_task_file_properties(job_id, task_id, file_path))
        size = int(properties.headers.get("content-length", "0"))
        if not size:
            return ""
        start = max(0, size - max_bytes)
        tail = yield from ask(
            requests.get_task_file(job_id, task_id, file_path, start=start, max_bytes=max_bytes)
        )
    except Unreachable:
        return ""
    except BatchServiceError as error:
        # The tail of a log is no verdict, and must not stand in for one.
        if error.retryable or error.status in (404, 409, 416):
            return ""
        raise
    text = tail.content.decode(errors="replace")
    whole_lines = text.partition("\n")[2] if start else text
    return whole_lines or text
