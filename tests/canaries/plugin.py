"""A session in which a secret, a token or a certificate is found where it must not be has failed.

Each process that runs tests searches what its tests said and left at its end; with pytest-xdist, the one that
leads gathers what they found. A finding names the test and the place, never the value.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.local.ledger import Ledger
from demo.airflow import AirflowSettings
from tests.canaries.births import Births
from tests.canaries.exemptions import is_exempt
from tests.canaries.places import texts_below
from tests.canaries.search import Search
from tests.canaries.witness import Witness

_FOLDER_VARIABLE = "BATCHAD_TESTS_CANARIES"
_KEY = pytest.StashKey["Canaries"]()
# Their levels stand: the package, which quiets them where nobody has given them one, leaves them as they are.
_TALKATIVE = ("", "azure", "msal")


class Canaries:
    """The pytest plugin.

    :param airflow_home: of this process's tests.
    """

    def __init__(self, config: pytest.Config, airflow_home: Path) -> None:
        self._is_worker = hasattr(config, "workerinput")
        if not self._is_worker:
            os.environ[_FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="batchad-canaries-")
        self._folder = Path(os.environ[_FOLDER_VARIABLE])
        self._airflow_home = airflow_home
        self._ran = False
        self.births = Births(self._folder)
        self.births.watch()
        self.witness = Witness(self._folder / f"seen-{os.getpid()}")
        self.findings: list[str] = []
        self._watch()
        config.stash[_KEY] = self

    def _watch(self) -> None:
        witness, births = self.witness, self.births
        witness.watch_logs()
        witness.watch_calls(
            AirflowSettings, "__init__", lambda _, made, **__: births.fernet_keys.add(made.fernet_key)
        )
        witness.watch_calls(
            Ledger, "record", lambda _, __, **entry: witness.note("ledger", list(entry.values()))
        )
        witness.watch_calls(
            subprocess.Popen, "communicate", lambda said, *_, **__: witness.note("output of a process", said)
        )
        witness.watch_calls(
            pytest.CaptureFixture, "readouterr", lambda said, *_: witness.note("captured output", said)
        )
        witness.watch_calls(
            pytest.ExceptionInfo,
            "fill_unfilled",
            lambda _, __, caught, *___: witness.note_error("raised", caught[1]),
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Everything between is this test's."""
        self._ran = True
        self.witness.watch_package()
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.DEBUG)
        try:
            return (yield)
        finally:
            self.witness.end_of(item.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
        """What was printed and nobody asked for."""
        report = yield
        if report.when == "teardown":
            for name, text in report.sections:
                if not name.startswith("Captured log"):  # the records were seen when they were made
                    self.witness.note(f"{name} of the test", text)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Search, where tests ran; judge, where the session is led from."""
        if self._ran:
            root = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
            self.findings += self._search([root, self._airflow_home])
        if self._is_worker:
            session.config.workeroutput["canaries"] = self.findings  # type: ignore[attr-defined]
            return
        shutil.rmtree(self._folder, ignore_errors=True)
        if self.findings and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """What a process of pytest-xdist found."""
        self.findings += getattr(node, "workeroutput", {}).get("canaries", [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say where, and not what."""
        if self.findings:
            terminalreporter.section("secrets where none may be", red=True)
            for line in self.findings:
                terminalreporter.write_line(line)

    def _search(self, roots: list[Path]) -> list[str]:
        search = Search(self.births.values())
        found: dict[tuple[str, str], str] = {}
        for test, place, text in self.witness.read():
            if (test, place) not in found and search.find(text) and not is_exempt(test, place):
                found[test, place] = _around(search, text)
        for root in roots:
            for path, place, text in texts_below(
                root, kept_secret=self.births.kept_secret, fernet_keys=self.births.fernet_keys
            ):
                name = str(path.relative_to(root))
                if search.find(text) and not is_exempt(name, place):
                    found[name, place] = _around(search, text)
        return [f"{test}: {place}: {text}" for (test, place), text in found.items()]


def _around(search: Search, text: str) -> str:
    """A value's surroundings, themselves without any value."""
    start, end = search.find(text)[0]
    hidden = search.hide(text[max(0, start - 3000) : end + 3000])
    at = hidden.find("***")
    return ascii(hidden[max(0, at - 60) : at + 60])


def canaries_of(config: pytest.Config) -> Canaries:
    """The plugin of this session."""
    return config.stash[_KEY]
