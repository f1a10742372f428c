"""What becomes of a configuration that is not the one that was saved.

What is saved counts. What the configuration has beside it is added, unless an earlier start had it too: then
somebody has removed it since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class Seen:
    """The keys of what configurations have asked for so far, by kind."""

    def __init__(self, kinds: Mapping[str, Iterable[str]] | None = None) -> None:
        self._before = {kind: set(keys) for kind, keys in (kinds or {}).items()}
        self._now: dict[str, set[str]] = {kind: set(keys) for kind, keys in self._before.items()}

    def add(self, kind: str, keys: Iterable[str]) -> None:
        """The configuration has these."""
        self._now.setdefault(kind, set()).update(keys)

    def is_new(self, kind: str, key: str) -> bool:
        """Whether no earlier start had it."""
        return key not in self._before.get(kind, ())

    def as_data(self) -> dict[str, list[str]]:
        """As it is saved."""
        return {kind: sorted(keys) for kind, keys in sorted(self._now.items())}


def merge_table(
    seen: Seen,
    kind: str,
    fresh: Mapping[str, T],
    saved: Mapping[str, T],
    *,
    key_of: Callable[[T], str] | None = None,
) -> dict[str, T]:
    """A table by whatever it is found by.

    :param key_of: by what two entries are the same; by default what they are found by.
    """
    keys = {name: name if key_of is None else key_of(one) for name, one in fresh.items()}
    present = set(saved) if key_of is None else {key_of(one) for one in saved.values()}
    seen.add(kind, keys.values())
    added = {
        name: one
        for name, one in fresh.items()
        if keys[name] not in present and seen.is_new(kind, keys[name])
    }
    return {**saved, **added}


def merge_list(
    seen: Seen, kind: str, fresh: Iterable[T], saved: Iterable[T], *, key_of: Callable[[T], str]
) -> list[T]:
    """Entries in their order."""
    table: dict[str, Any] = merge_table(
        seen, kind, {key_of(one): one for one in fresh}, {key_of(one): one for one in saved}
    )
    return list(table.values())
