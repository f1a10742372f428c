"""When the poll that many wait for is due."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FIRST_INTERVAL_SECONDS: Final = 1.0
# Those who begin to wait at about the same time are looked up together.
COLLECT_SECONDS: Final = 0.1
BETWEEN_EARLY_LOOKS_SECONDS: Final = 3.0


@dataclass(slots=True, kw_only=True)
class Pace:
    """The times of regular looks, an interval apart, and of early ones for what is not known yet.

    Where few wait, the first intervals are short and grow by half, up to the shortest one that anybody wants.

    :param clock: monotonic, in seconds.
    :param shortest_seconds: the shortest interval that anybody wants.
    """

    clock: Callable[[], float]
    shortest_seconds: float = math.inf
    _interval: float = 0.0
    _regular: float = 0.0
    _early: float = 0.0

    def begin(self) -> None:
        """The first one waits."""
        self._interval = 0.0
        self._regular = self._early = self.clock() + min(COLLECT_SECONDS, self.shortest_seconds)

    def due(self, *, early: bool) -> float:
        """When the next look is due, by the clock.

        :param early: whether somebody should not wait for the next regular one.
        """
        return min(self._early, self._regular) if early else self._regular

    def is_regular(self) -> bool:
        """Whether a look that begins at this moment is a regular one."""
        return self.clock() >= self._regular

    def looked(self, *, regular: bool, hurry: bool) -> None:
        """A look is over.

        :param hurry: let the intervals be short again, as at the beginning.
        """
        now = self.clock()
        if hurry:
            self._interval = 0.0
        if regular or hurry:
            self._regular = now + self._next_interval()
        self._regular = min(self._regular, now + self.shortest_seconds)
        self._early = now + min(BETWEEN_EARLY_LOOKS_SECONDS, self.shortest_seconds)

    def settle(self) -> None:
        """Many wait: no interval is shorter than wanted."""
        self._interval = self.shortest_seconds

    def failed(self, retry_after_seconds: float) -> None:
        """A look was not answered; nobody asks before that time."""
        self._regular = self._early = self.clock() + max(self._next_interval(), retry_after_seconds)

    def _next_interval(self) -> float:
        self._interval = min(max(self._interval * 1.5, FIRST_INTERVAL_SECONDS), self.shortest_seconds)
        return self._interval * random.uniform(0.9, 1.0)  # noqa: S311 - spreads the polls, guards nothing
