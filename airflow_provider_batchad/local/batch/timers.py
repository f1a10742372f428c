"""What is to happen at a moment of local Azure's clock, which may jump, stand still or tick."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Final, Protocol

_LONGEST_SLEEP_SECONDS: Final = 3600.0


class JumpingClock(Protocol):
    """The part of local Azure's clock that timers go by."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def subscribe(self, on_jump: Callable[[], None]) -> Callable[[], None]:
        """Call after each jump, from whatever thread; the answer ends it."""
        ...


class Timer:
    """One appointment."""

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: Callable[[], None]) -> None:
        self.when = when
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """It will not happen."""
        self.action = None


class Timers:
    """All appointments; they happen in the event loop that :meth:`start` was called in."""

    def __init__(self, clock: JumpingClock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sleep: asyncio.TimerHandle | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to watch the clock."""
        self._loop = loop = asyncio.get_running_loop()

        def on_jump() -> None:
            loop.call_soon_threadsafe(self._run_due)

        self._unsubscribe = self._clock.subscribe(on_jump)

    def stop(self) -> None:
        """Forget every appointment."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._sleep is not None:
            self._sleep.cancel()
        self._heap.clear()

    def at(self, when: float, action: Callable[[], None]) -> Timer:
        """Call ``action`` when the clock shows ``when`` (seconds since the epoch) or later."""
        timer = Timer(when, action)
        heapq.heappush(self._heap, (when, next(self._numbers), timer))
        if self._heap[0][2] is timer:
            self._arm()
        return timer

    def _run_due(self) -> None:
        while self._heap and (self._heap[0][2].action is None or self._heap[0][0] <= self._clock.time()):
            _, _, timer = heapq.heappop(self._heap)
            action = timer.action
            timer.cancel()
            if action is not None:
                action()
        self._arm()

    def _arm(self) -> None:
        if self._sleep is not None:
            self._sleep.cancel()
            self._sleep = None
        if self._heap and self._loop is not None:
            seconds = self._heap[0][0] - self._clock.time()
            # A clock that stands still would otherwise be asked without a pause.
            delay = min(max(seconds, 0.001), _LONGEST_SLEEP_SECONDS)
            self._sleep = self._loop.call_later(delay, self._run_due)
