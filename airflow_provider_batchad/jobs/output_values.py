"""What a file of a task says as a value for XCom: parsed, and refused where XCom could not hold it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 64
"""Lists and dicts within each other; Airflow walks them by recursion on the way to its database."""

_LINE: Final = re.compile(r"::(\{.*\})::", re.ASCII)
# What carries a value from the task to Airflow's supervisor (msgpack) has whole numbers of 64 bits.
_SMALLEST, _LARGEST = -(2**63), 2**64 - 1


class UnfitValue(ValueError):
    """A value that cannot go to XCom; says why, without repeating what it is."""


def parse_text(content: bytes) -> str:
    """A text file.

    :raises UnfitValue: it is no UTF-8, or holds what no database takes for text.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UnfitValue(f"byte {error.start} is not UTF-8") from None
    check_value(text)
    return text


def parse_json(content: bytes) -> Any:
    """A JSON file.

    :raises UnfitValue: it is no JSON, or nothing that XCom could hold.
    """
    value = _load(content)
    check_value(value)
    return value


def parse_lines(parts: Iterable[bytes]) -> dict[str, Any]:
    """What the lines ``::{"outputs": {…}}::`` say together; of a name that is there twice, the later value.

    A program says each result when it has it, so the lines add up. A line with other keys is left alone.

    :param parts: the log, or whole lines of it.
    :raises UnfitValue: there is no such line, one is no JSON, or it says nothing that XCom could hold.
    """
    found: dict[str, Any] | None = None
    for part in parts:
        for line in part.decode(errors="replace").splitlines():
            match = _LINE.fullmatch(line.strip())
            if match is None or '"outputs"' not in match[1]:
                continue
            said = _load(match[1].encode())
            outputs = said.get("outputs")
            if outputs is None:
                continue
            if not isinstance(outputs, Mapping):
                raise UnfitValue('a line ::{"outputs": …}:: has no object there')
            found = {**(found or {}), **outputs}
    if found is None:
        raise UnfitValue('it has no line ::{"outputs": {…}}::')
    check_value(found)
    return found


def json_bytes(value: object) -> int:
    """How many bytes ``value`` takes as Airflow's database stores it: JSON, without letters beyond ASCII."""
    return len(json.dumps(value))


def check_value(value: object) -> None:
    """Nothing for what XCom can hold.

    :raises UnfitValue: says what it cannot.
    """
    level: list[object] = [value]
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return
        level = [inner for item in level for inner in _inside(item)]
    if level:
        raise UnfitValue(f"it nests lists and objects more than {MAX_DEPTH} deep")


def _inside(item: object) -> Sequence[object]:
    match item:
        case str():
            _check_text(item)
        case bool():
            pass
        case int() if not _SMALLEST <= item <= _LARGEST:
            raise UnfitValue("it has a whole number of more than 64 bits: write it as a string")
        case list():
            return item
        case dict():
            return [*item.keys(), *item.values()]
    return ()


def _check_text(text: str) -> None:
    if "\0" in text:
        raise UnfitValue("it has a character NUL, which databases do not take for text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnfitValue("it has half of a surrogate pair, which is no character") from None


def _load(content: bytes) -> Any:
    try:
        return json.loads(content, parse_constant=_refuse_constant)
    except RecursionError:
        raise UnfitValue(f"it nests lists and objects more than {MAX_DEPTH} deep") from None
    except UnfitValue:
        raise
    except ValueError as error:
        raise UnfitValue(f"it is no JSON: {_where(error)}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise UnfitValue(f"it has {name}, which is no JSON")


def _where(error: ValueError) -> str:
    # The message of a UnicodeDecodeError repeats the content.
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return str(error)
