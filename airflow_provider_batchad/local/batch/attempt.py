"""One attempt at a task, on one node, after the job's preparation there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.command_run import CommandRun, NodeServices
from airflow_provider_batchad.local.batch.task import Task, TaskState

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.ticks import TickClock


class Attempt(CommandRun):
    """An attempt.

    :param slots: how many of each node's it takes.
    """

    def __init__(
        self,
        job: Job,
        task: Task,
        node: Node,
        definition: dict[str, Any],
        services: NodeServices,
        *,
        slots: int,
        ticks: TickClock,
    ) -> None:
        super().__init__(job, task.id, node, definition, services)
        self.task = task
        self.slots = slots
        self.nodes: tuple[Node, ...] = (node,)
        self.done = asyncio.Event()
        self._ticks = ticks

    def begin(self) -> None:
        """The task runs from here on."""
        now = self._ticks.now()
        self.task.begin_execution().start = now
        self.job.move_task(self.task, TaskState.RUNNING, now)

    def give_up(self) -> None:
        """It ends before it has begun."""

    async def wait_for(self, preparations: Sequence[asyncio.Task[bool]]) -> bool:
        """Whether the job's preparations on its nodes have succeeded; ``False`` too where it was stopped."""
        for preparation in preparations:
            if not await self._wait_for(preparation):
                return False
        return not self.is_stopping()

    async def _wait_for(self, preparation: asyncio.Task[bool]) -> bool:
        if self.is_stopping():
            return False
        # Of a shielded future only the shield is cancelled: other tasks wait for the same preparation.
        self._cancellable = waiting = asyncio.shield(preparation)
        try:
            return await waiting
        except asyncio.CancelledError:
            if not self.is_stopping():
                raise
            return False
        finally:
            self._cancellable = None
