"""The search for secrets finds what is planted, fails the session by it, and does not say what it found."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.canaries.search import Search

PLANTED = Path(__file__).parents[1] / "canaries" / "planted.py"
CLEAN = {"test_nothing", "test_a_file_that_is_there_for_it"}


@pytest.mark.parametrize("processes", [(), ("--numprocesses", "2")], ids=["one process", "two processes"])
def test_every_planted_leak_is_found_and_none_is_repeated(processes: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path}"]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("BATCHAD_", "PYTEST_"))
    }
    ended = subprocess.run(
        [*command, *processes, str(PLANTED)], capture_output=True, text=True, check=False, env=environment
    )
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout + ended.stderr
    _, _, found = ended.stdout.partition("secrets where none may be")
    assert " failed" not in ended.stdout
    assert "canary/" not in ended.stdout
    tests = [one.name for one in ast.parse(PLANTED.read_text()).body if isinstance(one, ast.FunctionDef)]
    tests = [name for name in tests if name.startswith("test_")]
    assert len(tests) >= 20
    named = set(re.findall(r"test_\w+", found))
    assert {name for name in tests if not _is_named(name, named)} == CLEAN


def _is_named(test: str, named: set[str]) -> bool:
    # A folder of a test has its name, cut to 30 letters, and a number.
    return test in named or f"{test[:30]}0" in named


def test_what_a_value_runs_into_is_hidden_with_it() -> None:
    search = Search(["s" * 40])
    assert search.hide(f'say "xx{"s" * 40}yy", twice: {"s" * 40}.') == 'say "***", twice: ***'
    assert search.hide("nothing") == "nothing"


def test_ids_and_short_words_are_no_secrets() -> None:
    assert len(Search(["6b5f3a2e-1111-4222-8333-944455556666", "short", "", "password"])) == 0
    assert Search([]).find("anything") == []
