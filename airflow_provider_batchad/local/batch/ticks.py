"""Times as the Batch service keeps them: whole ticks of 100 ns, which its ETags are made of too."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Final, Protocol

TICKS_PER_SECOND: Final = 10_000_000

# .NET counts from the year 1. In every recording an ETag is lastModified in these ticks, in hex: what was
# last modified at 2000-01-01T00:00:00Z has 0x8C1220247E44000.
_DOTNET_EPOCH: Final = 621_355_968_000_000_000


class SettableClock(Protocol):
    """The part of local Azure's clock that times are read from."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...


class TickClock:
    """Ticks since the Unix epoch, no two the same while time goes forward, so that no two ETags are."""

    def __init__(self, clock: SettableClock) -> None:
        self._clock = clock
        self._last = 0

    def now(self) -> int:
        """This moment."""
        ticks = int(self._clock.time() * TICKS_PER_SECOND)
        # Only a clock that was set back is followed backwards.
        if self._last - TICKS_PER_SECOND < ticks <= self._last:
            ticks = self._last + 1
        self._last = ticks
        return ticks


def to_iso(ticks: int) -> str:
    """As bodies hold it: up to seven digits of a second, trailing zeros dropped."""
    seconds, fraction = divmod(ticks, TICKS_PER_SECOND)
    if fraction == 0:
        return f"{_second_text(seconds)}Z"
    return f"{_second_text(seconds)}.{fraction:07d}".rstrip("0") + "Z"


def to_http_date(ticks: int) -> str:
    """As headers hold it (RFC 1123)."""
    return formatdate(ticks // TICKS_PER_SECOND, usegmt=True)


def to_etag(ticks: int) -> str:
    """The ETag of an entity that was last modified then; the service does not quote it."""
    return f"0x{ticks + _DOTNET_EPOCH:X}"


def parse_moment(text: str) -> int:
    """Ticks of an ISO 8601 or RFC 1123 time; without a zone it is UTC.

    :raises ValueError: it is neither.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = parsedate_to_datetime(text)
        return _ticks(moment)
    head, _, tail = text.partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))] if head else ""
    return _ticks(moment.replace(microsecond=0)) + int(digits[:7].ljust(7, "0") or "0")


def _ticks(moment: datetime) -> int:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    whole = int(aware.replace(microsecond=0).timestamp())
    return whole * TICKS_PER_SECOND + aware.microsecond * 10


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
