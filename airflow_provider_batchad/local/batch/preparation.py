"""What a job has on its nodes beside its tasks: a preparation before its first task, a release at its end.

Both run beside the node's slots. A preparation that fails for good keeps the job's tasks off that node. A
release runs on every node that ran a preparation; whether it succeeds changes nothing for the job.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.command_run import CommandRun, NodeServices, Outcome, Stop
from airflow_provider_batchad.local.batch.durations import INFINITE_TICKS, parse_duration
from airflow_provider_batchad.local.batch.failures import ENDED_BY_JOB, EXIT_CODE, OUT_OF_TIME, UNKNOWN
from airflow_provider_batchad.local.batch.run_record import RunRecord
from airflow_provider_batchad.local.batch.task import TaskResult
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, TickClock

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.timers import Timers

_log = logging.getLogger(__name__)

_STOPPED: Final = {Stop.LIMIT: OUT_OF_TIME}


@dataclass(slots=True, kw_only=True, eq=False)
class NodeTask(RunRecord):
    """A preparation or release on one node."""

    id: str


@dataclass(slots=True, kw_only=True, eq=False)
class JobOnNode:
    """A job on one node.

    :param prepared: whether its preparation has succeeded, once that is known.
    :param released: the same of the release.
    :param run: what runs now.
    """

    node: Node
    preparation: NodeTask
    prepared: asyncio.Task[bool] | None = None
    release: NodeTask | None = None
    released: asyncio.Task[bool] | None = None
    run: CommandRun | None = None


class Preparations:
    """Runs preparations and releases."""

    def __init__(self, *, ticks: TickClock, timers: Timers, services: NodeServices) -> None:
        self._ticks = ticks
        self._timers = timers
        self._services = services
        self._working: set[asyncio.Task[bool]] = set()

    def begin(self, job: Job, node: Node) -> asyncio.Task[bool] | None:
        """Prepare a node, unless that was done.

        :return: what a task of the job must wait for; ``None``: nothing.
        """
        definition = job.properties.get("jobPreparationTask")
        if definition is None:
            return None
        place = job.on_nodes.get(node)
        if place is None:
            preparation = NodeTask(id=definition["id"], start=self._ticks.now())
            place = job.on_nodes[node] = JobOnNode(node=node, preparation=preparation)
            place.prepared = self._spawn(job, place, preparation, definition)
        if not definition["waitForSuccess"] or place.preparation.result is TaskResult.SUCCESS:
            return None
        return place.prepared

    def stop(self, job: Job, reason: Stop) -> None:
        """End what runs for a job on whatever node."""
        for place in job.on_nodes.values():
            if place.run is not None:
                place.run.stop(reason)

    async def release(self, job: Job) -> None:
        """Run the job's release on every node that was prepared for it; returns when all have ended."""
        places = tuple(job.on_nodes.values())
        await _gather(place.prepared for place in places)
        definition = job.properties.get("jobReleaseTask")
        if definition is None:
            return
        for place in places:
            if place.release is None and place.preparation.exit_code is not None:
                place.release = NodeTask(id=definition["id"], start=self._ticks.now())
                place.released = self._spawn(job, place, place.release, definition)
        await _gather(place.released for place in places)

    async def close(self) -> None:
        """End everything, without a word to anybody."""
        working = tuple(self._working)
        for one in working:
            one.cancel()
        await asyncio.gather(*working, return_exceptions=True)

    def _spawn(
        self, job: Job, place: JobOnNode, record: NodeTask, definition: Mapping[str, Any]
    ) -> asyncio.Task[bool]:
        working = asyncio.create_task(self._run(job, place, record, definition))
        self._working.add(working)
        working.add_done_callback(self._working.discard)
        return working

    async def _run(self, job: Job, place: JobOnNode, record: NodeTask, definition: Mapping[str, Any]) -> bool:
        try:
            outcome = await self._run_to_its_end(job, place, record, definition)
        except Exception:  # noqa: BLE001 - one run ends no other
            # Whatever it is, it is over: the tasks that wait for it do not wait for ever.
            _log.exception("%s of job %s failed in a way that nobody expects", record.id, job.id)
            place.run = None
            outcome = Outcome(failure=UNKNOWN)
        self._finish(record, outcome)
        if record is place.preparation and record.failure is not None and definition["waitForSuccess"]:
            job.refused_nodes.add(place.node)
        return record.failure is None

    async def _run_to_its_end(
        self, job: Job, place: JobOnNode, record: NodeTask, definition: Mapping[str, Any]
    ) -> Outcome:
        constraints = definition.get("constraints") or definition
        retries: int = constraints.get("maxTaskRetryCount", 0)
        limit = parse_duration(constraints["maxWallClockTime"])
        while True:
            run = CommandRun(job, record.id, place.node, definition, self._services)
            place.run = run
            outcome = await self._run_once(run, limit)
            place.run = None
            if outcome.stop is Stop.REQUEUE:
                continue
            is_failed = outcome.stop is None and bool(outcome.exit_code)
            if not is_failed or (0 <= retries <= record.retry_count):
                return outcome
            record.retry_count += 1
            record.last_retry = self._ticks.now()

    async def _run_once(self, run: CommandRun, limit: int) -> Outcome:
        if limit >= INFINITE_TICKS:
            return await run.run()
        end = (self._ticks.now() + limit) / TICKS_PER_SECOND
        timer = self._timers.at(end, lambda: run.stop(Stop.LIMIT))
        try:
            return await run.run()
        finally:
            timer.cancel()

    def _finish(self, record: NodeTask, outcome: Outcome) -> None:
        record.end = self._ticks.now()
        if outcome.stop is not None:
            record.failure = _STOPPED.get(outcome.stop, ENDED_BY_JOB)
        else:
            record.exit_code = outcome.exit_code
            record.failure = EXIT_CODE if outcome.exit_code else outcome.failure
        record.result = TaskResult.SUCCESS if record.failure is None else TaskResult.FAILURE


async def _gather(working: Iterable[asyncio.Task[bool] | None]) -> None:
    await asyncio.gather(*(one for one in working if one is not None), return_exceptions=True)
