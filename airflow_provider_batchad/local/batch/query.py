"""The query of a request: names in any case, values checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.parse import unquote_plus

from airflow_provider_batchad.local.batch.errors import BatchError, invalid_query
from airflow_provider_batchad.local.batch.filters import FilterRefused, Predicate, Property, compile_filter

T = TypeVar("T")

_MAX_PAGE: Final = 1000
# The service's versions since the oldest that a recording holds; clients send these exact strings.
_VERSIONS: Final = frozenset(
    (
        "2018-12-01.8.0",
        "2019-06-01.9.0",
        "2019-08-01.10.0",
        "2020-03-01.11.0",
        "2020-09-01.12.0",
        "2021-06-01.14.0",
        "2022-01-01.15.0",
        "2022-10-01.16.0",
        "2023-05-01.17.0",
        "2023-11-01.18.0",
        "2024-02-01.19.0",
        "2024-07-01.20.0",
        "2025-06-01",
    )
)


@dataclass(frozen=True, slots=True)
class Query:
    """A request's query.

    :param raw: without the question mark, as it came.
    :param values: decoded, by name in lower case; of a repeated name the last.
    """

    raw: str
    values: Mapping[str, str]

    @classmethod
    def parse(cls, raw: str) -> Query:
        """Read what stands behind the question mark."""
        values = {}
        for part in raw.split("&"):
            name, _, value = part.partition("=")
            if name:
                values[unquote_plus(name).lower()] = unquote_plus(value)
        return cls(raw, values)

    def check_version(self) -> str:
        """The API version.

        :raises BatchError: there is none, or none that the service has had.
        """
        version = self.values.get("api-version")
        if not version:
            raise BatchError("MissingRequiredQueryParameter", (("QueryParameterName", "api-version"),))
        if version not in _VERSIONS:
            raise BatchError("UnsupportedRequestVersion")
        return version

    def is_true(self, name: str) -> bool:
        """A flag; absent is false.

        :raises BatchError: it is neither true nor false.
        """
        value = self.values.get(name, "false")
        if value.lower() not in ("true", "false"):
            raise invalid_query(name, value, "The value must be true or false")
        return value.lower() == "true"

    def page_size(self) -> int:
        """``maxresults``.

        :raises BatchError: it is out of its range.
        """
        value = self.values.get("maxresults")
        if value is None:
            return _MAX_PAGE
        try:
            size = int(value)
        except ValueError:
            raise invalid_query("maxresults", value, "The value must be an integer") from None
        if size < 1:
            raise invalid_query("maxresults", value, "MaxResults cannot be less than 1")
        if size > _MAX_PAGE:
            raise invalid_query("maxresults", value, f"MaxResults cannot be greater than {_MAX_PAGE}")
        return size

    def compile_filter(self, properties: Mapping[str, Property[T]]) -> Predicate[T] | None:
        """``$filter`` as a function.

        :raises BatchError: it is not one that this list allows.
        """
        text = self.values.get("$filter", "").strip()
        if not text:
            return None
        try:
            return compile_filter(text, properties)
        except FilterRefused as refusal:
            raise invalid_query("$filter", text, str(refusal)) from None

    def select(self, members: Collection[str]) -> frozenset[str] | None:
        """``$select``: top-level members, or ``None`` for all.

        :raises BatchError: it names what the resource does not have.
        """
        text = self.values.get("$select", "").strip()
        if not text:
            return None
        names = frozenset(name.strip() for name in text.split(","))
        for name in names:
            if name not in members:
                raise invalid_query("$select", text, f"Could not find a property named '{name}'")
        return names

    def check_expand(self) -> None:
        """``$expand``: only ``stats``, which the service leaves out where it has none, as here it never has.

        :raises BatchError: something else is to be expanded.
        """
        text = self.values.get("$expand", "").strip()
        for name in text.split(",") if text else ():
            if name.strip() != "stats":
                raise invalid_query("$expand", text, f"The property '{name.strip()}' cannot be expanded")
