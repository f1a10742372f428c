"""Prints, at the end of a session, under which roles operators ran, and what each line of a role is for."""

from __future__ import annotations

from typing import Any

import pytest

ENOUGH = "roles that are enough"
LESS_ONE = "roles less one line"


class RoleTable:
    """Gathers the rows of ``tests/contract/test_role_mutations.py``, whichever process ran them."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[str, str, str]]] = {ENOUGH: [], LESS_ONE: []}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            for name, value in report.user_properties:
                if name in self._rows:
                    operator, case, found = map(str, value)  # type: ignore[call-overload]
                    self._rows[name].append((operator, case, found))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """For each operator and its arguments: the lines of its role, and what is refused without each."""
        for title, rows in self._rows.items():
            if not rows:
                continue
            terminalreporter.section(f"{title}: {len(rows)}")
            for operator in sorted({row[0] for row in rows}):
                terminalreporter.write_line(operator)
                for case in dict.fromkeys(row[1] for row in rows if row[0] == operator):
                    said = "; ".join(row[2] for row in rows if row[:2] == (operator, case))
                    terminalreporter.write_line(f"    {case:<44} {said}")
