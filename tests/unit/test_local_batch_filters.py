"""``$filter`` of local Batch: grammar, types, and what it refuses."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchad.local.batch.filters import FilterRefused, Property, compile_filter
from airflow_provider_batchad.local.batch.ticks import parse_moment

ORDER = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})


@dataclass
class Thing:
    id: str = "alpha"
    changed: int = parse_moment("2026-03-01T10:00:00.5Z")
    code: int | None = 3
    on: bool = True


PROPERTIES: dict[str, Property[Thing]] = {
    "id": Property(kind="text", operators=ORDER | {"startswith"}, read=lambda thing: thing.id),
    "state": Property(kind="text", operators=frozenset({"eq"}), read=lambda thing: "active"),
    "changed": Property(kind="moment", operators=ORDER, read=lambda thing: thing.changed),
    "info/code": Property(kind="number", operators=ORDER, read=lambda thing: thing.code),
    "on": Property(kind="truth", operators=frozenset({"eq", "ne"}), read=lambda thing: thing.on),
}


def passes(text: str, thing: Thing | None = None) -> bool:
    return compile_filter(text, PROPERTIES)(thing or Thing())


@pytest.mark.parametrize(
    "text",
    [
        "id eq 'alpha'",
        "id eq 'ALPHA'",
        "startswith(id,'AL')",
        "startswith( id , 'alp' ) and state eq 'Active'",
        "id gt 'alp' and id lt 'alpi'",
        "state eq 'active' or id eq 'x'",
        "id eq 'x' or state eq 'active' and id eq 'alpha'",
        "(id eq 'x' or state eq 'active') and id eq 'alpha'",
        "((info/code eq 3))",
        "info/code ne -1",
        "info/code ge 2.5",
        "on eq true",
        "on ne false",
        "changed gt DateTime'2026-03-01T10:00:00Z'",
        "changed ge datetime'2026-03-01T10:00:00.5Z'",
        "changed eq DateTime'2026-03-01T11:00:00.5+01:00'",
        "changed lt DateTime'Sun, 01 Mar 2026 10:00:01 GMT'",
    ],
)
def test_filter_that_holds(text: str) -> None:
    assert passes(text)


@pytest.mark.parametrize(
    "text",
    [
        "id eq 'beta'",
        "startswith(id,'be')",
        "state eq 'active' and id eq 'x'",
        "(id eq 'x' or state eq 'active') and id eq 'beta'",
        "changed lt DateTime'2026-03-01T10:00:00.5Z'",
        "info/code gt 3",
        "on eq false",
    ],
)
def test_filter_that_does_not_hold(text: str) -> None:
    assert not passes(text)


def test_absent_value_is_only_unequal() -> None:
    absent = Thing(code=None)
    assert passes("info/code ne 3", absent)
    assert not any(passes(f"info/code {verb} 3", absent) for verb in ("eq", "gt", "ge", "lt", "le"))


def test_two_quotes_in_a_string_stand_for_one() -> None:
    assert passes("id eq 'o''hara'", Thing(id="o'hara"))


@pytest.mark.parametrize(
    "text",
    [
        "ID eq 'alpha'",
        "unknown eq 'x'",
        "state ne 'active'",
        "startswith(state,'a')",
        "startswith(id,3)",
        "startswith(id)",
        "id startswith 'alpha'",
        "id eq alpha",
        'id eq "alpha"',
        "id eq 'alpha",
        "id like 'a'",
        "id eq",
        "id",
        "and",
        "(id eq 'a'",
        "id eq 'a')",
        "id eq 'a' id eq 'a'",
        "id eq 'a' and",
        "changed gt '2026-03-01T10:00:00Z'",
        "changed gt DateTime'yesterday'",
        "info/code eq '3'",
        "info/code eq 3x",
        "on eq 'true'",
        "not on eq true",
        "id eq 'a' & state eq 'b'",
        "(" * 60 + "id eq 'a'" + ")" * 60,
    ],
)
def test_filter_that_is_refused(text: str) -> None:
    with pytest.raises(FilterRefused):
        compile_filter(text, PROPERTIES)


PIECES = [
    "id",
    "state",
    "changed",
    "info/code",
    "on",
    "eq",
    "ne",
    "gt",
    "and",
    "or",
    "startswith",
    "(",
    ")",
    ",",
]
LITERALS = ["'a'", "''", "3", "-1", "true", "DateTime'2026-01-01T00:00:00Z'", "DateTime'x'", "'", "%"]


@given(st.lists(st.sampled_from(PIECES + LITERALS), max_size=12))
def test_whatever_is_asked_is_either_compiled_or_refused(pieces: list[str]) -> None:
    with contextlib.suppress(FilterRefused):
        assert compile_filter(" ".join(pieces), PROPERTIES)(Thing()) in (True, False)


@given(st.text(max_size=40))
def test_any_text_is_either_compiled_or_refused(text: str) -> None:
    with contextlib.suppress(FilterRefused):
        assert callable(compile_filter(text, PROPERTIES))
