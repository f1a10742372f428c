"""Every argument of every operator: whether it changes what is needed of a role is known, and true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from airflow_provider_batchad import operators
from airflow_provider_batchad.access.wanted import UNKNOWN
from tests.contract.role_cases import TABLES


class Seen(Mapping[str, Any]):
    """Arguments that remember which of them were looked at."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("which arguments are looked at cannot be told")

    __len__ = __iter__  # type: ignore[assignment]


def needed(operator: str, given: Mapping[str, Any]) -> frozenset[Any]:
    kind = getattr(operators, operator)
    return frozenset(one.action for one in kind.required_actions({**TABLES[operator].base, **given}))


def test_every_operator_is_known() -> None:
    assert set(TABLES) == set(operators.__all__)


@pytest.mark.parametrize("operator", operators.__all__)
def test_every_argument_of_an_operator_is_known(operator: str) -> None:
    table = TABLES[operator]
    assert not set(table.changing) & set(table.same)
    assert {*table.changing, *table.same} == getattr(operators, operator).argument_names()


@pytest.mark.parametrize("operator", operators.__all__)
def test_what_is_looked_at_changes_what_is_needed_and_nothing_else_does(operator: str) -> None:
    table, kind = TABLES[operator], getattr(operators, operator)
    least = needed(operator, {})
    for name, values in table.changing.items():
        found = [needed(operator, value.given) for value in values]
        assert found[0] == least, name
        assert all(one <= found[-1] for one in found), name
        assert found[-1] > least, name
        assert needed(operator, {name: UNKNOWN}) == found[-1], name
    seen = Seen(table.base)
    list(kind.required_actions(seen))
    assert seen.names >= set(table.changing)
    for name in seen.names - set(table.changing):
        # Looked at for what is optional alone.
        for given in (*(value.given[name] for value in table.same[name]), None, UNKNOWN, "{{ x }}"):
            assert needed(operator, {name: given}) == least, name
