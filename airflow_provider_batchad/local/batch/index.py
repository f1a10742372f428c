"""Entities by id: found without case, kept with it, and listed in the order of the folded id."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


def fold(identifier: str) -> str:
    """The key of an id: ids are case-preserving and case-insensitive."""
    return identifier.lower()


class IdIndex(Generic[T]):
    """A dictionary by folded id that can be walked from any id on.

    The sorted order is made when somebody lists, so that adding many is linear; a sort of what is almost
    sorted costs little.
    """

    def __init__(self) -> None:
        self._entities: dict[str, T] = {}
        self._order: list[str] = []
        self._is_stale = False

    def __len__(self) -> int:
        return len(self._entities)

    def __contains__(self, identifier: str) -> bool:
        return fold(identifier) in self._entities

    def get(self, identifier: str) -> T | None:
        """The entity with this id, in any case."""
        return self._entities.get(fold(identifier))

    def values(self) -> Iterator[T]:
        """All, as they were added; nothing may be added or removed meanwhile."""
        return iter(self._entities.values())

    def add(self, identifier: str, entity: T) -> None:
        """Keep an entity; its id must be new."""
        self._entities[fold(identifier)] = entity
        self._is_stale = True

    def remove(self, identifier: str) -> None:
        """Forget the entity with this id."""
        del self._entities[fold(identifier)]
        self._is_stale = True

    def walk(self, after: str = "") -> Iterator[tuple[str, T]]:
        """Folded ids and entities in order, behind the key ``after``; safe against changes meanwhile."""
        order = self._sorted()
        entities = self._entities
        for position in range(bisect_right(order, after), len(order)):
            key = order[position]
            entity = entities.get(key)
            if entity is not None:
                yield key, entity

    def _sorted(self) -> list[str]:
        if self._is_stale:
            # A new list: whoever walks the old one goes on walking it.
            self._order = sorted(self._entities)
            self._is_stale = False
        return self._order
