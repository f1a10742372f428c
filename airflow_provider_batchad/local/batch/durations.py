"""ISO 8601 durations the way .NET reads and writes them, in ticks of 100 ns."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND

INFINITE_TICKS: Final = 2**63 - 1
INFINITE: Final = "P10675199DT2H48M5.4775807S"
SEVEN_DAYS: Final = "P7D"

_PATTERN: Final = re.compile(
    r"P(?:(?P<years>\d{1,6})Y)?(?:(?P<months>\d{1,7})M)?(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,12}(?:\.\d{1,9})?)S)?)?"
)
_SECONDS: Final = {"years": 31_536_000, "months": 2_592_000, "days": 86_400, "hours": 3600, "minutes": 60}


def parse_duration(text: str) -> int:
    """Ticks; whatever is longer than .NET can hold counts as infinite.

    :raises ValueError: not a duration.
    """
    match = _PATTERN.fullmatch(text)
    if match is None or text.endswith(("P", "T")):
        raise ValueError(f"{text!r} is not an ISO 8601 duration")
    parts = match.groupdict()
    whole = sum(int(parts[name] or 0) * seconds for name, seconds in _SECONDS.items())
    ticks = whole * TICKS_PER_SECOND + int(Decimal(parts["seconds"] or 0) * TICKS_PER_SECOND)
    return min(ticks, INFINITE_TICKS)


def format_duration(ticks: int) -> str:
    """The shortest form, as the service answers it: ``PT15M``, ``P7D``, ``PT0S``."""
    seconds, fraction = divmod(ticks, TICKS_PER_SECOND)
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    tail = f"{seconds}.{fraction:07d}".rstrip("0") if fraction else str(seconds) if seconds else ""
    clock = "".join(
        [
            f"{hours}H" if hours else "",
            f"{minutes}M" if minutes else "",
            f"{tail}S" if tail else "",
        ]
    )
    if not days and not clock:
        return "PT0S"
    return f"P{f'{days}D' if days else ''}{f'T{clock}' if clock else ''}"
