from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from demo.airflow import COMPONENTS, find_components
from demo.ports import free_port
from demo.processes import is_alive
from demo.report import show_table
from demo.weather import expected_table

ROOT = Path(__file__).parents[2]


@contextmanager
def running_demo(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "demo", "--port", str(free_port()), "--folder", str(folder), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        try:
            yield demo
        finally:
            demo.terminate()


def wait_for(demo: subprocess.Popen[str], words: str) -> None:
    assert demo.stdout is not None
    for line in demo.stdout:
        if words in line:
            return
    pytest.fail(f"the demo ended before it said {words!r}: {demo.communicate()[1]}")


def processes_of(folder: Path) -> dict[str, psutil.Process]:
    """By what they are: the four components, ``standalone`` and ``local``."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if not is_alive(process):
                continue
            if process.environ().get("AIRFLOW_HOME") == str(folder / "airflow"):
                found[f"process {process.pid}"] = process
                if "standalone" in words:
                    found.update({"standalone": process, **find_components(process)})
            elif str(folder / "azure" / "environment.sh") in words:
                found["local"] = process
    return found


@pytest.mark.timeout(400)
def test_the_demo_ends_with_the_table_and_leaves_nothing_running(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        output, errors = demo.communicate()
    assert (demo.returncode, errors) == (0, "")
    assert show_table(expected_table()) in output
    assert "4 of 4 tasks done" in output
    assert processes_of(tmp_path) == {}


@pytest.mark.nightly
@pytest.mark.timeout(400)
@pytest.mark.parametrize("victim", [*COMPONENTS, "standalone", "local"])
def test_the_demo_says_who_was_killed_and_leaves_nothing_running(tmp_path: Path, victim: str) -> None:
    with running_demo(tmp_path) as demo:
        wait_for(demo, "saved the connection")
        processes_of(tmp_path)[victim].kill()
        _, errors = demo.communicate()
    assert demo.returncode == 1
    assert {"local": "Local Azure"}.get(victim, victim) in errors
    assert "was killed or has crashed" in errors
    assert "Traceback" not in errors
    assert processes_of(tmp_path) == {}


@pytest.mark.nightly
@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_demo_and_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    with running_demo(tmp_path) as demo:
        wait_for(demo, "saved the connection")
        demo.send_signal(number)
        _, errors = demo.communicate()
    assert demo.returncode == 128 + number
    assert "Traceback" not in errors
    assert processes_of(tmp_path) == {}


@pytest.mark.nightly
@pytest.mark.timeout(400)
def test_a_demo_that_was_kept_stays_until_ctrl_c(tmp_path: Path) -> None:
    with running_demo(tmp_path, "--keep") as demo:
        wait_for(demo, "stays as it is until Ctrl-C")
        assert {*COMPONENTS, "standalone", "local"} <= set(processes_of(tmp_path))
        demo.send_signal(signal.SIGINT)
        demo.communicate()
    assert demo.returncode == 0
    assert processes_of(tmp_path) == {}
