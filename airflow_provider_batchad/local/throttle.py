"""A limit on requests by the settable clock."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock


class Throttle:
    """Lets so many requests pass in so many seconds.

    :param count: ``None`` for any number.
    """

    def __init__(self, *, clock: Clock, count: int | None, seconds: float) -> None:
        self._clock = clock
        self._passed: deque[float] = deque()
        self._lock = threading.Lock()
        self.count = count
        self.seconds = seconds

    def change(self, *, count: int | None, seconds: float) -> None:
        """Another limit from now on, as if nothing had passed yet."""
        with self._lock:
            self._passed.clear()
            self.count, self.seconds = count, seconds

    def admits(self) -> bool:
        """Whether one more request may pass; it counts if so."""
        if self.count is None:
            return True
        now = self._clock.time()
        with self._lock:
            while self._passed and not now - self.seconds < self._passed[0] <= now:
                self._passed.popleft()
            if len(self._passed) >= self.count:
                return False
            self._passed.append(now)
        return True
