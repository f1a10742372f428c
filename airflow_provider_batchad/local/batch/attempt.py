"""One attempt at a task: its directories, its files, its process, on one node."""

from __future__ import annotations

import asyncio
import errno
import shlex
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.directories import TaskDirectories, task_directories
from airflow_provider_batchad.local.batch.environment import build_environment
from airflow_provider_batchad.local.batch.failures import PreparationFailed
from airflow_provider_batchad.local.batch.processes import (
    AgentLost,
    Command,
    Processes,
    ProcessRefused,
    RunningProcess,
)

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.downloads import Downloader
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.pool import Node
    from airflow_provider_batchad.local.batch.task import Task

_NOT_FOUND: Final = (errno.ENOENT, errno.ENOTDIR)


class Stop(Enum):
    """Why an attempt is ended before its program ends by itself."""

    USER = "user"
    JOB = "job"
    LIMIT = "limit"
    REQUEUE = "requeue"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended.

    :param stop: why it was ended, where it was.
    :param failure: ``failureInfo`` of what never started.
    """

    exit_code: int | None = None
    stop: Stop | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeServices:
    """What a node needs to run tasks."""

    account: str
    account_url: str
    processes: Processes
    downloader: Downloader


class Attempt:
    """An attempt that runs; it can be stopped at any point, the first reason given counts."""

    def __init__(
        self, job: Job, task: Task, node: Node, definition: dict[str, Any], services: NodeServices
    ) -> None:
        self.job = job
        self.task = task
        self.node = node
        self.definition = definition
        self.done = asyncio.Event()
        self._services = services
        self._stop: Stop | None = None
        self._preparing: asyncio.Task[RunningProcess] | None = None
        self._process: RunningProcess | None = None

    def is_stopping(self) -> bool:
        """Whether somebody has ended it."""
        return self._stop is not None

    def stop(self, reason: Stop) -> None:
        """Kill what runs."""
        if self._stop is None or reason is Stop.DELETE:
            self._stop = reason
        if self._process is not None:
            self._services.processes.kill(self._process)
        elif self._preparing is not None:
            self._preparing.cancel()

    async def run(self) -> Outcome:
        """Run it to its end."""
        try:
            exit_code = await self._run()
        except PreparationFailed as error:
            return Outcome(stop=self._stop, failure=error.failure)
        except AgentLost:
            return Outcome(stop=self._stop or Stop.REQUEUE)
        except asyncio.CancelledError:
            if self._stop is None:
                raise
            return Outcome(stop=self._stop)
        return Outcome(exit_code=exit_code, stop=self._stop)

    async def _run(self) -> int:
        if self.is_stopping():
            raise asyncio.CancelledError
        self._preparing = asyncio.ensure_future(self._start())
        self._process = await self._preparing
        if self.is_stopping():
            self._services.processes.kill(self._process)
        return await self._process.ended

    async def _start(self) -> RunningProcess:
        definition = self.definition
        if definition.get("containerSettings"):
            # No pool here has a container configuration, which a container task needs.
            raise PreparationFailed(
                "TaskSchedulingConstraintFailed",
                ("Reason", "The pool has no container configuration, the task has container settings"),
            )
        command_line = definition["commandLine"]
        try:
            argv = shlex.split(command_line)
        except ValueError as error:
            raise PreparationFailed(
                "CommandLaunchFailed", ("CommandLine", command_line), ("Message", str(error))
            ) from None
        directories = task_directories(self.node, self.job.id, self.task.id)
        _make(directories)
        await self._services.downloader.fetch_all(definition.get("resourceFiles") or (), directories.working)
        try:
            return await self._services.processes.start(self._command(argv, directories))
        except ProcessRefused as refusal:
            code = "CommandProgramNotFound" if refusal.errno in _NOT_FOUND else "CommandLaunchFailed"
            raise PreparationFailed(
                code, ("CommandLine", command_line), ("Message", refusal.message)
            ) from None

    def _command(self, argv: list[str], directories: TaskDirectories) -> Command:
        environment = build_environment(
            account=self._services.account,
            account_url=self._services.account_url,
            job_id=self.job.id,
            task_id=self.task.id,
            node=self.node,
            directories=directories,
            common=self.job.properties.get("commonEnvironmentSettings") or [],
            own=self.definition.get("environmentSettings") or [],
        )
        return Command(
            argv=argv,
            environment=environment,
            directory=directories.working,
            stdout=directories.stdout,
            stderr=directories.stderr,
        )


def _make(directories: TaskDirectories) -> None:
    try:
        directories.working.mkdir(parents=True, exist_ok=True)
        # There before the program runs, as on a node; an earlier attempt's output goes.
        directories.stdout.write_bytes(b"")
        directories.stderr.write_bytes(b"")
    except OSError as error:
        raise PreparationFailed("ResourceDirectoryCreateFailed", ("Message", error.strerror or "")) from None
