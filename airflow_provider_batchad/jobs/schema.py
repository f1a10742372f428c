"""From an author's plain data to the REST API's JSON: names, types and paths of what is wrong.

The table of fields is ``rest_schema.json``, read off azure-batch's models (API version 2025-06-01), so
that whatever the REST API lets one say can be said here, and nothing else.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, NoReturn, TypeAlias

from airflow_provider_batchad.jobs.scalars import SCALARS, WrongValue, choice_of, iso_duration, kind_of

__all__ = ["SpecificationError", "iso_duration", "load_schema", "mapping_of", "to_rest"]

NAME_VALUE_TYPES: Final = frozenset({"EnvironmentSetting", "BatchMetadataItem"})

Convert: TypeAlias = Callable[[Any], Any]


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


def to_rest(type_name: str, value: object, path: str) -> dict[str, Any]:
    """``value``, which says a ``type_name``, as the JSON that the REST API takes.

    :param value: a mapping whose keys are the REST API's names, in snake case or as they are; one of
        azure-batch's models, which is such a mapping; or a dataclass with such fields.
    :param path: of ``value``, for messages.
    :raises SpecificationError: an unknown or missing field, or a value of the wrong type.
    """
    try:
        return _type(type_name).convert(value)
    except WrongValue as wrong:
        raise SpecificationError(f"{path}{wrong.path}", wrong.problem) from None


def mapping_of(value: object) -> Mapping[Any, Any] | None:
    """A mapping, or a dataclass's fields as one; ``None`` for anything else."""
    if isinstance(value, Mapping):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None


class _Type:
    """The fields of a type. The path of what is wrong is put together only where something is."""

    def __init__(self, name: str) -> None:
        schema = load_schema()[name]
        self._name = name
        self._schema = schema
        self._required = [(field["rest"], key) for key, field in schema.items() if field.get("required")]
        self._fields: dict[str, tuple[str, str, Convert]] = {}
        for key, field in schema.items():
            self._fields[key] = self._fields[field["rest"]] = (field["rest"], key, _converter(field["kind"]))

    def convert(self, value: Any) -> dict[str, Any]:
        given = value if type(value) is dict else mapping_of(value)
        if given is None:
            raise WrongValue(f"expected the fields of a {self._name} (a dict), not {kind_of(value)}")
        fields = self._fields
        body: dict[str, Any] = {}
        for key, item in given.items():
            field = fields.get(key)
            if field is None:
                self._refuse_unknown(str(key))
            if item is None:
                continue
            rest, name, convert = field
            if rest in body:
                raise WrongValue("is given twice, in snake case and by its REST name", path=f".{name}")
            try:
                body[rest] = convert(item)
            except WrongValue as wrong:
                raise wrong.below(f".{name}") from None
        for rest, name in self._required:
            if rest not in body:
                raise WrongValue("is required", path=f".{name}")
        return body

    def _refuse_unknown(self, key: str) -> NoReturn:
        close = difflib.get_close_matches(key, list(self._schema), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it knows {', '.join(sorted(self._schema))}"
        raise WrongValue(f"the REST API has no such field; {hint}", path=f".{key}")


@cache
def _type(name: str) -> _Type:
    return _Type(name)


def _converter(kind: Any) -> Convert:
    if isinstance(kind, list):
        return _list_of(kind[0])
    if isinstance(kind, dict):
        return choice_of(kind["enum"])
    # Made at first use: most types are never used, and a type may hold itself.
    return SCALARS.get(kind) or (lambda value: _type(kind).convert(value))


def _list_of(kind: Any) -> Convert:
    convert = _converter(kind)

    def convert_all(value: object) -> list[Any]:
        items = _items(kind, value)
        done: list[Any] = []
        try:
            for item in items:
                done.append(convert(item))  # noqa: PERF401 - how far it came is part of the error
        except WrongValue as wrong:
            raise wrong.below(f"[{len(done)}]") from None
        return done

    return convert_all


def _items(kind: Any, value: object) -> Iterable[object]:
    if type(value) is list:
        return value
    if isinstance(value, Mapping) and isinstance(kind, str) and kind in NAME_VALUE_TYPES:
        return [{"name": name, "value": item} for name, item in value.items()]
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise WrongValue(f"expected a list, not {kind_of(value)}")
    return value
