"""`docs/end-of-life.md`: every row says everything, and names tests that there are."""

from __future__ import annotations

import re

from tests import parity

PAGE = parity.ROOT / "docs" / "end-of-life.md"
ROWS = [row for row in parity.read_rows(PAGE.read_text()) if row[0] not in ("what ends the task", "---")]
ENDS = (
    "killed", "marked failed", "marked success", "cleared", "execution_timeout", "deferral", "dagrun_timeout",
    "sigterm", "before its trigger began", "triggerer is restarted", "takes over", "scheduler is restarted",
    "machine is gone", "api server", "evict", "frozen", "still at work",
)  # fmt: skip
WITNESS = re.compile(r"`(?P<file>test_\w+\.py)::(?P<test>test_\w+)`")


def test_every_row_says_everything() -> None:
    assert [row for row in ROWS if len(row) != 6 or not all(row)] == []


def test_every_end_has_a_row() -> None:
    named = "\n".join(row[0] for row in ROWS).lower()
    assert [end for end in ENDS if end not in named] == []


def test_no_end_is_told_twice() -> None:
    assert len({row[0] for row in ROWS}) == len(ROWS)


def test_every_row_names_tests_that_there_are() -> None:
    for row in ROWS:
        found = list(WITNESS.finditer(row[5]))
        assert found, row[0]
        missing = [one[0] for one in found if one["test"] not in parity.tests_of(one["file"])]
        assert missing == [], row[0]


def test_the_reasons_are_those_of_the_code() -> None:
    package = parity.ROOT / "airflow_provider_batchad"
    code = "\n".join(path.read_text() for path in package.rglob("*.py") if "local" not in path.parts)
    for words in (
        "Airflow: the task was set to {state}.",
        "Airflow: the task was cleared.",
        "Superseded by {plan.job_id}: the Airflow task was cleared.",
        "Airflow: execution_timeout of {timeout} passed.",
        "ended by {who} with 'airflow batchad orphans'.",
    ):
        assert words in code
        shown = re.split(r"\{[\w.]+\}", words)
        assert all(part in PAGE.read_text() for part in shown), words
