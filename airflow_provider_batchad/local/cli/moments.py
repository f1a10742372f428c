"""Moments and lengths of time as people write them on a command line."""

from __future__ import annotations

import argparse
import re
from datetime import datetime
from typing import Final

_SECONDS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_NUMBER: Final = r"\d+(?:\.\d+)?"
_LENGTH: Final = re.compile(rf"-?(?:{_NUMBER}|(?:{_NUMBER}[dhms])+)")
_PART: Final = re.compile(rf"({_NUMBER})([dhms])")


def parse_moment(text: str) -> datetime:
    """``2026-01-01T00:00:00Z``, for argparse.

    :raises argparse.ArgumentTypeError: it is none, or has no time zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-01-01T00:00:00Z") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} has no time zone: end it with Z, or with one such as +01:00"
        )
    return moment


def parse_length(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``5m``, ``1d12h``; for argparse.

    :raises argparse.ArgumentTypeError: it is no length of time.
    """
    if _LENGTH.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time such as 90, 5m, 2h or 1d12h")
    parts = _PART.findall(text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not parts:
        return float(text)
    return -seconds if text.startswith("-") else seconds
