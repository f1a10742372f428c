"""Finds jobs that Batch would never end: tasks that wait for what can no longer come.

A task whose dependency failed stays active for ever, as does every task of a job whose preparation task
fails wherever it runs; so the job never completes by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from airflow_provider_batchad.errors import BatchServiceError
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.exits import satisfies
from airflow_provider_batchad.jobs.rest import Steps, ask

_SELECT: Final = "id,state,executionInfo,dependsOn,exitConditions"
_NAMED: Final = 5


def why_blocked(job_id: str) -> Steps[str | None]:
    """What the job waits for in vain, in a sentence; ``None`` for one that can go on.

    Asks for the counts alone while a task runs.
    """
    counts = (yield from ask(requests.get_task_counts(job_id))).json().get("taskCounts") or {}
    if counts.get("running") or not counts.get("active"):
        return None
    tasks = yield from requests.all_pages(requests.list_tasks(job_id, select=_SELECT))
    waiting = [task for task in tasks if _state(task) == "active"]
    blocked = _blocked(tasks)
    if waiting and len(blocked) == len(waiting) and all(_state(task) in _SETTLED for task in tasks):
        return _sentence(blocked)
    return (yield from _preparation(job_id)) if waiting else None


_SETTLED: Final = ("active", "completed")


def _blocked(tasks: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Task id → the id of the task that it waits for in vain, directly or through others."""
    by_id = {task["id"].casefold(): task for task in tasks}
    numbers = {int(name): name for name in by_id if name.isascii() and name.isdecimal()}
    waiting = {name: task for name, task in by_id.items() if _state(task) == "active"}
    blocked: dict[str, str] = {}
    before = -1
    while len(blocked) != before:
        before = len(blocked)
        for name, task in waiting.items():
            if name in blocked:
                continue
            for parent in _parents(task, numbers):
                if parent in blocked or _never_satisfied(by_id.get(parent)):
                    blocked[name] = parent
                    break
    return {
        by_id[name]["id"]: by_id[parent]["id"] if parent in by_id else parent
        for name, parent in blocked.items()
    }


def _parents(task: Mapping[str, Any], numbers: Mapping[int, str]) -> Iterator[str]:
    depends = task.get("dependsOn") or {}
    for name in depends.get("taskIds") or ():
        yield name.casefold()
    for span in depends.get("taskIdRanges") or ():
        for number in range(span["start"], span["end"] + 1):
            yield numbers.get(number, str(number))
            if number not in numbers:
                # It blocks by itself, so the rest of the range says nothing more.
                break


def _never_satisfied(parent: Mapping[str, Any] | None) -> bool:
    return parent is None or (_state(parent) == "completed" and not satisfies(parent))


def _sentence(blocked: Mapping[str, str]) -> str:
    shown = [f"{task_id} for {parent}" for task_id, parent in list(blocked.items())[:_NAMED]]
    more = f" and {len(blocked) - _NAMED} more" if len(blocked) > _NAMED else ""
    return (
        f"{len(blocked)} task(s) wait for ever for tasks that failed or are not there: "
        f"{', '.join(shown)}{more}."
    )


def _preparation(job_id: str) -> Steps[str | None]:
    try:
        nodes = yield from requests.all_pages(requests.list_preparation_status(job_id))
    except BatchServiceError as error:
        if error.is_code("JobPreparationTaskNotSpecified", "JobPreparationTaskOrReleaseTaskNotSpecified"):
            return None
        raise
    runs = [node.get("jobPreparationTaskExecutionInfo") or {} for node in nodes]
    if not runs or not all(_state(run) == "completed" and not _succeeded(run) for run in runs):
        return None
    codes = ", ".join(sorted({str(run.get("exitCode", "none")) for run in runs}))
    return f"The job preparation task failed on all {len(runs)} node(s) that ran it (exit codes: {codes})."


def _succeeded(run: Mapping[str, Any]) -> bool:
    return str(run.get("result", "")).casefold() == "success"


def _state(thing: Mapping[str, Any]) -> str:
    return str(thing.get("state", "")).casefold()
