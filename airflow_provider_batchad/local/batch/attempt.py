"""One attempt at a task, on one node, after the job's preparation there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.command_run import CommandRun, NodeServices

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.task import Task


class Attempt(CommandRun):
    """An attempt.

    :param slots: how many of the node's it takes.
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
    ) -> None:
        super().__init__(job, task.id, node, definition, services)
        self.task = task
        self.slots = slots
        self.done = asyncio.Event()

    async def wait_for(self, preparation: asyncio.Task[bool]) -> bool:
        """Whether the job's preparation on the node has succeeded; ``False`` too where this was stopped."""
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
