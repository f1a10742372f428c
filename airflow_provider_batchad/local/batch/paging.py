"""Pages of a list: where one ends, and the link to the next."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar
from urllib.parse import unquote_plus

from airflow_provider_batchad.local.batch.errors import invalid_query

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.filters import Predicate
    from airflow_provider_batchad.local.batch.query import Query

T = TypeVar("T")

# The recorded form: an opaque middle between these two. "+" must not occur: clients decode it to a space.
_PREFIX: Final = "WATV2:"
_SUFFIX: Final = ":1$1"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """What one request gets.

    :param next_key: the key that the next page starts behind; ``None`` for the last.
    """

    entities: list[T]
    next_key: str | None


def read_position(query: Query) -> str:
    """The key that the asked page starts behind; empty for the first.

    :raises BatchError: ``$skiptoken`` is not one of ours.
    """
    token = query.values.get("$skiptoken")
    if token is None:
        return ""
    middle = token.removeprefix(_PREFIX).removesuffix(_SUFFIX)
    try:
        return base64.b64decode(middle.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid_query("$skiptoken", token, "The continuation token is not valid") from None


def take_page(
    walk: Callable[[str], Iterable[tuple[str, T]]], query: Query, predicate: Predicate[T] | None
) -> Page[T]:
    """The page that a query asks for.

    :param walk: keys and entities in order, behind a key.
    """
    size = query.page_size()
    taken: list[T] = []
    last_key = ""
    for key, entity in walk(read_position(query)):
        if predicate is not None and not predicate(entity):
            continue
        if len(taken) == size:
            return Page(taken, last_key)
        taken.append(entity)
        last_key = key
    return Page(taken, None)


def next_link(base_url: str, path: str, query: Query, key: str) -> str:
    """The absolute URL of the page behind a key: the same query, with another ``$skiptoken``."""
    middle = base64.urlsafe_b64encode(key.encode()).decode()
    kept = [part for part in query.raw.split("&") if not _is_token(part)]
    return f"{base_url}{path}?{'&'.join([*kept, f'$skiptoken={_PREFIX}{middle}{_SUFFIX}'])}"


def _is_token(part: str) -> bool:
    return unquote_plus(part.partition("=")[0]).lower() == "$skiptoken"
