"""From an author's plain data to the REST API's JSON: names, types and paths of what is wrong.

The table of fields is ``rest_schema.json``, read off azure-batch's models (API version 2025-06-01), so
that whatever the REST API lets one say can be said here, and nothing else.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any, NoReturn

NAME_VALUE_TYPES = frozenset({"EnvironmentSetting", "BatchMetadataItem"})
_ISO_DURATION = re.compile(r"P(?=.)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


class SpecificationError(ValueError):
    """A job or a task says something that the REST API does not take.

    :param path: where, such as ``tasks[17].resource_files[0].http_url``.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


@cache
def load_schema() -> dict[str, dict[str, Any]]:
    """Type → field in snake case → REST name, kind, and whether it is required."""
    text = files("airflow_provider_batchad.jobs").joinpath("rest_schema.json").read_text()
    schema: dict[str, dict[str, Any]] = json.loads(text)
    return schema


@cache
def _rest_names(type_name: str) -> dict[str, str]:
    return {field["rest"]: name for name, field in load_schema()[type_name].items()}


def to_rest(type_name: str, value: object, path: str) -> dict[str, Any]:
    """``value``, which says a ``type_name``, as the JSON that the REST API takes.

    :param value: a mapping whose keys are the REST API's names, in snake case or as they are; or one of
        azure-batch's models, which is such a mapping.
    :raises SpecificationError: an unknown or missing field, or a value of the wrong type.
    """
    if not isinstance(value, Mapping):
        _refuse(path, f"expected the fields of a {type_name} (a dict), not {_kind_of(value)}")
    fields = load_schema()[type_name]
    body: dict[str, Any] = {}
    for key, item in value.items():
        name = key if key in fields else _rest_names(type_name).get(key)
        if name is None:
            _refuse_unknown(path, str(key), fields)
        if item is None:
            continue
        field = fields[name]
        if field["rest"] in body:
            _refuse(f"{path}.{name}", "is given twice, in snake case and by its REST name")
        body[field["rest"]] = _value(field["kind"], item, f"{path}.{name}")
    for name, field in fields.items():
        if field.get("required") and field["rest"] not in body:
            _refuse(f"{path}.{name}", "is required")
    return body


def iso_duration(value: timedelta) -> str:
    """A duration as ISO 8601 has it, such as ``P1DT2H0M5S``."""
    minutes, seconds = divmod(value.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    return f"P{days}DT{hours}H{minutes}M{seconds:.7f}".rstrip("0").rstrip(".") + "S"


def _value(kind: Any, value: object, path: str) -> Any:
    if isinstance(kind, list):
        return [_value(kind[0], item, f"{path}[{n}]") for n, item in enumerate(_items(kind[0], value, path))]
    if isinstance(kind, dict):
        return _choice(kind["enum"], value, path)
    convert = _SCALARS.get(kind)
    return convert(value, path) if convert else to_rest(kind, value, path)


def _string(value: object, path: str) -> str:
    return value if isinstance(value, str) else _refuse_type(path, "a string", value)


def _object(value: object, path: str) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else _refuse_type(path, "a dict", value)


def _items(kind: Any, value: object, path: str) -> Iterable[object]:
    if isinstance(value, Mapping) and kind in NAME_VALUE_TYPES:
        return [{"name": name, "value": item} for name, item in value.items()]
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        _refuse_type(path, "a list", value)
    return value


def _integer(value: object, path: str) -> int:
    # Jinja makes a string of whatever it renders.
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?\d+\s*", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return _refuse_type(path, "a whole number", value)


def _boolean(value: object, path: str) -> bool:
    if isinstance(value, str) and value.strip().lower() in _BOOLEANS:
        return _BOOLEANS[value.strip().lower()]
    return value if isinstance(value, bool) else _refuse_type(path, "true or false", value)


def _duration(value: object, path: str) -> str:
    if isinstance(value, timedelta) and value >= timedelta():
        return iso_duration(value)
    if isinstance(value, str) and _ISO_DURATION.fullmatch(value):
        return value
    return _refuse_type(path, "a timedelta or an ISO 8601 duration such as 'PT15M'", value)


def _choice(choices: list[str], value: object, path: str) -> str:
    text = str(getattr(value, "value", value)).casefold()
    found = next((choice for choice in choices if choice.casefold() == text), None)
    return found or _refuse(path, f"expected one of {', '.join(choices)}")


_SCALARS: dict[str, Callable[[object, str], Any]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "duration": _duration,
    "object": _object,
}


def _refuse(path: str, problem: str) -> NoReturn:
    raise SpecificationError(path, problem)


def _refuse_type(path: str, expected: str, value: object) -> NoReturn:
    _refuse(path, f"expected {expected}, not {_kind_of(value)}")


def _refuse_unknown(path: str, key: str, fields: Iterable[str]) -> NoReturn:
    close = difflib.get_close_matches(key, list(fields), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it knows {', '.join(sorted(fields))}"
    _refuse(f"{path}.{key}", f"the REST API has no such field; {hint}")


def _kind_of(value: object) -> str:
    return "null" if value is None else f"a {type(value).__name__}"
