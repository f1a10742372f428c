"""The program that starts and ends tasks' processes for local Azure; run as a script, needs nothing else.

It is a process of its own, with one thread, so that tasks are children of something that outlives no server:
when the server's end of the channel closes, however that came about, every process of every task is killed.
On Linux it adopts what its tasks leave behind (``PR_SET_CHILD_SUBREAPER``), so that a process which left its
task's group is found too.

The channel carries JSON, a message a line. From the server: ``{"start": id, "argv", "env", "directory",
"stdout", "stderr", "is_part", "removal"}`` and ``{"kill": id}``. To the server: ``{"started": id, "pid"}``,
``{"refused": id, "errno", "message"}`` and ``{"ended": id, "exit_code"}``. What a command that is a part of a
task leaves running lives on until it is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_SIGNAL_OFFSET: Final = 128
_LAST_SWEEP_SECONDS: Final = 5.0
_MARK: Final = "AZ_BATCH_TASK_DIR"
# While processes are killed, others of them may fork.
_SWEEPS: Final = 10


class Agent:
    """Serves one channel until it closes."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._tasks: dict[int, tuple[int, subprocess.Popen[bytes], bytes]] = {}
        self._pids: dict[int, int] = {}
        self._removals: dict[int, list[str]] = {}
        self._left: dict[int, tuple[int, bytes]] = {}
        self._pending = b""

    def serve(self) -> None:
        """Handle messages and children's ends."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        os.set_blocking(wake_read, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(wake_read, selectors.EVENT_READ)
            is_open = True
            while is_open:
                for key, _ in selector.select():
                    if key.fileobj is self._channel:
                        is_open = self._receive()
                    else:
                        with contextlib.suppress(BlockingIOError):
                            os.read(wake_read, 4096)
                self._reap()
        signal.set_wakeup_fd(-1)

    def kill_everything(self) -> None:
        """Kill all tasks, and whatever they left behind."""
        removing = [_remove(removal) for removal in self._removals.values()]
        for removed in filter(None, removing):
            with contextlib.suppress(subprocess.TimeoutExpired):
                removed.wait(_LAST_SWEEP_SECONDS)
        for pid in (*(one[0] for one in self._tasks.values()), *(one[0] for one in self._left.values())):
            _kill_group(pid)
        deadline = time.monotonic() + _LAST_SWEEP_SECONDS
        while time.monotonic() < deadline:
            for pid in _children():
                _kill(pid)
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.005)
            except ChildProcessError:
                return

    def _receive(self) -> bool:
        try:
            received = self._channel.recv(1 << 16)
        except ConnectionError:
            return False
        if not received:
            return False
        *lines, self._pending = (self._pending + received).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "start" in message:
                self._start(message)
            elif message["kill"] in self._tasks:
                pid, _, directory = self._tasks[message["kill"]]
                _remove(self._removals.pop(message["kill"], []))
                _kill_group(pid)
                self._kill_strays(directory)
                if self._left.pop(message["kill"], None) is not None:
                    # What it has started in a session of its own is nobody's child yet.
                    _kill_marked(pid, directory)
            elif message["kill"] in self._left:
                _kill_marked(*self._left.pop(message["kill"]))
        return True

    def _start(self, message: dict[str, Any]) -> None:
        number = message["start"]
        # Several commands of one task write one after the other, and beside what an earlier one left behind.
        mode = "ab" if message["is_part"] else "wb"
        try:
            with Path(message["stdout"]).open(mode) as stdout, Path(message["stderr"]).open(mode) as stderr:
                process = subprocess.Popen(
                    message["argv"],
                    env=message["env"],
                    cwd=message["directory"],
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,
                )
        except Exception as error:  # noqa: BLE001 - one command never ends the agent
            code = error.errno if isinstance(error, OSError) else None
            text = os.strerror(code) if code else str(error) or type(error).__name__
            self._send({"refused": number, "errno": code, "message": text})
            return
        directory = os.fsencode(f"{_MARK}={message['env'].get(_MARK, '')}")
        self._tasks[number] = (process.pid, process, directory)
        if message["removal"]:
            self._removals[number] = message["removal"]
        if message["is_part"]:
            self._left[number] = (process.pid, directory)
        self._pids[process.pid] = number
        self._send({"started": number, "pid": process.pid})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = self._pids.pop(pid, None)
            if number is not None:
                self._finish(number, pid, status)

    def _finish(self, number: int, pid: int, status: int) -> None:
        _, process, directory = self._tasks.pop(number)
        self._removals.pop(number, None)
        process.returncode = os.waitstatus_to_exitcode(status)
        # A task is over with its first process: the node kills what that one leaves running. What a part of a
        # task leaves running goes when the server says so.
        if number not in self._left:
            _kill_group(pid)
            self._kill_strays(directory)
        code = process.returncode
        self._send({"ended": number, "exit_code": code if code >= 0 else _SIGNAL_OFFSET - code})

    def _kill_strays(self, mark: bytes) -> None:
        for pid in _children():
            if pid not in self._pids and mark in _read_environment(pid):
                _kill(pid)

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._channel.sendall(json.dumps(message).encode() + b"\n")


def _remove(removal: list[str]) -> subprocess.Popen[bytes] | None:
    """Take away what a task has outside of its processes."""
    if not removal:
        return None
    quiet = subprocess.DEVNULL
    try:
        return subprocess.Popen(removal, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    except OSError:
        return None


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill_marked(group: int, mark: bytes) -> None:
    """Kill what a task has left, by its environment: the group's number may be another's by now."""
    if not Path("/proc/self/environ").exists():
        _kill_group(group)
        return
    for _ in range(_SWEEPS):
        found = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        marked = [pid for pid in found if mark in _read_environment(pid)]
        for pid in marked:
            _kill(pid)
        if not marked:
            return


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    """This process's children, adopted ones included; none where there is no ``/proc``."""
    try:
        return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []


def _read_environment(pid: int) -> frozenset[bytes]:
    try:
        return frozenset(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return frozenset()


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main() -> None:
    """Serve the channel whose file descriptor is the first argument."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _adopt_orphans()
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        agent = Agent(channel)
        try:
            agent.serve()
        finally:
            agent.kill_everything()


if __name__ == "__main__":
    main()
