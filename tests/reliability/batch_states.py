"""A small model of jobs and tasks: the states that each may be seen in next, and what it shows in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

JOB_LIMIT_SECONDS = 3600
TASK_LIMIT_SECONDS = 600
CLOSED = {"terminating", "completed", "deleting"}
# From a state to those that may be seen next, however many were passed meanwhile.
JOB_WAYS = {
    "active": {"active", "disabling", "disabled", *CLOSED},
    "disabling": {"active", "disabling", "disabled", *CLOSED},
    "disabled": {"active", "disabling", "disabled", *CLOSED},
    "terminating": CLOSED,
    "completed": {"completed", "deleting"},
    "deleting": {"deleting"},
}
# What a task runs, and the exit code that it ends with by itself; a sleeper is ended by others.
COMMANDS = {
    "success": ("/bin/true", 0),
    "failure": ("/bin/sh -c 'exit 3'", 3),
    "sleeper": ("/bin/sleep 1000", None),
}


@dataclass(kw_only=True)
class TaskModel:
    kind: str
    retries: int
    is_limited: bool
    seen: str = "active"
    reactivated: bool = False
    ended: bool = False


@dataclass(kw_only=True)
class JobModel:
    id: str
    pool: str
    created: float
    is_limited: bool
    is_sealed: bool = False
    seen: str = "active"
    was_disabled: bool = False
    was_terminated: bool = False
    was_deleted: bool = False
    is_gone: bool = False
    tasks: dict[str, TaskModel] = field(default_factory=dict)

    def may_have_ended(self, now: float) -> bool:
        is_late = self.is_limited and now >= self.created + JOB_LIMIT_SECONDS
        return self.was_terminated or self.was_deleted or self.is_sealed or is_late


def check_job(job: JobModel, shown: dict[str, Any], now: float) -> None:
    """What a job shows is what may have become of it since the last look."""
    state = shown["state"]
    assert state in JOB_WAYS[job.seen], (job.seen, state)
    assert job.was_disabled or state not in ("disabling", "disabled")
    assert job.was_deleted or state != "deleting"
    if state in ("terminating", "completed"):
        assert job.may_have_ended(now)
        reason = shown["executionInfo"]["terminateReason"]
        assert reason in ("UserTerminate", "AllTasksComplete", "MaxWallClockTimeExpiry")
        assert ("endTime" in shown["executionInfo"]) == (state == "completed")
    job.seen = state


def check_task(job: JobModel, task: TaskModel, shown: dict[str, Any], now: float) -> None:
    """The same of a task."""
    state, execution = shown["state"], shown["executionInfo"]
    assert state in ("active", "running", "completed")
    if task.seen == "completed" and state != "completed":
        assert task.reactivated
    if job.pool == "empty":
        assert state != "running"
        assert state == "active" or task.ended
    assert ("result" in execution) == ("endTime" in execution) == (state == "completed")
    assert execution["retryCount"] <= task.retries
    if state == "completed":
        _check_end(job, task, execution, now)
        if task.seen == "completed":
            task.reactivated = False
    task.seen = state


def _check_end(job: JobModel, task: TaskModel, execution: dict[str, Any], now: float) -> None:
    _, code = COMMANDS[task.kind]
    assert (execution["result"] == "success") == (execution.get("exitCode") == 0)
    assert ("failureInfo" in execution) == (execution["result"] == "failure")
    if "exitCode" in execution:
        assert execution["exitCode"] == code
        assert code == 0 or execution["retryCount"] == task.retries or job.may_have_ended(now) or task.ended
    else:
        assert execution["failureInfo"]["code"] == "TaskEnded"
        assert task.ended or task.is_limited or job.may_have_ended(now)
