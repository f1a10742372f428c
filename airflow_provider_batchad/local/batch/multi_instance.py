"""An attempt at a multi-instance task: a coordination command on each node, then the task on the first.

"Use multi-instance tasks to run Message Passing Interface (MPI) applications in Batch" says in what order.
The nodes are directories of one machine: what has to be the same path on all of them is the primary's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_provider_batchad.local.batch.attempt import Attempt
from airflow_provider_batchad.local.batch.command_run import (
    CommandRun,
    NodeServices,
    Outcome,
    Stop,
    make_directories,
)
from airflow_provider_batchad.local.batch.directories import TaskDirectories, task_directories
from airflow_provider_batchad.local.batch.failures import ENDED_WITH_PRIMARY, EXIT_CODE
from airflow_provider_batchad.local.batch.pool_flow import count_cores
from airflow_provider_batchad.local.batch.task import Subtask, SubtaskState, TaskResult, TaskState

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.task import Task
    from airflow_provider_batchad.local.batch.ticks import TickClock

# The port of the documents' example; "it is reserved for the Azure Batch service".
_MASTER_PORT: Final = 6000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The nodes of one attempt.

    :param nodes: the master first.
    :param shared: the directory that all of them name alike.
    """

    nodes: tuple[Node, ...]
    shared: TaskDirectories

    def environment(self, node: Node) -> dict[str, str]:
        """What the commands on a node find beside what any task finds."""
        addresses = [one.address for one in self.nodes]
        cores = (f"{one.address} {count_cores(one.vm_size)}" for one in self.nodes)
        return {
            "AZ_BATCH_HOST_LIST": ",".join(addresses),
            "AZ_BATCH_NODE_LIST": ";".join(addresses),
            "AZ_BATCH_MASTER_NODE": f"{addresses[0]}:{_MASTER_PORT}",
            "AZ_BATCH_IS_CURRENT_NODE_MASTER": "true" if node is self.nodes[0] else "false",
            "AZ_BATCH_TASK_SHARED_DIR": str(self.shared.root),
            "CCP_NODES": " ".join([str(len(self.nodes)), *cores]),
        }


@dataclass(slots=True, eq=False)
class _Gathering:
    """Where the nodes wait for each other: no command starts before all have their files."""

    missing: int
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    async def join(self) -> None:
        self.missing -= 1
        if not self.missing:
            self.complete.set()
        await self.complete.wait()


class CoordinationRun(CommandRun):
    """The coordination command on one node."""

    is_part: ClassVar[bool] = True

    def __init__(
        self,
        job: Job,
        task_id: str,
        node: Node,
        definition: dict[str, Any],
        services: NodeServices,
        *,
        cluster: Cluster,
        gathering: _Gathering,
    ) -> None:
        settings = definition["multiInstanceSettings"]
        super().__init__(
            job,
            task_id,
            node,
            {**definition, "commandLine": settings["coordinationCommandLine"], "outputFiles": None},
            services,
        )
        self._common_files = settings.get("commonResourceFiles") or ()
        self._cluster = cluster
        self._gathering = gathering

    def environment(self) -> dict[str, str]:
        """That of any task, and where the other nodes are."""
        return super().environment() | self._cluster.environment(self.node)

    async def prepare(self) -> None:
        """Common files go to the task's directory, not to its working directory; then wait for the others.

        :raises PreparationFailed: something cannot be had.
        """
        make_directories(self.directories)
        await self.deploy_packages()
        await self._services.downloader.fetch_all(self._common_files, self.node, self.directories.root)
        await self._gathering.join()

    def kill_rest(self) -> None:
        """Kill what its command left running."""
        if self._process is not None:
            self._services.processes.kill(self._process)


class MultiInstanceAttempt(Attempt):
    """An attempt; it is the primary's own run too.

    :param nodes: the master first.
    """

    is_part: ClassVar[bool] = True

    def __init__(
        self,
        job: Job,
        task: Task,
        nodes: Sequence[Node],
        definition: dict[str, Any],
        services: NodeServices,
        *,
        slots: int,
        ticks: TickClock,
    ) -> None:
        super().__init__(job, task, nodes[0], definition, services, slots=slots, ticks=ticks)
        self.nodes = tuple(nodes)
        self._cluster = Cluster(nodes=self.nodes, shared=task_directories(nodes[0], job.id, task.id))
        gathering = _Gathering(len(nodes))
        self._coordination = [
            CoordinationRun(
                job, task.id, node, definition, services, cluster=self._cluster, gathering=gathering
            )
            for node in nodes
        ]
        now = ticks.now()
        self._subtasks = tuple(
            Subtask(id=number, node=node, state=SubtaskState.PREPARING, transition=now)
            for number, node in enumerate(nodes[1:], 1)
        )
        task.begin_execution().subtasks = self._subtasks

    def environment(self) -> dict[str, str]:
        """That of any task, and where the other nodes are."""
        return super().environment() | self._cluster.environment(self.node)

    def begin(self) -> None:
        """The subtasks run from when the task runs."""
        was_prepared = self.task.state is TaskState.PREPARING
        super().begin()
        now = self.task.transition
        for subtask in self._subtasks:
            if was_prepared:
                subtask.move(SubtaskState.RUNNING, now)
            else:
                # "Not set if the subtask is in its initial running state": previousState.
                subtask.state, subtask.transition = SubtaskState.RUNNING, now
            subtask.start = now

    def give_up(self) -> None:
        """No subtask has run."""
        self.task.begin_execution().subtasks = ()

    def stop(self, reason: Stop) -> None:
        """Kill what runs, on all nodes."""
        super().stop(reason)
        for run in self._coordination:
            run.stop(reason)

    async def prepare(self) -> None:
        """The task's own files are for the primary alone; the rest is there since the coordination command.

        :raises PreparationFailed: something cannot be had.
        """
        await self.deploy_packages()
        files = self.definition.get("resourceFiles") or ()
        await self._services.downloader.fetch_all(files, self.node, self.directories.working)

    async def run(self) -> Outcome:
        """Run it to its end: "When the primary exits, all of the subtasks are terminated"."""
        outcomes = await asyncio.gather(*map(self._coordinate, self._coordination))
        failed = next(filter(_has_failed, outcomes), None)
        outcome = await super().run() if failed is None or self.is_stopping() else failed
        for run in self._coordination:
            run.kill_rest()
        for subtask, ended in zip(self._subtasks, outcomes[1:], strict=True):
            self._end(subtask, ended)
        return outcome

    async def _send_output(self, exit_code: int) -> str | None:
        if self._process is not None:
            self._services.processes.kill(self._process)
        return await super()._send_output(exit_code)

    async def _coordinate(self, run: CoordinationRun) -> Outcome:
        outcome = await run.run()
        if outcome.exit_code != 0:
            for other in self._coordination:
                other.stop(Stop.PEER)
        return outcome

    def _end(self, subtask: Subtask, outcome: Outcome) -> None:
        now = self._ticks.now()
        subtask.move(SubtaskState.COMPLETED, now)
        subtask.end = now
        # "If the Batch service terminates the subtask … you may see an operating system-defined exit code."
        subtask.exit_code = outcome.exit_code
        if outcome.exit_code == 0:
            subtask.result = TaskResult.SUCCESS
            return
        subtask.result = TaskResult.FAILURE
        subtask.failure = outcome.failure or (EXIT_CODE if outcome.stop is None else ENDED_WITH_PRIMARY)


def _has_failed(outcome: Outcome) -> bool:
    # Those that were ended since another failed are no reason of their own.
    return outcome.exit_code != 0 and outcome.stop is not Stop.PEER
