"""The time that all of local Azure goes by: the real one, shifted or frozen as a test asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

# Before the epoch no token can be issued; the last thousand years are room for what is reckoned from now.
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC).timestamp()
_LAST: Final = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


class Clock:
    """UTC time that can be set, advanced and frozen while everything runs; safe among threads.

    A clock that was set goes on ticking from there; only :meth:`freeze` stops it, until :meth:`run`. What
    waits for a moment subscribes, since a jump wakes no ``asyncio`` timer.
    """

    def __init__(self) -> None:
        self._offset_seconds = 0.0
        self._frozen_at: float | None = None
        self._subscribers: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def time(self) -> float:
        """Seconds since the epoch."""
        frozen_at = self._frozen_at
        return time.time() + self._offset_seconds if frozen_at is None else frozen_at

    def now(self) -> datetime:
        """The moment, in UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    @property
    def is_real(self) -> bool:
        """Whether this is the machine's own time."""
        return self._frozen_at is None and self._offset_seconds == 0.0

    @property
    def is_frozen(self) -> bool:
        """Whether it stands still."""
        return self._frozen_at is not None

    def set(self, moment: datetime) -> None:
        """Go on from ``moment``.

        :raises ValueError: it has no time zone, or is not between 1970 and 9000.
        """
        if moment.tzinfo is None:
            raise ValueError("moment must have a time zone, such as datetime(2026, 1, 1, tzinfo=UTC)")
        self._jump(to=moment.timestamp())

    def advance(self, by: timedelta | float) -> None:
        """Jump by this much: a ``timedelta`` or seconds; negative goes back.

        :raises ValueError: that is not between 1970 and 9000.
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else by
        self._jump(by=seconds)

    def freeze(self) -> None:
        """Stop here; :meth:`set` and :meth:`advance` still move it."""
        with self._lock:
            self._frozen_at = self.time()
        self._tell()

    def run(self) -> None:
        """Tick on from here, after :meth:`freeze`."""
        with self._lock:
            if self._frozen_at is not None:
                self._offset_seconds = self._frozen_at - time.time()
                self._frozen_at = None
        self._tell()

    def real(self) -> None:
        """Back to the machine's own time, ticking."""
        with self._lock:
            self._offset_seconds = 0.0
            self._frozen_at = None
        self._tell()

    def subscribe(self, on_jump: Callable[[], None]) -> Callable[[], None]:
        """Call ``on_jump`` after each jump, in the thread that made it.

        :return: a function that ends the subscription.
        """
        with self._lock:
            self._subscribers.append(on_jump)

        def unsubscribe() -> None:
            with self._lock:
                if on_jump in self._subscribers:
                    self._subscribers.remove(on_jump)

        return unsubscribe

    def _jump(self, *, to: float | None = None, by: float = 0.0) -> None:
        with self._lock:
            target = self.time() + by if to is None else to
            if not _FIRST <= target <= _LAST:
                raise ValueError("the clock goes from 1970 to 9000")
            if self._frozen_at is not None:
                self._frozen_at = target
            else:
                self._offset_seconds = target - time.time()
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            subscribers = tuple(self._subscribers)
        for on_jump in subscribers:
            on_jump()
