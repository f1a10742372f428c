"""Which members of which classes are kept, and the records that they make."""

from __future__ import annotations

import hashlib
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, create_model

from airflow_provider_batchad.local.state.catalogue import LEFT_OUT, NAMES, PLAIN_CLASSES
from airflow_provider_batchad.local.state.shapes import Shape, Shapes, Uncovered

_MODEL: Final = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


class Records:
    """The records of one state directory.

    :param root: what paths are kept relative to.
    :param references: the shapes of entities that others only point to.
    """

    def __init__(self, root: Path, references: Mapping[type, Shape]) -> None:
        self._shapes = Shapes(root, self._find)
        self._references = references
        self._members: dict[type, dict[str, Shape]] = {}
        self._records: dict[type, Shape] = {}

    def shape(self, annotation: Any) -> Shape:
        """The plain form of a type.

        :raises Uncovered: it has none.
        """
        return self._shapes.of(annotation)

    def members(self, cls: type) -> dict[str, Shape]:
        """The members of a class that are kept, by name.

        :raises Uncovered: one of them has no plain form.
        """
        if cls not in self._members:
            self._members[cls] = {
                name: self._member(cls, name, annotation) for name, annotation in annotations_of(cls).items()
            }
        return self._members[cls]

    def record(self, cls: type) -> Shape:
        """The shape of an entity with all that is kept of it."""
        if cls not in self._records:
            members = self.members(cls)
            self._records[cls] = Shape(
                wire=_make_model(cls.__name__, {_public(name): one.wire for name, one in members.items()}),
                text=f"{cls.__name__}({', '.join(f'{name}: {one.text}' for name, one in members.items())})",
                encode=lambda value: self.encode(cls, value),
                decode=lambda plain: self._make(cls, plain),
            )
        return self._records[cls]

    def encode(self, cls: type, value: Any) -> dict[str, Any]:
        """An entity, or a service, as plain data."""
        return {_public(name): one.encode(getattr(value, name)) for name, one in self.members(cls).items()}

    def decode(self, cls: type, plain: Mapping[str, Any]) -> dict[str, Any]:
        """The members of an entity, or of a service, from plain data.

        :raises pydantic.ValidationError: the data are of another form.
        """
        self.record(cls).wire.model_validate(plain)
        return {name: one.decode(plain[_public(name)]) for name, one in self.members(cls).items()}

    def digest(self, classes: Mapping[str, type]) -> str:
        """Names the forms of all: what is written with others cannot be read."""
        texts = (f"{name}: {self.record(cls).text}" for name, cls in sorted(classes.items()))
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]

    def _member(self, cls: type, name: str, annotation: Any) -> Shape:
        try:
            return self._shapes.of(annotation)
        except Uncovered as error:
            raise Uncovered(f"{cls.__name__}.{name}: {error}") from None

    def _find(self, cls: type) -> Shape | None:
        if cls in self._references:
            return self._references[cls]
        return self.record(cls) if is_dataclass(cls) or cls in PLAIN_CLASSES else None

    def _make(self, cls: type, plain: Mapping[str, Any]) -> Any:
        members = {name: one.decode(plain[_public(name)]) for name, one in self.members(cls).items()}
        if is_dataclass(cls):
            return cls(**members)
        made: Any = object.__new__(cls)
        for name, value in members.items():
            setattr(made, name, value)
        return made


def annotations_of(cls: type) -> dict[str, Any]:
    """The types of the members that are kept.

    :raises Uncovered: a type is not in the catalogue.
    """
    if cls in PLAIN_CLASSES:
        return dict(PLAIN_CLASSES[cls])
    left_out: Callable[[str], bool] = LEFT_OUT.get(cls, frozenset()).__contains__
    try:
        hints = typing.get_type_hints(cls, localns=dict(NAMES))
    except NameError as error:
        raise Uncovered(f"{cls.__name__}: {error}") from None
    return {one.name: hints[one.name] for one in fields(cls) if not left_out(one.name)}


def _make_model(name: str, members: Mapping[str, Any]) -> type[BaseModel]:
    model_fields: Any = {member: (annotation, ...) for member, annotation in members.items()}
    made: type[BaseModel] = create_model(name, __config__=_MODEL, **model_fields)
    return made


def _public(name: str) -> str:
    return name.lstrip("_")
