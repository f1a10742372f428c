"""The claims of `docs/parity.md`, and the check that those whose tests ran in this session are witnessed."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "parity.md"
STATES: Final = ("real", "emulated", "left out")
_HEADINGS: Final = ("capability", "---")
_WITNESS: Final = re.compile(r"`(?P<file>test_\w+\.py)(?:::(?P<test>test_\w+))?`")


@dataclass(frozen=True)
class Witness:
    """A test, with all its parameters, or all tests of a file."""

    file: str
    test: str | None

    def __str__(self) -> str:
        return self.file if self.test is None else f"{self.file}::{self.test}"


@dataclass(frozen=True)
class Claim:
    """A row of the page."""

    capability: str
    state: str
    witnesses: tuple[Witness, ...]


def read_rows(page: str) -> list[list[str]]:
    """The cells of all rows of all tables."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line[:1] == "|"]


def read_claims(page: str) -> tuple[Claim, ...]:
    """Every row of the tables: capability, state, how far, witnesses."""
    rows = [row for row in read_rows(page) if len(row) == 4]
    return tuple(
        Claim(
            capability=capability,
            state=state,
            witnesses=tuple(Witness(one["file"], one["test"]) for one in _WITNESS.finditer(tests)),
        )
        for capability, state, _, tests in rows
        if capability not in _HEADINGS
    )


@cache
def tests_of(file: str) -> frozenset[str]:
    """The test functions of a file, wherever below `tests/` it is; none where there is no such file."""
    paths = list((ROOT / "tests").rglob(file))
    trees = [ast.parse(path.read_text()) for path in paths]
    return frozenset(
        node.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def find_missing(claims: tuple[Claim, ...]) -> list[str]:
    """Witnesses that do not exist, and claims that have none."""
    missing = [
        f"{claim.capability}: there is no {witness}"
        for claim in claims
        for witness in claim.witnesses
        if not tests_of(witness.file) or (witness.test and witness.test not in tests_of(witness.file))
    ]
    return missing + [
        f"{claim.capability}: no witness"
        for claim in claims
        if not claim.witnesses and claim.state != "left out"
    ]


class ParityCheck:
    """A pytest plugin: a session in which a claim was tried and not witnessed is a failed one.

    A machine may lack what a single witness needs, such as IPv6: a skipped one breaks no claim beside one
    that passed.
    """

    def __init__(self, claims: tuple[Claim, ...]) -> None:
        self._claims = claims
        self._outcomes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def note(self, node_id: str, outcome: str) -> None:
        """What a test came to; with several parameters, each of them."""
        path, _, rest = node_id.partition("::")
        test = rest.partition("[")[0].rpartition("::")[2]
        self._outcomes[path.rpartition("/")[2], test].add(outcome)

    def find_broken(self) -> list[str]:
        """Claims of which a witness failed, or all that there were to be run were skipped."""
        return [line for claim in self._claims for line in self._judge(claim)]

    def _judge(self, claim: Claim) -> list[str]:
        found = {
            (file, test): outcomes
            for (file, test), outcomes in self._outcomes.items()
            if any(one.file == file and one.test in (None, test) for one in claim.witnesses)
        }
        has_passed = any("passed" in outcomes for outcomes in found.values())
        return [
            f"{claim.capability}: {file}::{test} was {' and '.join(sorted(outcomes))}"
            for (file, test), outcomes in found.items()
            if "failed" in outcomes or not has_passed
        ]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that is skipped, or fails in setting up, has no call; one that passed has."""
        if report.when == "call" or report.outcome != "passed":
            self.note(report.nodeid, report.outcome)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Skipped tests fail nothing by themselves."""
        if self.find_broken() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which claims of the page do not hold."""
        broken = self.find_broken()
        if broken:
            terminalreporter.section("claims of docs/parity.md without a passing witness", red=True)
            for line in broken:
                terminalreporter.write_line(line)
