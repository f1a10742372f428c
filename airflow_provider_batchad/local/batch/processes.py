"""The server's side of the node agent: start a task's process, kill it, hear of its end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_AGENT: Final = Path(__file__).with_name("node_agent.py")
_STOP_SECONDS: Final = 10.0


class ProcessRefused(Exception):
    """The program could not be started.

    :param errno: the system's reason, where it gave one.
    """

    def __init__(self, errno: int | None, message: str) -> None:
        self.errno = errno
        self.message = message
        super().__init__(message)


class AgentLost(Exception):
    """The node agent died, and every task's process with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and where its output goes.

    :param is_part: whether what it leaves running lives on, until :meth:`Processes.kill`.
    :param removal: a program to run when the process is killed, for what is not below it.
    """

    argv: list[str]
    environment: dict[str, str]
    directory: Path
    stdout: Path
    stderr: Path
    is_part: bool = False
    removal: list[str] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class RunningProcess:
    """A process of a task, and the group that it leads."""

    number: int
    is_part: bool = False
    pid: int = 0
    started: asyncio.Future[None] = field(default_factory=asyncio.Future)
    ended: asyncio.Future[int] = field(default_factory=asyncio.Future)


class Processes:
    """One node agent, and the processes that it runs. To be used in one event loop."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._running: dict[int, RunningProcess] = {}
        self._left: dict[int, RunningProcess] = {}
        self._agent: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Start the agent, unless it runs."""
        async with self._opening:
            if self._writer is None:
                await self._start_agent()

    async def close(self) -> None:
        """End the agent, which kills every process of every task."""
        if self._writer is not None and self._reading is not None:
            # The agent kills when its channel ends; ours must stay open for reading until it has.
            self._writer.write_eof()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._reading, _STOP_SECONDS)
        if self._agent is not None:
            await asyncio.to_thread(_wait_for, self._agent)

    async def start(self, command: Command) -> RunningProcess:
        """Run a command.

        :raises ProcessRefused: the program cannot be started.
        :raises AgentLost: the agent died meanwhile.
        """
        await self.open()
        process = RunningProcess(next(self._numbers), command.is_part)
        self._running[process.number] = process
        self._send(
            {
                "start": process.number,
                "argv": command.argv,
                "env": command.environment,
                "directory": str(command.directory),
                "stdout": str(command.stdout),
                "stderr": str(command.stderr),
                "is_part": command.is_part,
                "removal": command.removal,
            }
        )
        try:
            await asyncio.shield(process.started)
        except asyncio.CancelledError:
            self.kill(process)
            raise
        return process

    def kill(self, process: RunningProcess) -> None:
        """Kill its process group; its end is heard of as usual. Of a part that has ended, what it left."""
        if process.number in self._running or process.number in self._left:
            self._send({"kill": process.number})
        if process.number not in self._running:
            self._left.pop(process.number, None)

    async def _start_agent(self) -> None:
        if self._agent is not None:
            await asyncio.to_thread(_wait_for, self._agent)
        ours, theirs = socket.socketpair()
        with theirs:
            # -I and -S: the agent needs the standard library only, and starts in a few milliseconds.
            self._agent = subprocess.Popen(  # noqa: ASYNC220 - asyncio's needs a child watcher, absent in threads
                [sys.executable, "-I", "-S", str(_AGENT), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._reading = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                self._handle(json.loads(line))
        self._lose_agent()

    def _handle(self, message: dict[str, Any]) -> None:
        number = message.get("started") or message.get("ended") or message.get("refused")
        process = self._running.get(number) if isinstance(number, int) else None
        if process is None:
            return
        if "started" in message:
            process.pid = message["pid"]
            process.started.set_result(None)
            return
        del self._running[process.number]
        if "ended" in message:
            if process.is_part:
                self._left[process.number] = process
            process.ended.set_result(message["exit_code"])
        else:
            process.started.set_exception(ProcessRefused(message["errno"], message["message"]))
            # Who started it may have been stopped meanwhile, and not look.
            process.started.exception()

    def _lose_agent(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        left, self._left = self._left, {}
        for process in left.values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        lost, self._running = self._running, {}
        for process in lost.values():
            if process.pid:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.ended.set_exception(AgentLost())
            else:
                process.started.set_exception(AgentLost())
            # Nobody may be waiting any more; that is no error of anybody's.
            for future in (process.started, process.ended):
                if future.done() and not future.cancelled():
                    future.exception()

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer is not None:
            self._writer.write(json.dumps(message).encode() + b"\n")


def _wait_for(agent: subprocess.Popen[bytes]) -> None:
    try:
        agent.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        agent.kill()
        agent.wait()
