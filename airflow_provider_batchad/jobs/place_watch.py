"""One count for all who wait for a place among the active jobs of one account."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.errors import BatchAdError, BatchServiceError, ServiceUnavailable, Unreachable
from airflow_provider_batchad.jobs.quota import Queue
from airflow_provider_batchad.jobs.waiting import TOLERANCE, retry_after
from airflow_provider_batchad.jobs.watch_lists import list_unfinished
from airflow_provider_batchad.jobs.watch_pace import Pace

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.rest import Steps

FREE: Final = "free"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaceWaiter:
    """One who waits for a place.

    :param since: when it was refused first.
    :param room: how many unfinished jobs there were when it was refused last.
    :param interval: the most seconds between two counts.
    :param tell: takes ``FREE`` when it is its turn to try, once: or the error for which nobody knows.
    """

    since: datetime
    room: int
    interval: float
    tell: Callable[[str | Exception], None]
    name: str = field(default_factory=lambda: uuid.uuid4().hex)


class PlaceWatch:
    """Who waits for a place, and the steps that find out how many came free.

    It costs one list of the account's unfinished jobs an interval, a thousand a page, however many wait.

    :param clock: monotonic, in seconds.
    :param warn: takes what the platform engineer should know.
    """

    def __init__(self, *, clock: Callable[[], float], warn: Callable[[str], None]) -> None:
        self._clock = clock
        self._warn = warn
        self._pace = Pace(clock=clock)
        self._queue = Queue()
        self._waiters: dict[str, PlaceWaiter] = {}
        self._answered = clock()
        self._can_count = True

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiters)

    def add(self, waiter: PlaceWaiter) -> None:
        """Begin to wait."""
        if not self._waiters:
            self._pace.shortest_seconds = waiter.interval
            self._pace.begin()
            self._answered = self._clock()
        self._pace.shortest_seconds = min(self._pace.shortest_seconds, waiter.interval)
        self._waiters[waiter.name] = waiter
        self._queue.join(waiter.name, waiter.since, waiter.room)

    def remove(self, waiter: PlaceWaiter) -> None:
        """Wait no longer; nothing for one who was told."""
        self._waiters.pop(waiter.name, None)
        self._queue.leave(waiter.name)

    def due(self) -> float:
        """When the next count is due, by the clock."""
        return self._pace.due(early=False)

    def end_all(self, outcome: Exception) -> None:
        """Tell all of them."""
        for name in list(self._waiters):
            self._tell(name, outcome)

    def look(self) -> Steps[None]:
        """Count once, and tell those whose turn it is.

        No error of Batch comes out of it. What passes slows the counts, by as much as ``Retry-After`` says up
        to five minutes, and after 15 minutes without an answer all are told the error; a refusal, at once.
        """
        try:
            unfinished = (yield from self._count()) if self._can_count else None
        except (Unreachable, ServiceUnavailable) as error:
            self._pace.failed(retry_after(error))
            if self._clock() - self._answered >= TOLERANCE.total_seconds():
                self.end_all(error)
            return
        except BatchAdError as error:
            self.end_all(error)
            return
        self._answered = self._clock()
        self._pace.shortest_seconds = min((one.interval for one in self._waiters.values()), default=1.0)
        self._pace.looked(regular=True, hurry=False)
        for name in self._queue.release(unfinished):
            self._tell(name, FREE)

    def _count(self) -> Steps[int | None]:
        try:
            return len((yield from list_unfinished()))
        except BatchServiceError as error:
            if error.status != 400:
                raise
            # The documentation has this filter for the jobs of a schedule.
            self._can_count = False
            self._warn(f"The account's unfinished jobs cannot be counted; who waits tries in turn: {error}")
            return None

    def _tell(self, name: str, outcome: str | Exception) -> None:
        waiter = self._waiters.pop(name)
        self._queue.leave(name)
        waiter.tell(outcome)
