"""Tasks that Batch refused when they were added, in a job that runs all others: they count as failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from airflow_provider_batchad.jobs.outcome import JobOutcome, TaskFailure

MOST_REMEMBERED: Final = 100
_MOST_CHARACTERS: Final = 500
_UNKNOWN: Final = "the job does not hold it: Batch refused it when it was added, or somebody deleted it"


def to_remember(rejected: Mapping[str, str]) -> dict[str, str]:
    """The first of them, shortened: what a deferred Airflow task can keep."""
    return {task_id: why[:_MOST_CHARACTERS] for task_id, why in list(rejected.items())[:MOST_REMEMBERED]}


def with_rejected(outcome: JobOutcome, rejected: Mapping[str, str]) -> JobOutcome:
    """The outcome with the tasks that the job does not hold among its failures, after the others.

    :param rejected: id → why, as far as that is known.
    """
    if outcome.state != "completed" or not outcome.missing:
        return outcome
    failures = tuple(_failure(task_id, rejected.get(task_id)) for task_id in outcome.missing)
    return replace(outcome, failures=(*outcome.failures, *failures), missing=())


def _failure(task_id: str, why: str | None) -> TaskFailure:
    code = why.partition(" ")[0] if why else None
    return TaskFailure(task_id=task_id, exit_code=None, reason=why or _UNKNOWN, code=code)
