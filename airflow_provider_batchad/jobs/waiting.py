"""Waits for the end of a job by asking for its state alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from airflow_provider_batchad.errors import BatchAdError, NotFound, ServiceUnavailable, Unreachable
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.plan import state_of
from airflow_provider_batchad.jobs.rest import Pause, Steps, ask

TOLERANCE = timedelta(minutes=15)
FIRST_INTERVAL_SECONDS = 1.0
_MAX_RETRY_AFTER_SECONDS = 300.0


class WaitResult(StrEnum):
    """Why a wait ended."""

    COMPLETED = "completed"
    GONE = "gone"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How to wait.

    :param poll_interval_seconds: the most between two looks; the first ones follow sooner, growing by half.
    :param deadline: when to give up; ``None`` for never.
    :raises ValueError: an interval without length, which would ask again and again without a pause.
    """

    poll_interval_seconds: float
    deadline: datetime | None = None

    def __post_init__(self) -> None:
        if not self.poll_interval_seconds > 0:
            raise ValueError(f"poll_interval: expected more than 0 seconds, not {self.poll_interval_seconds}")


def look_once(job_id: str) -> Steps[WaitResult | None]:
    """How the job ended; ``None`` for one that has not."""
    try:
        job = (yield from ask(requests.get_job(job_id, select="id,state"))).json()
    except NotFound:
        return WaitResult.GONE
    return WaitResult.COMPLETED if state_of(job) == "completed" else None


def wait_for_end(job_id: str, wait: Wait, now: Callable[[], datetime]) -> Steps[WaitResult]:
    """Look until the job is completed or gone, or the deadline has come.

    "Could not ask" is not "failed": what passes is tolerated for 15 minutes without one answer.

    :raises Unreachable, ServiceUnavailable: the last of those errors, when the 15 minutes are over.
    """
    interval = min(FIRST_INTERVAL_SECONDS, wait.poll_interval_seconds)
    answered = now()
    while True:
        pause = interval * random.uniform(0.9, 1.0)  # noqa: S311 - spreads the polls, guards nothing
        try:
            result = yield from look_once(job_id)
        except (Unreachable, ServiceUnavailable) as error:
            if now() - answered >= TOLERANCE:
                raise
            pause = max(pause, _retry_after(error))
        else:
            answered = now()
            if result is not None:
                return result
        interval = min(interval * 1.5, wait.poll_interval_seconds)
        if wait.deadline is not None:
            left = (wait.deadline - now()).total_seconds()
            if left <= 0:
                return WaitResult.DEADLINE
            pause = min(pause, left)
        yield Pause(seconds=pause)


def _retry_after(error: BatchAdError) -> float:
    seconds = getattr(error, "retry_after_seconds", None) or 0.0
    return min(float(seconds), _MAX_RETRY_AFTER_SECONDS)
