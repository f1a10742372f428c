"""One look now and then at each pool whose jobs are waited for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.errors import BatchAdError

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.rest import Steps

INTERVALS_BEFORE_FIRST_LOOK: Final = 2
INTERVALS_BETWEEN_LOOKS: Final = 20


@dataclass(slots=True, kw_only=True, eq=False)
class PoolWaiter:
    """One whose job waits for nodes of a pool.

    :param interval: its poll interval, in seconds.
    :param say: takes what is wrong with the pool, and that nothing is any more: once for each change.
    :param tell: takes the error that ends the looks.
    :ivar said: the last that it was told.
    """

    pool_id: str
    interval: float
    say: Callable[[str], None]
    tell: Callable[[Exception], None]
    said: str | None = None


class PoolWatch:
    """Whose jobs wait for which pool, and the steps that find out why one runs nothing.

    A pool is looked at two intervals after its first job began to be waited for, and every twentieth
    interval, however many wait. A look that fails is left to the next one.

    :param clock: monotonic, in seconds.
    :param look_at: the steps that say what is wrong with a pool; ``None`` for nothing, or nothing known.
    """

    def __init__(self, *, clock: Callable[[], float], look_at: Callable[[str], Steps[str | None]]) -> None:
        self._clock = clock
        self._look_at = look_at
        self._waiters: list[PoolWaiter] = []
        self._due: dict[str, float] = {}

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiters)

    def add(self, waiter: PoolWaiter) -> None:
        """Begin to wait."""
        first = self._clock() + INTERVALS_BEFORE_FIRST_LOOK * waiter.interval
        key = waiter.pool_id.casefold()
        self._due[key] = min(self._due.get(key, math.inf), first)
        self._waiters.append(waiter)

    def remove(self, waiter: PoolWaiter) -> None:
        """Wait no longer."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        if not self._of(waiter.pool_id.casefold()):
            self._due.pop(waiter.pool_id.casefold(), None)

    def due(self) -> float:
        """When the next look is due, by the clock."""
        return min(self._due.values(), default=math.inf)

    def end_all(self, outcome: Exception) -> None:
        """Tell all of them."""
        for waiter in list(self._waiters):
            self.remove(waiter)
            waiter.tell(outcome)

    def look(self) -> Steps[None]:
        """Look at each pool whose time has come; no error of Batch comes out of it."""
        for key in [key for key, due in self._due.items() if due <= self._clock()]:
            try:
                trouble = yield from self._look_at(self._of(key)[0].pool_id)
            except BatchAdError:
                pass
            else:
                for waiter in self._of(key):
                    _say(waiter, trouble)
            if key in self._due:
                interval = min(waiter.interval for waiter in self._of(key))
                self._due[key] = self._clock() + INTERVALS_BETWEEN_LOOKS * interval

    def _of(self, key: str) -> list[PoolWaiter]:
        return [waiter for waiter in self._waiters if waiter.pool_id.casefold() == key]


def _say(waiter: PoolWaiter, trouble: str | None) -> None:
    if trouble != waiter.said:
        waiter.say(trouble or f"Pool {waiter.pool_id!r} can run tasks again.")
        waiter.said = trouble
