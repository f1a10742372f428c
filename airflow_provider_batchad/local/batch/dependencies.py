"""Which tasks wait for which others: by id, and by ranges of numeric ids.

A range is fulfilled when every integer in it is; of several ids that stand for one integer ("4", "004") the
first to complete counts ("Task dependencies", Batch documentation).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_batchad.local.batch.index import fold

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.task import Task


@dataclass(slots=True, eq=False)
class _Wait:
    task: Task
    missing: int


@dataclass(slots=True, eq=False)
class _RangeWait:
    wait: _Wait
    start: int
    end: int


@dataclass(slots=True, eq=False)
class DependencyTable:
    """The waiting tasks of one job, and what was fulfilled so far."""

    _ids: set[str] = field(default_factory=set)
    _numbers: set[int] = field(default_factory=set)
    _waits: dict[Task, _Wait] = field(default_factory=dict)
    _waiting_for_id: dict[str, list[_Wait]] = field(default_factory=dict)
    _waiting_for_range: list[_RangeWait] = field(default_factory=list)

    def add(self, task: Task, task_ids: Iterable[str], ranges: Iterable[tuple[int, int]]) -> bool:
        """Remember what a task waits for.

        :return: whether anything is missing.
        """
        wait = _Wait(task, 0)
        for key in {fold(task_id) for task_id in task_ids} - self._ids:
            self._waiting_for_id.setdefault(key, []).append(wait)
            wait.missing += 1
        for start, end in ranges:
            missing = max(0, end - start + 1) - self._count_fulfilled(start, end)
            if missing:
                self._waiting_for_range.append(_RangeWait(wait, start, end))
                wait.missing += missing
        if wait.missing:
            self._waits[task] = wait
        return wait.missing > 0

    def is_waiting(self, task: Task) -> bool:
        """Whether the task still waits for others."""
        return task in self._waits

    def fulfil(self, task_id: str) -> Iterator[Task]:
        """A task is done in a way that satisfies those that depend on it.

        :return: the tasks that waited for nothing else.
        """
        key = fold(task_id)
        if key not in self._ids:
            self._ids.add(key)
            for wait in self._waiting_for_id.pop(key, ()):
                yield from self._count_down(wait)
        number = _as_number(task_id)
        if number is not None and number not in self._numbers:
            self._numbers.add(number)
            yield from self._fulfil_number(number)

    def _fulfil_number(self, number: int) -> Iterator[Task]:
        freed = [
            task
            for entry in self._waiting_for_range
            if entry.start <= number <= entry.end
            for task in self._count_down(entry.wait)
        ]
        if freed:
            self._waiting_for_range = [entry for entry in self._waiting_for_range if entry.wait.missing]
        yield from freed

    def _count_down(self, wait: _Wait) -> Iterator[Task]:
        wait.missing -= 1
        if wait.missing == 0:
            del self._waits[wait.task]
            yield wait.task

    def _count_fulfilled(self, start: int, end: int) -> int:
        if end - start < len(self._numbers):
            return sum(number in self._numbers for number in range(start, end + 1))
        return sum(start <= number <= end for number in self._numbers)


def _as_number(task_id: str) -> int | None:
    return int(task_id) if task_id.isascii() and task_id.isdigit() else None
