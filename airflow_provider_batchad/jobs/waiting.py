"""Waits for the end of a job by asking for its state alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from airflow_provider_batchad.errors import BatchAdError, NotFound, ServiceUnavailable, Unreachable
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.blocked import why_blocked
from airflow_provider_batchad.jobs.plan import state_of
from airflow_provider_batchad.jobs.rest import Pause, Steps, ask

TOLERANCE = timedelta(minutes=15)
FIRST_INTERVAL_SECONDS = 1.0
_LOOKS_PER_BLOCKED = 10
_MAX_RETRY_AFTER_SECONDS = 300.0


class WaitResult(StrEnum):
    """Why a wait ended."""

    COMPLETED = "completed"
    GONE = "gone"
    DEADLINE = "deadline"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """How a wait ended.

    :param message: for a blocked job, what it waits for in vain.
    """

    result: WaitResult
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How to wait.

    :param poll_interval_seconds: the most between two looks; the first ones follow sooner, growing by half.
    :param deadline: when to give up; ``None`` for never.
    :param can_block: whether tasks of the job may wait for ever; every tenth look then looks for that.
    :raises ValueError: an interval without length, which would ask again and again without a pause.
    """

    poll_interval_seconds: float
    deadline: datetime | None = None
    can_block: bool = False

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


def wait_for_end(job_id: str, wait: Wait, now: Callable[[], datetime]) -> Steps[Waited]:
    """Look until the job is completed, gone or blocked, or the deadline has come.

    "Could not ask" is not "failed": what passes is tolerated for 15 minutes without one answer.

    :raises Unreachable, ServiceUnavailable: the last of those errors, when the 15 minutes are over.
    """
    interval = min(FIRST_INTERVAL_SECONDS, wait.poll_interval_seconds)
    answered = now()
    looks = 0
    while True:
        pause = interval * random.uniform(0.9, 1.0)  # noqa: S311 - spreads the polls, guards nothing
        looks += 1
        try:
            ended = yield from _look(job_id, for_blocked=wait.can_block and looks % _LOOKS_PER_BLOCKED == 0)
        except (Unreachable, ServiceUnavailable) as error:
            if now() - answered >= TOLERANCE:
                raise
            pause = max(pause, retry_after(error))
        else:
            answered = now()
            if ended is not None:
                return ended
        interval = min(interval * 1.5, wait.poll_interval_seconds)
        if wait.deadline is not None:
            left = (wait.deadline - now()).total_seconds()
            if left <= 0:
                return Waited(result=WaitResult.DEADLINE)
            pause = min(pause, left)
        yield Pause(seconds=pause)


def _look(job_id: str, *, for_blocked: bool) -> Steps[Waited | None]:
    result = yield from look_once(job_id)
    if result is not None:
        return Waited(result=result)
    if not for_blocked:
        return None
    try:
        reason = yield from why_blocked(job_id)
    except NotFound:
        # Deleted between two requests: the next look says so.
        return None
    return Waited(result=WaitResult.BLOCKED, message=reason) if reason else None


def retry_after(error: BatchAdError) -> float:
    """How many seconds the service asked to wait, up to five minutes; 0 where it did not."""
    seconds = getattr(error, "retry_after_seconds", None) or 0.0
    return min(float(seconds), _MAX_RETRY_AFTER_SECONDS)
