"""How a job ended, judged by exactly the tasks that were submitted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from airflow_provider_batchad.errors import NotFound
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.redaction import redact_signatures
from airflow_provider_batchad.jobs.rest import Steps, ask
from airflow_provider_batchad.jobs.timing import Timing, measure

_TASK_SELECT = "id,state,executionInfo,nodeInfo"
_JOB_SELECT = "id,state,creationTime,executionInfo"

# Begins the terminateReason of a job that this package ended because nothing in it could go on.
BLOCKED_REASON = "Airflow: blocked: "


class Ending(StrEnum):
    """In what way a job ended."""

    SUCCEEDED = "succeeded"
    TASKS_FAILED = "tasks_failed"
    TASKS_UNFINISHED = "tasks_unfinished"
    TASKS_MISSING = "tasks_missing"
    TIME_LIMIT = "time_limit"
    BLOCKED = "blocked"
    GONE = "gone"
    RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailure:
    """A Batch task that did not succeed.

    :param exit_code: ``None`` where no process of it ran, or where it was killed from outside.
    :param reason: the service's code and message, such as ``FailureExitCode: …``.
    :param code: the service's code alone.
    :param node_id: where it ran last.
    :param stderr_tail: the end of its ``stderr.txt``; empty where it could not be read.
    :param stdout_tail: the end of its ``stdout.txt``, the same way.
    """

    task_id: str
    exit_code: int | None
    reason: str
    code: str | None = None
    node_id: str | None = None
    stderr_tail: str = ""
    stdout_tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome:
    """What became of a job and of the tasks that were submitted in it.

    :param succeeded_tasks: those that an earlier job finished are counted with them.
    :param failures: in the order in which the tasks were given.
    :param unfinished: tasks that never came to an end.
    :param missing: tasks that were submitted and that the job does not hold.
    :param exit_codes: how many tasks ended with which exit code, in this job.
    :param kept: task id → the earlier job that holds its result.
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
    kept: Mapping[str, str] = field(default_factory=dict)
    timing: Timing = field(default_factory=Timing)

    def ending(self, max_failed_tasks: int = 0) -> Ending:
        """In what way it ended, with up to ``max_failed_tasks`` failed tasks let pass."""
        if self.state != "completed":
            return Ending.GONE if self.state == "gone" else Ending.RUNNING
        if self.missing:
            return Ending.TASKS_MISSING
        if not self.unfinished and len(self.failures) <= max_failed_tasks:
            return Ending.SUCCEEDED
        reason = self.terminate_reason or ""
        # A task that runs when the time is over ends as a failure; one that waits stays unfinished.
        if reason.casefold() == "maxwallclocktimeexpiry":
            return Ending.TIME_LIMIT
        if reason.startswith(BLOCKED_REASON):
            return Ending.BLOCKED
        return Ending.TASKS_UNFINISHED if self.unfinished else Ending.TASKS_FAILED

    def succeeded(self, max_failed_tasks: int = 0) -> bool:
        """Whether every submitted task is complete, and all but ``max_failed_tasks`` of them succeeded."""
        return self.ending(max_failed_tasks) is Ending.SUCCEEDED

    def job_of(self, task_id: str) -> str:
        """The job that holds the result of a task that succeeded."""
        return self.kept.get(task_id, self.job_id)

    def summary(self) -> dict[str, Any]:
        """What goes to XCom: plain data, bounded in size whatever the number of tasks."""
        return {
            "job_id": self.job_id,
            "tasks": self.submitted,
            "succeeded": self.succeeded_tasks,
            "succeeded_in_earlier_jobs": len(self.kept),
            "failed": len(self.failures),
            "failed_task_ids": [failure.task_id for failure in self.failures[:100]],
            "exit_codes": dict(Counter(self.exit_codes).most_common(100)),
            "retries": self.retries,
            "terminate_reason": self.terminate_reason,
            "start_time": self.started,
            "end_time": self.ended,
            **self.timing.summary(),
        }


def read_outcome(
    job_id: str, task_ids: Iterable[str], kept: Mapping[str, str] | None = None
) -> Steps[JobOutcome]:
    """Read the job and its tasks, a thousand a page.

    :param task_ids: the tasks that were submitted, in their order.
    :param kept: task id → the earlier job in which it succeeded; such a task need not be in this one.
    """
    wanted = tuple(task_ids)
    try:
        job = (yield from ask(requests.get_job(job_id, select=_JOB_SELECT))).json()
        tasks = yield from list_tasks(job_id)
    except NotFound:
        return _gone(job_id, wanted)
    return _judge(job, tasks, wanted, kept or {})


def list_tasks(job_id: str) -> Steps[dict[str, Mapping[str, Any]]]:
    """The state and the execution of every task of a job, by its id in lower case."""
    tasks = yield from requests.all_pages(requests.list_tasks(job_id, select=_TASK_SELECT))
    return {task["id"].casefold(): task for task in tasks}


def succeeded(task: Mapping[str, Any]) -> bool:
    """Whether a task is complete and succeeded."""
    execution = task.get("executionInfo") or {}
    done = str(task.get("state", "")).casefold() == "completed"
    return done and str(execution.get("result", "")).casefold() == "success"


def _judge(
    job: Mapping[str, Any],
    tasks: Mapping[str, Mapping[str, Any]],
    wanted: tuple[str, ...],
    kept: Mapping[str, str],
) -> JobOutcome:
    failures, unfinished, missing = [], [], []
    used: dict[str, str] = {}
    exit_codes: Counter[str] = Counter()
    retries = 0
    for task_id in wanted:
        task = tasks.get(task_id.casefold())
        if task is None and task_id in kept:
            used[task_id] = kept[task_id]
            continue
        if task is None:
            missing.append(task_id)
            continue
        execution = task.get("executionInfo") or {}
        retries += int(execution.get("retryCount", 0))
        if str(task.get("state", "")).casefold() != "completed":
            unfinished.append(task_id)
            continue
        exit_codes[str(execution.get("exitCode", "none"))] += 1
        if not succeeded(task):
            failures.append(_failure(task_id, task))
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
        kept=used,
        timing=measure(
            job.get("creationTime"), {name: task.get("executionInfo") or {} for name, task in tasks.items()}
        ),
    )


def _failure(task_id: str, task: Mapping[str, Any]) -> TaskFailure:
    execution = task.get("executionInfo") or {}
    info = execution.get("failureInfo") or {}
    details = "; ".join(f"{item.get('name')}: {item.get('value')}" for item in info.get("details") or ())
    reason = ": ".join(part for part in (info.get("code"), info.get("message")) if part)
    return TaskFailure(
        task_id=task_id,
        exit_code=execution.get("exitCode"),
        reason=redact_signatures(f"{reason} ({details})" if details else reason),
        code=info.get("code"),
        node_id=(task.get("nodeInfo") or {}).get("nodeId"),
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
