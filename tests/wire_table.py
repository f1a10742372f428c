"""Prints, at the end of a session, what came of each request of a job's life that was broken on the wire."""

from __future__ import annotations

from typing import Any

import pytest

PROPERTY = "wire faults"


class WireTable:
    """Gathers the rows of ``tests/contract/test_wire_faults.py``, whichever process ran them."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, dict[str, str]]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self._rows += [value for name, value in report.user_properties if name == PROPERTY]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """For each operation and way, the faults by what came of them."""
        if not self._rows:
            return
        terminalreporter.section("requests broken on the wire")
        for operation, way, found in sorted(self._rows, key=lambda row: row[:2]):
            by_verdict: dict[str, list[str]] = {}
            for fault, verdict in found.items():
                by_verdict.setdefault(verdict, []).append(fault)
            terminalreporter.write_line(f"{operation} ({way})")
            for verdict, faults in by_verdict.items():
                terminalreporter.write_line(f"    {verdict:<18}{'; '.join(faults)}")
