"""What a node ran beside the tasks of jobs: its start task, a job's preparation and release there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.task import TaskResult


@dataclass(slots=True, kw_only=True, eq=False)
class RunRecord:
    """``BatchStartTaskInfo``, and what the other two have of it. Times are ticks, 0 where there is none."""

    start: int
    end: int = 0
    exit_code: int | None = None
    failure: str | None = None
    result: TaskResult | None = None
    retry_count: int = 0
    last_retry: int = 0

    @property
    def state(self) -> Literal["running", "completed"]:
        """``BatchStartTaskState``; those of the other two are the same."""
        return "completed" if self.end else "running"
