"""The values that a field of a job or a task may have: text, numbers, choices, durations."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, NoReturn, Self

_ISO_DURATION = re.compile(r"P(?=.)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


class WrongValue(Exception):
    """A value is not what its field takes. Never echoes it, since it may be a secret.

    :param path: where, below the value that is converted, such as ``.resource_files[0].http_url``.
    """

    def __init__(self, problem: str, *, path: str = "") -> None:
        self.problem = problem
        self.path = path
        super().__init__(problem)

    def below(self, step: str) -> Self:
        """The same, seen from what holds it.

        :param step: from there to here, such as ``[0]``.
        """
        self.path = f"{step}{self.path}"
        return self


def iso_duration(value: timedelta) -> str:
    """A duration as ISO 8601 has it, such as ``P1DT2H0M5S``."""
    minutes, seconds = divmod(value.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    return f"P{days}DT{hours}H{minutes}M{seconds:.7f}".rstrip("0").rstrip(".") + "S"


def kind_of(value: object) -> str:
    """What a value is, for a message that must not show it."""
    return "null" if value is None else f"a {type(value).__name__}"


def choice_of(choices: list[str]) -> Callable[[object], str]:
    """Takes one of these, whatever its case, or a member of azure-batch's enum."""
    by_text = {choice.casefold(): choice for choice in choices}

    def convert(value: object) -> str:
        found = by_text.get(str(getattr(value, "value", value)).casefold())
        if found is None:
            raise WrongValue(f"expected one of {', '.join(choices)}")
        return found

    return convert


def _string(value: object) -> str:
    return value if isinstance(value, str) else _refuse("a string", value)


def _object(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else _refuse("a dict", value)


def _integer(value: object) -> int:
    # Jinja makes a string of whatever it renders.
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return _refuse("a whole number", value)


def _boolean(value: object) -> bool:
    if isinstance(value, str) and value.strip().lower() in _BOOLEANS:
        return _BOOLEANS[value.strip().lower()]
    return value if isinstance(value, bool) else _refuse("true or false", value)


def _duration(value: object) -> str:
    if isinstance(value, timedelta) and value >= timedelta():
        return iso_duration(value)
    if isinstance(value, str) and _ISO_DURATION.fullmatch(value):
        return value
    return _refuse("a timedelta or an ISO 8601 duration such as 'PT15M'", value)


SCALARS: Final[Mapping[str, Callable[[object], Any]]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "duration": _duration,
    "object": _object,
}


def _refuse(expected: str, value: object) -> NoReturn:
    raise WrongValue(f"expected {expected}, not {kind_of(value)}")
