"""What an Airflow retry need not run again: tasks that succeeded in the jobs of earlier tries."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.errors import NotFound, OutputUnavailable
from airflow_provider_batchad.jobs.outcome import list_tasks, succeeded
from airflow_provider_batchad.jobs.outputs import read_outputs
from airflow_provider_batchad.jobs.tasks import TaskSpec

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.rest import Steps
    from airflow_provider_batchad.jobs.spec import JobSpec


def read_kept(
    job_ids: Sequence[str],
    task_ids: Sequence[str],
    outputs: Sequence[str] = (),
    max_output_bytes: int = 0,
) -> Steps[dict[str, str]]:
    """Task id → the newest of these jobs in which it succeeded and left its outputs.

    :param job_ids: from the oldest to the newest; one that is gone holds nothing.
    :param outputs: files below a task's working directory without which its success is worth nothing.
    :param max_output_bytes: how much of them is read, of one task.
    """
    kept: dict[str, str] = {}
    for job_id in reversed(job_ids):
        try:
            tasks = yield from list_tasks(job_id)
        except NotFound:
            continue
        for task_id in task_ids:
            task = tasks.get(task_id.casefold())
            if task_id in kept or task is None or not succeeded(task):
                continue
            if (yield from _left_outputs(job_id, task_id, outputs, max_output_bytes)):
                kept[task_id] = job_id
    return kept


def _left_outputs(job_id: str, task_id: str, outputs: Sequence[str], most: int) -> Steps[bool]:
    if not outputs:
        return True
    try:
        yield from read_outputs(job_id, [task_id], outputs, most)
    except OutputUnavailable as error:
        return error.too_large
    return True


def without_kept(spec: JobSpec, kept: Mapping[str, str]) -> JobSpec:
    """The specification without the tasks that are kept, and without what depends on them."""
    if not kept:
        return spec
    names = {task_id.casefold() for task_id in kept}
    # Batch matches ranges by number: "007" and "7" are both in the range from 1 to 9.
    numbers = sorted({int(name) for name in names if name.isascii() and name.isdecimal()})
    task_ids = tuple(task_id for task_id in spec.task_ids if task_id not in kept)
    return replace(spec, task_ids=task_ids, tasks=_Left(spec.tasks, kept, names, numbers))


@dataclass(frozen=True, slots=True)
class _Left:
    """Made as they are read: all but a few may be left of a hundred thousand."""

    tasks: Iterable[TaskSpec]
    kept: Mapping[str, str]
    names: set[str]
    numbers: Sequence[int]

    def __iter__(self) -> Iterator[TaskSpec]:
        for task in self.tasks:
            if task.id not in self.kept:
                yield _freed(task, self.names, self.numbers)


def _freed(task: TaskSpec, names: set[str], numbers: Sequence[int]) -> TaskSpec:
    if b'"dependsOn"' not in task.body:
        return task
    body = task.load()
    wanted = body.get("dependsOn")
    if not wanted:
        return task
    depends: dict[str, Any] = {}
    ids = [name for name in wanted.get("taskIds", ()) if name.casefold() not in names]
    ranges = [part for given in wanted.get("taskIdRanges", ()) for part in _without(given, numbers)]
    if ids:
        depends["taskIds"] = ids
    if ranges:
        depends["taskIdRanges"] = ranges
    rest = {name: value for name, value in body.items() if name != "dependsOn"}
    return TaskSpec.of(task.id, {**rest, "dependsOn": depends} if depends else rest)


def _without(given: Mapping[str, int], numbers: Sequence[int]) -> Iterator[dict[str, int]]:
    """The parts of a range between the numbers that are taken out of it."""
    start, end = given["start"], given["end"]
    for number in numbers[bisect_left(numbers, start) : bisect_right(numbers, end)]:
        if start < number:
            yield {"start": start, "end": number - 1}
        start = number + 1
    if start <= end:
        yield {"start": start, "end": end}
