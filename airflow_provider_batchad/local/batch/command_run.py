"""One run of a command line on a node: its directories, its files, its process."""

from __future__ import annotations

import asyncio
import errno
import logging
import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_provider_batchad.local.batch.directories import TaskDirectories, task_directories
from airflow_provider_batchad.local.batch.environment import build_environment
from airflow_provider_batchad.local.batch.failures import UNKNOWN, PreparationFailed
from airflow_provider_batchad.local.batch.processes import (
    AgentLost,
    Command,
    Processes,
    ProcessRefused,
    RunningProcess,
)

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.containers import Containers
    from airflow_provider_batchad.local.batch.downloads import Downloader
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.packages import Packages
    from airflow_provider_batchad.local.batch.uploads import Uploader

_log = logging.getLogger(__name__)

_NOT_FOUND: Final = (errno.ENOENT, errno.ENOTDIR)


class Stop(Enum):
    """Why a run is ended before its program ends by itself."""

    USER = "user"
    JOB = "job"
    LIMIT = "limit"
    REQUEUE = "requeue"
    PREEMPT = "preempt"
    PEER = "peer"
    DELETE = "delete"
    UNPREPARED = "unprepared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended.

    :param stop: why it was ended, where it was.
    :param failure: ``failureInfo`` of what never started.
    :param upload_failure: ``failureInfo`` of an output file that could not be sent.
    """

    exit_code: int | None = None
    stop: Stop | None = None
    failure: str | None = None
    upload_failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeServices:
    """What a node needs to run tasks."""

    account: str
    account_url: str
    processes: Processes
    downloader: Downloader
    uploader: Uploader
    packages: Packages
    containers: Containers


class NodeRun(ABC):
    """A run; it can be stopped at any point, the first reason given counts.

    :param definition: what to run, as the REST API's members.
    """

    # Whether it is one of several commands of a task on the node.
    is_part: ClassVar[bool] = False

    def __init__(self, node: Node, definition: Mapping[str, Any], services: NodeServices) -> None:
        self.node = node
        self.definition = definition
        self._services = services
        self._stop: Stop | None = None
        self._cancellable: asyncio.Future[Any] | None = None
        self._process: RunningProcess | None = None
        self._packages: dict[str, str] = {}

    @property
    @abstractmethod
    def directories(self) -> TaskDirectories:
        """Where its files are."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """What its process finds in its environment."""

    @property
    def stopped(self) -> Stop | None:
        """Why somebody has ended it, if somebody has."""
        return self._stop

    def is_stopping(self) -> bool:
        """Whether somebody has ended it."""
        return self._stop is not None

    def stop(self, reason: Stop) -> None:
        """Kill what runs."""
        if self._stop is None or reason is Stop.DELETE:
            self._stop = reason
        if self._process is not None:
            self._services.processes.kill(self._process)
        elif self._cancellable is not None:
            self._cancellable.cancel()

    async def run(self) -> Outcome:
        """Run it to its end."""
        try:
            exit_code = await self._run()
            upload_failure = await self._send_output(exit_code)
        except PreparationFailed as error:
            return Outcome(stop=self._stop, failure=error.failure)
        except AgentLost:
            return Outcome(stop=self._stop or Stop.REQUEUE)
        except asyncio.CancelledError:
            if self._stop is None:
                raise
            return Outcome(stop=self._stop)
        except Exception:  # noqa: BLE001 - a run always ends
            # Whatever it is, the run has ended: its slot is free again, and nobody waits for it for ever.
            _log.exception("a run on node %s failed in a way that nobody expects", self.node.id)
            return Outcome(stop=self._stop, failure=UNKNOWN)
        return Outcome(exit_code=exit_code, stop=self._stop, upload_failure=upload_failure)

    async def _run(self) -> int:
        if self.is_stopping():
            raise asyncio.CancelledError
        self._cancellable = starting = asyncio.ensure_future(self._start())
        self._process = await starting
        if self.is_stopping():
            self._services.processes.kill(self._process)
        # Whoever is cancelled here must not cancel what the agent will tell.
        return await asyncio.shield(self._process.ended)

    async def _send_output(self, exit_code: int) -> str | None:
        files = self.definition.get("outputFiles")
        if not files or self.is_stopping():
            return None
        self._process = None
        self._cancellable = sending = asyncio.ensure_future(
            self._services.uploader.send_all(
                files, self.node, self.directories, environment=self.environment(), is_success=exit_code == 0
            )
        )
        return await sending

    async def _start(self) -> RunningProcess:
        container = self.definition.get("containerSettings")
        if container is not None:
            self._check_container()
        command_line = self.definition["commandLine"]
        try:
            argv = shlex.split(command_line)
            if not argv:
                raise ValueError("No program is named")  # noqa: TRY301 - told as what else cannot be split
        except ValueError as error:
            raise PreparationFailed(
                "CommandLaunchFailed", ("CommandLine", command_line), ("Message", str(error))
            ) from None
        await self.prepare()
        command = self._command(argv, self.directories)
        if container is not None:
            command = self._contain(command, container)
        try:
            return await self._services.processes.start(command)
        except ProcessRefused as refusal:
            code = "CommandProgramNotFound" if refusal.errno in _NOT_FOUND else "CommandLaunchFailed"
            raise PreparationFailed(
                code, ("CommandLine", command_line), ("Message", refusal.message)
            ) from None

    async def prepare(self) -> None:
        """Make its directories, and fetch what it needs.

        :raises PreparationFailed: something cannot be had.
        """
        make_directories(self.directories)
        await self.deploy_packages()
        files = self.definition.get("resourceFiles") or ()
        await self._services.downloader.fetch_all(files, self.node, self.directories.working)

    async def deploy_packages(self) -> None:
        """Unpack the application packages that it refers to, where the node does not have them yet.

        :raises PreparationFailed: one cannot be unpacked.
        """
        references = self.definition.get("applicationPackageReferences") or ()
        self._packages = await self._services.packages.deploy(references, self.node)

    def _command(self, argv: list[str], directories: TaskDirectories) -> Command:
        return Command(
            argv=argv,
            environment=self.environment(),
            directory=directories.working,
            stdout=directories.stdout,
            stderr=directories.stderr,
            is_part=self.is_part,
        )

    def _check_container(self) -> None:
        # A task that needs a container and got a process would be a lie.
        if not self.node.has_containers:
            message = "The pool has no container configuration, the task has container settings"
            raise PreparationFailed("ContainerPoolNotSupported", ("Message", message))
        if self.is_part:
            message = "Local Azure runs no multi-instance task in containers"
            raise PreparationFailed("CommandLaunchFailed", ("Message", message))

    def _contain(self, command: Command, settings: Mapping[str, Any]) -> Command:
        contained = self._services.containers.build(
            settings, command.argv, environment=command.environment, directories=self.directories
        )
        return replace(
            command, argv=contained.argv, environment=contained.environment, removal=contained.removal
        )


class CommandRun(NodeRun):
    """A run for a job.

    :param task_id: of the task, or of the job's preparation or release.
    """

    def __init__(
        self, job: Job, task_id: str, node: Node, definition: Mapping[str, Any], services: NodeServices
    ) -> None:
        super().__init__(node, definition, services)
        self.job = job
        self._task_id = task_id

    @property
    def directories(self) -> TaskDirectories:
        """Where its files are."""
        return task_directories(self.node, self.job.id, self._task_id)

    def environment(self) -> dict[str, str]:
        """What its process finds in its environment."""
        preparation = self.job.preparation_id
        packages = self.node.packages | self._packages
        return packages | build_environment(
            account=self._services.account,
            account_url=self._services.account_url,
            job_id=self.job.id,
            task_id=self._task_id,
            node=self.node,
            directories=self.directories,
            preparation=None
            if preparation in (None, self._task_id)
            else task_directories(self.node, self.job.id, preparation or ""),
            common=self.job.properties.get("commonEnvironmentSettings") or [],
            own=self.definition.get("environmentSettings") or [],
        )


def make_directories(directories: TaskDirectories) -> None:
    """A task's directories, and its output, empty.

    :raises PreparationFailed: they cannot be made.
    """
    try:
        directories.working.mkdir(parents=True, exist_ok=True)
        # There before the program runs, as on a node; an earlier attempt's output goes.
        directories.stdout.write_bytes(b"")
        directories.stderr.write_bytes(b"")
    except OSError as error:
        raise PreparationFailed("ResourceDirectoryCreateFailed", ("Message", error.strerror or "")) from None
