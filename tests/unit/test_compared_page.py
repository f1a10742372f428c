"""`docs/compared.md` and the suite behind it: every situation is there, and names tests that there are."""

from __future__ import annotations

import re

from tests import parity
from tests.peer.rows import ROWS

PAGE = parity.ROOT / "docs" / "compared.md"
TESTS = frozenset(
    name for path in (parity.ROOT / "tests" / "peer").glob("test_*.py") for name in parity.tests_of(path.name)
)


def test_all_33_situations_are_there_in_order() -> None:
    assert [row.number for row in ROWS] == [f"B{number}" for number in range(1, 34)]


def test_every_situation_has_a_test_of_each_operator() -> None:
    assert [row.number for row in ROWS if row.peer_test not in TESTS] == []
    assert [row.number for row in ROWS if row.our_test not in TESTS] == []


def test_every_situation_is_on_the_page_with_its_tests() -> None:
    cells = {row[0]: row for row in parity.read_rows(PAGE.read_text())}
    for row in ROWS:
        _, peer, ours, witnesses = cells[row.what]
        assert (peer, ours) == (row.peer, row.ours), row.what
        named = set(re.findall(r"test_\w+", witnesses))
        assert named == {test for test in (row.peer_test, row.our_test) if test}, row.what


def test_the_page_names_the_version_that_is_pinned() -> None:
    pins = (parity.ROOT / "benchmarks" / "peer.txt").read_text()
    pinned = re.search(r"^apache-airflow-providers-microsoft-azure==(\S+)$", pins, re.MULTILINE)
    assert pinned is not None
    assert f"apache-airflow-providers-microsoft-azure {pinned[1]}" in PAGE.read_text()
