"""How long a job's tasks waited and ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from typing import Any

_SLOWEST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds, by the service's own times.

    :param waited_seconds: from the job's creation to the first start of a task; ``None`` where none started.
    :param ran_seconds: from that start to the last end of a task; ``None`` where none ended.
    :param task_seconds: the run times of all tasks together, each task's last run alone.
    :param slowest: task id and run time of the slowest tasks, the slowest first; at most five.
    """

    waited_seconds: float | None = None
    ran_seconds: float | None = None
    task_seconds: float = 0.0
    slowest: tuple[tuple[str, float], ...] = ()

    def summary(self) -> dict[str, Any]:
        """Plain data for XCom, rounded to milliseconds."""
        return {
            "waited_seconds": _rounded(self.waited_seconds),
            "ran_seconds": _rounded(self.ran_seconds),
            "task_seconds": round(self.task_seconds, 3),
            "slowest_tasks": {task_id: round(seconds, 3) for task_id, seconds in self.slowest},
        }


def measure(created: object, executions: Mapping[str, Mapping[str, Any]]) -> Timing:
    """The times of a job.

    :param created: the job's ``creationTime``.
    :param executions: task id → ``executionInfo``.
    """
    spans = {
        task_id: (_time(info.get("startTime")), _time(info.get("endTime")))
        for task_id, info in executions.items()
    }
    starts = [start for start, _ in spans.values() if start is not None]
    ends = [end for start, end in spans.values() if start is not None and end is not None]
    runs = {
        task_id: (end - start).total_seconds()
        for task_id, (start, end) in spans.items()
        if start is not None and end is not None
    }
    submitted = _time(created)
    return Timing(
        waited_seconds=(min(starts) - submitted).total_seconds() if starts and submitted else None,
        ran_seconds=(max(ends) - min(starts)).total_seconds() if ends else None,
        task_seconds=sum(runs.values()),
        slowest=tuple(nlargest(_SLOWEST, runs.items(), key=lambda run: run[1])),
    )


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
