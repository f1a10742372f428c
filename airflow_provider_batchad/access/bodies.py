"""Whether the body of a request asks Batch to make a pool."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

_AUTO_POOL: Final = "autopoolspecification"


def asks_for_auto_pool(body: object, where: Sequence[str]) -> bool:
    """Whether a job that a body describes has a pool of its own.

    A body that cannot be looked at, or is no JSON, counts as asking: what reads it may see more in it.

    :param body: bytes or text; a stream or an iterable is not read, since it can be sent once.
    :param where: the names that lead to the pool's description.
    """
    if isinstance(body, bytes):
        if b"\\u" not in body and b"\0" not in body and _AUTO_POOL.encode() not in body.lower():
            return False
    elif not isinstance(body, str):
        return True
    try:
        # As pairs: of a name that stands twice, each reader takes another.
        found = json.loads(body, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return True
    reached = [found]
    for name in (*where, _AUTO_POOL):
        reached = [value for holder in reached for value in _values(holder, name)]
    return any(value is not None for value in reached)


class _Pairs(list[tuple[str, Any]]):
    """An object's members, in their order."""


def _values(holder: object, name: str) -> Iterator[Any]:
    if isinstance(holder, _Pairs):
        # Without case: the catalogue need not know how strict the service is.
        yield from (value for key, value in holder if key.casefold() == name.casefold())
