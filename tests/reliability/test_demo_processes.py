from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from demo.ports import PortTaken, require_free
from demo.processes import ProcessDied, ProcessGroup, base_environment, find_members

ROOT = Path(__file__).parents[2]
# Says when its child, which is deaf to SIGTERM and in a session of its own, is there as well.
STUBBORN = """
import subprocess, sys, time
child = "import signal as s; s.signal(s.SIGTERM, s.SIG_IGN); print('there', flush=True); s.pause()"
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
time.sleep(600)
"""


def start_stubborn(group: ProcessGroup, folder: Path) -> psutil.Process:
    process = group.start(
        "The stubborn one",
        [sys.executable, "-c", STUBBORN],
        environment=base_environment(),
        log=folder / "log",
    )
    with (folder / "log").open() as log:
        while "there" not in log.read():
            process.status()
    return process


def test_a_process_that_was_killed_is_named(tmp_path: Path) -> None:
    with ProcessGroup(grace_seconds=0.2) as group:
        process = start_stubborn(group, tmp_path)
        group.check()
        process.kill()
        process.wait()
        with pytest.raises(ProcessDied, match=rf"The stubborn one \(process {process.pid}\) was") as caught:
            group.check()
    assert caught.value.log == tmp_path / "log"


def test_nothing_is_left_of_a_group_that_was_stopped(tmp_path: Path) -> None:
    with ProcessGroup(grace_seconds=0.2) as group:
        start_stubborn(group, tmp_path)
        assert len(find_members(group.marker, ())) == 2
    assert find_members(group.marker, ()) == set()


def test_nothing_is_left_of_a_group_whose_starter_was_killed(tmp_path: Path) -> None:
    starter = f"""
import os, sys, time
from pathlib import Path
from demo.processes import ProcessGroup
from tests.reliability.test_demo_processes import start_stubborn
group = ProcessGroup(grace_seconds=0.2).__enter__()
start_stubborn(group, Path({str(tmp_path)!r}))
print(group.marker, group.guardian.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", starter], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        marker, guardian = process.stdout.readline().split()
        members = find_members(marker, ())
        process.kill()
    assert len(members) == 2
    psutil.wait_procs([psutil.Process(int(guardian))], timeout=30)
    assert find_members(marker, ()) == set()


def test_a_process_that_wrote_over_its_environment_is_ended_with_its_session(tmp_path: Path) -> None:
    forgetful = "import time; print('there', flush=True); time.sleep(600)"
    start = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {forgetful!r}], env={{}})"
    starter = f"""
import sys, time
from pathlib import Path
from demo.processes import ProcessGroup, base_environment, is_alive
group = ProcessGroup(grace_seconds=0.2).__enter__()
log = Path({str(tmp_path / "log")!r})
process = group.start("It", [sys.executable, "-c", {start!r}], environment=base_environment(), log=log)
while "there" not in log.read_text() or is_alive(process):
    time.sleep(0.01)
print(process.pid, group.guardian.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", starter], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        session, guardian = (int(number) for number in process.stdout.readline().split())
        members = find_members("no such marker", {session})
        process.kill()
    assert len(members) == 1
    psutil.wait_procs([psutil.Process(guardian)], timeout=30)
    assert find_members("no such marker", {session}) == set()


def test_a_taken_port_names_who_has_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"Port {port} is taken by process {os.getpid()} \("):
            require_free(port)
    require_free(port)


def test_the_demo_says_which_port_is_taken_and_how_to_take_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = subprocess.run(
            [sys.executable, "-m", "demo", "--port", str(port)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"Port {port} is taken by process")
    assert "make demo PORT=" in answer.stderr
    assert "Traceback" not in answer.stderr
