"""Which task starts where and when: priorities, slots, ``maxParallelTasks``, first come first served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_batchad.local.batch.attempt import Attempt
from airflow_provider_batchad.local.batch.command_run import NodeServices, Outcome, Stop
from airflow_provider_batchad.local.batch.durations import INFINITE_TICKS, parse_duration
from airflow_provider_batchad.local.batch.index import fold
from airflow_provider_batchad.local.batch.job import Job, JobState
from airflow_provider_batchad.local.batch.task import Task, TaskState
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, TickClock

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.index import IdIndex
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.pool import Pool
    from airflow_provider_batchad.local.batch.preparation import Preparations
    from airflow_provider_batchad.local.batch.timers import Timer, Timers


class Scheduler:
    """Starts the tasks that are ready on the nodes that have room.

    :param on_end: told how each attempt ended, once its node is free again.
    """

    def __init__(
        self,
        *,
        pools: IdIndex[Pool],
        jobs: IdIndex[Job],
        ticks: TickClock,
        timers: Timers,
        services: NodeServices,
        preparations: Preparations,
        on_end: Callable[[Attempt, Outcome], None],
    ) -> None:
        self._pools = pools
        self._jobs = jobs
        self._ticks = ticks
        self._timers = timers
        self._services = services
        self._preparations = preparations
        self._on_end = on_end
        self._kicked: set[Pool] = set()
        self._running: set[asyncio.Task[None]] = set()

    def enqueue(self, job: Job, task: Task, *, first: bool = False) -> None:
        """A task may start as soon as there is room.

        :param first: before those that wait already, as after a retry.
        """
        if first:
            job.ready.appendleft(task)
        else:
            job.ready.append(task)
        self.wake(job)

    def wake(self, job: Job) -> None:
        """Look at a job again: it has more ready tasks, or more lanes, or is enabled again."""
        pool = self._pools.get(job.pool_id)
        if pool is not None and job.ready:
            pool.waiting[job.key] = job
            self._kick(pool)

    def kick(self, pool: Pool) -> None:
        """Look at a pool again: its nodes take more tasks than before."""
        for job in self._jobs.values():
            if job.ready and fold(job.pool_id) == pool.key:
                pool.waiting[job.key] = job
        self._kick(pool)

    async def stop(self) -> None:
        """End every attempt, without a word to anybody."""
        running = tuple(self._running)
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _kick(self, pool: Pool) -> None:
        # Once for however many tasks one request adds.
        if pool not in self._kicked:
            self._kicked.add(pool)
            asyncio.get_running_loop().call_soon(self._dispatch, pool)

    def _dispatch(self, pool: Pool) -> None:
        self._kicked.discard(pool)
        if pool.is_full():
            return
        for job in sorted(pool.waiting.values(), key=lambda job: (-job.priority, job.created)):
            self._start_ready(pool, job)
            if not job.ready or job.state is not JobState.ACTIVE or self._pools.get(job.pool_id) is not pool:
                pool.waiting.pop(job.key, None)
            if pool.is_full():
                return

    def _start_ready(self, pool: Pool, job: Job) -> None:
        while job.ready and job.state is JobState.ACTIVE and job.has_free_lane:
            task = job.ready[0]
            if task.state is not TaskState.ACTIVE or job.tasks.get(task.id) is not task:
                job.ready.popleft()
                continue
            node = pool.choose_node(
                task.slots, is_exclusive=job.is_exclusive(task), refused=job.refused_nodes
            )
            if node is None:
                return
            job.ready.popleft()
            self._start(job, task, node)

    def _start(self, job: Job, task: Task, node: Node) -> None:
        definition = task.read_definition()
        slots = node.slots if job.is_exclusive(task) else task.slots
        task.begin_execution().node = node
        node.take(slots, self._ticks.now())
        attempt = Attempt(job, task, node, definition, self._services, slots=slots)
        job.attempts[task] = attempt
        node.attempts.add(attempt)
        preparation = self._preparations.begin(job, node)
        if preparation is None:
            self._begin(attempt)
        else:
            job.move_task(task, TaskState.PREPARING, self._ticks.now())
        running = asyncio.create_task(self._run(attempt, preparation))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    def _begin(self, attempt: Attempt) -> None:
        ticks = self._ticks.now()
        attempt.task.begin_execution().start = ticks
        attempt.job.move_task(attempt.task, TaskState.RUNNING, ticks)

    def _set_limit(self, attempt: Attempt) -> Timer | None:
        limit = parse_duration(attempt.definition["constraints"]["maxWallClockTime"])
        execution = attempt.task.execution
        if limit >= INFINITE_TICKS or execution is None:
            return None
        return self._timers.at((execution.start + limit) / TICKS_PER_SECOND, lambda: attempt.stop(Stop.LIMIT))

    async def _run(self, attempt: Attempt, preparation: asyncio.Task[bool] | None) -> None:
        job, task, node = attempt.job, attempt.task, attempt.node
        if preparation is not None and not await attempt.wait_for(preparation):
            outcome = Outcome(stop=attempt.stopped or Stop.UNPREPARED)
        else:
            outcome = await self._run_begun(attempt, is_begun=preparation is None)
        node.give_back(attempt.slots, self._ticks.now())
        if outcome.exit_code == 0 and outcome.stop is None:
            node.total_tasks_succeeded += 1
        job.attempts.pop(task, None)
        node.attempts.discard(attempt)
        try:
            self._on_end(attempt, outcome)
        finally:
            attempt.done.set()
        pool = self._pools.get(node.pool_id)
        if pool is not None and (job.ready or pool.waiting):
            if job.ready and job.pool_id == pool.id:
                pool.waiting[job.key] = job
            self._kick(pool)

    async def _run_begun(self, attempt: Attempt, *, is_begun: bool) -> Outcome:
        if not is_begun:
            self._begin(attempt)
        limit = self._set_limit(attempt)
        try:
            return await attempt.run()
        finally:
            if limit is not None:
                limit.cancel()
