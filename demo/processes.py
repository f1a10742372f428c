"""The processes of one demo: started together, watched together, and none left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

MARKER = "BATCHAD_DEMO_PROCESSES"


class ProcessDied(RuntimeError):
    """A process that should have stayed is gone.

    :param name: what it was, such as ``Airflow's triggerer``.
    :param log: the file with its output.
    """

    def __init__(self, name: str, *, pid: int, log: Path) -> None:
        self.name = name
        self.log = log
        super().__init__(f"{name} (process {pid}) was killed or has crashed; its output is in {log}.")


class ProcessGroup:
    """Starts processes that all carry one marker in their environment, and ends every one that carries it.

    So does whatever else runs in the sessions that were begun for them: a process that sets its title, as
    Airflow's do, may write over its own environment. A guardian, a process of its own, does the same should
    the starter itself be killed.

    :param grace_seconds: how long a process may take to tidy up before it is killed.
    """

    def __init__(self, *, grace_seconds: float = 10) -> None:
        self.marker = uuid.uuid4().hex
        self.guardian: subprocess.Popen[bytes] | None = None
        self._grace_seconds = grace_seconds
        self._watched: dict[str, tuple[psutil.Process, Path]] = {}
        self._children: list[subprocess.Popen[bytes]] = []
        self._seen: set[psutil.Process] = set()
        self._sessions: set[int] = set()

    def __enter__(self) -> Self:
        # Without the marker: it must outlive those that it ends.
        self.guardian = subprocess.Popen(
            [sys.executable, "-m", __name__, self.marker, str(self._grace_seconds)],
            stdin=subprocess.PIPE,
            start_new_session=True,
            cwd=Path(__file__).resolve().parents[1],
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(
        self, name: str, argv: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> psutil.Process:
        """Start a program in a session of its own, its output going to a file, and watch it."""
        with log.open("ab") as output:
            child = subprocess.Popen(
                argv,
                env={**environment, MARKER: self.marker},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children.append(child)
        self._sessions.add(child.pid)
        if self.guardian and self.guardian.stdin:
            self.guardian.stdin.write(f"{child.pid}\n".encode())
            self.guardian.stdin.flush()
        process = psutil.Process(child.pid)
        self.watch(name, process, log=log)
        return process

    def watch(self, name: str, process: psutil.Process, *, log: Path) -> None:
        """Take the end of this process, whoever started it, for a failure from now on."""
        self._watched[name] = (process, log)

    def check(self) -> None:
        """Notice who is gone.

        :raises ProcessDied: with the first one that is.
        """
        for name, (process, log) in self._watched.items():
            if not is_alive(process):
                raise ProcessDied(name, pid=process.pid, log=log)
            # A child whose parent is killed can no longer be found by asking for the parent's children.
            with suppress(psutil.Error):
                self._seen.update(process.children(recursive=True))

    def stop(self) -> None:
        """End all of them, kindly first; returns when none is left."""
        self._watched.clear()
        left = {*self._seen, *find_members(self.marker, self._sessions)}
        end_processes(left, marker=self.marker, sessions=self._sessions, grace_seconds=self._grace_seconds)
        for child in self._children:
            child.wait()
        if self.guardian and self.guardian.stdin:
            self.guardian.stdin.close()
            self.guardian.wait()
            self.guardian = None


def base_environment() -> dict[str, str]:
    """This process's environment, without what would slow Airflow down or lead it elsewhere."""
    foreign = ("AIRFLOW", "IDENTITY_", "MSI_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    # With it set, each process would compile all of Airflow anew, which doubles the time to start.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    loopback = "localhost,127.0.0.1,::1"
    return {**kept, "PATH": here, "NO_PROXY": loopback, "no_proxy": loopback}


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def find_members(marker: str, sessions: Collection[int]) -> set[psutil.Process]:
    """The processes that were started, at whatever remove, with this marker or in one of these sessions."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            member = os.getsid(process.pid) in sessions or process.environ().get(MARKER) == marker
            if member and is_alive(process):
                found.add(process)
    return found


def end_processes(
    processes: Iterable[psutil.Process], *, marker: str, sessions: Collection[int], grace_seconds: float
) -> None:
    """SIGTERM, some time to tidy up, then SIGKILL until no member is left."""
    pending = set(processes)
    for process in pending:
        with suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(pending, timeout=grace_seconds)
    pending = {*alive, *find_members(marker, sessions)}
    while pending:
        for process in pending:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(pending, timeout=grace_seconds)
        pending = find_members(marker, sessions)


def guard(marker: str, grace_seconds: float) -> None:
    """Wait until the starter closes this process's standard input or dies; then end what is left.

    The starter writes the ID of each session that it begins, a line each.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    sessions = {int(line) for line in sys.stdin.buffer.read().split()}
    end_processes(
        find_members(marker, sessions), marker=marker, sessions=sessions, grace_seconds=grace_seconds
    )


if __name__ == "__main__":
    guard(sys.argv[1], float(sys.argv[2]))
