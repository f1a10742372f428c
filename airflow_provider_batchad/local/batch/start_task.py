"""A pool's start task: a process on each node, before the node takes tasks or beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.command_run import NodeRun, NodeServices, Outcome, Stop
from airflow_provider_batchad.local.batch.directories import TaskDirectories
from airflow_provider_batchad.local.batch.environment import build_environment
from airflow_provider_batchad.local.batch.failures import EXIT_CODE
from airflow_provider_batchad.local.batch.run_record import RunRecord
from airflow_provider_batchad.local.batch.task import TaskResult

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.ticks import TickClock

# "Azure Batch runtime environment variables": these two are there for all tasks but start tasks.
_NOT_OF_START_TASKS = ("AZ_BATCH_JOB_ID", "AZ_BATCH_TASK_ID")


class StartRun(NodeRun):
    """One run of it."""

    @property
    def directories(self) -> TaskDirectories:
        """The node's ``startup`` directory."""
        return TaskDirectories(self.node.root / "startup")

    def environment(self) -> dict[str, str]:
        """That of any task, without what a job gives it."""
        environment = build_environment(
            account=self._services.account,
            account_url=self._services.account_url,
            job_id="",
            task_id="",
            node=self.node,
            directories=self.directories,
            preparation=None,
            common=[],
            own=self.definition.get("environmentSettings") or [],
        )
        own = {name: value for name, value in environment.items() if name not in _NOT_OF_START_TASKS}
        return self.node.packages | own


class StartTasks:
    """Runs start tasks."""

    def __init__(self, *, ticks: TickClock, services: NodeServices) -> None:
        self._ticks = ticks
        self._services = services

    async def run(self, node: Node, definition: Mapping[str, Any]) -> bool:
        """Run it, with its retries; cancelled, nothing of it goes on.

        :return: whether it succeeded.
        """
        info = node.start_task_info = RunRecord(start=self._ticks.now())
        limit: int = definition["maxTaskRetryCount"]
        while True:
            outcome = await self._run_once(StartRun(node, definition, self._services))
            if outcome.stop is Stop.REQUEUE:
                continue
            if not outcome.exit_code or 0 <= limit <= info.retry_count:
                break
            info.retry_count += 1
            info.last_retry = info.start = self._ticks.now()
        info.end = self._ticks.now()
        info.exit_code = outcome.exit_code
        info.failure = EXIT_CODE if outcome.exit_code else outcome.failure
        info.result = TaskResult.SUCCESS if info.failure is None else TaskResult.FAILURE
        return info.failure is None

    async def _run_once(self, run: StartRun) -> Outcome:
        try:
            return await run.run()
        except asyncio.CancelledError:
            run.stop(Stop.DELETE)
            raise
