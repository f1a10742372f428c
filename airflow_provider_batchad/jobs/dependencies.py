"""Refuses dependencies that could never be satisfied: Batch takes them, and such a job never ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from airflow_provider_batchad.jobs.schema import SpecificationError

# A range may name a million tasks; cycles are looked for where that takes no more than about a second.
_MOST_EDGES: Final = 500_000


def check_dependencies(task_ids: Sequence[str], depends: Mapping[int, Mapping[str, Any]]) -> None:
    """Nothing for tasks that can all start one day.

    :param task_ids: of all tasks, in their order.
    :param depends: the task's place in that order → its ``dependsOn``.
    :raises SpecificationError: names the dependency that is on no task of the job, or the tasks of a circle.
    """
    names = {task_id.casefold() for task_id in task_ids}
    numbers = {int(name): name for name in names if name.isascii() and name.isdecimal()}
    graph: dict[str, list[str]] = {}
    edges = 0
    for place, wanted in depends.items():
        path = f"tasks[{place}].depends_on"
        parents = [_named(path, n, name, names) for n, name in enumerate(wanted.get("taskIds") or ())]
        for n, span in enumerate(wanted.get("taskIdRanges") or ()):
            parents += _spanned(f"{path}.task_id_ranges[{n}]", span, numbers)
        edges += len(parents)
        graph[task_ids[place].casefold()] = parents if edges <= _MOST_EDGES else []
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise SpecificationError(
            "tasks", f"these wait for each other, so that none starts: {circle}"
        ) from None


def _named(path: str, n: int, name: str, names: set[str]) -> str:
    if name.casefold() not in names:
        raise SpecificationError(f"{path}.task_ids[{n}]", f"no task of this job has the id {name!r}")
    return name.casefold()


def _spanned(path: str, span: Mapping[str, int], numbers: Mapping[int, str]) -> list[str]:
    start, end = span["start"], span["end"]
    if start > end:
        raise SpecificationError(path, f"starts at {start}, after its end at {end}")
    # Of a range of a million only as many numbers are looked at as the job has tasks, and one more.
    for number in range(start, min(end, start + len(numbers)) + 1):
        if number not in numbers:
            raise SpecificationError(path, f"no task of this job has the id {number}")
    return [numbers[number] for number in range(start, end + 1)]
