"""Which task starts where and when: priorities, slots, ``maxParallelTasks``, first come first served.

A multi-instance task gets all its nodes at once. While the one whose turn it is waits for nodes that others
have, whatever comes after it waits too: else it could wait for ever. One that the pool cannot run at all, or
has too few nodes for, stays active and holds up nobody, as does a task that wants more slots
than a node has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_batchad.local.batch.attempt import Attempt
from airflow_provider_batchad.local.batch.command_run import NodeServices, Outcome, Stop
from airflow_provider_batchad.local.batch.durations import INFINITE_TICKS, parse_duration
from airflow_provider_batchad.local.batch.failures import UNKNOWN
from airflow_provider_batchad.local.batch.index import fold
from airflow_provider_batchad.local.batch.job import Job, JobState
from airflow_provider_batchad.local.batch.multi_instance import MultiInstanceAttempt
from airflow_provider_batchad.local.batch.task import Task, TaskState
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, TickClock

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.index import IdIndex
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.pool import Pool
    from airflow_provider_batchad.local.batch.preparation import Preparations
    from airflow_provider_batchad.local.batch.timers import Timer, Timers


_log = logging.getLogger(__name__)


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

    def look_again(self, pool_id: str) -> None:
        """Look at a pool again: a multi-instance task that held up others may not wait for it any more."""
        pool = self._pools.get(pool_id)
        if pool is not None and pool.waiting:
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
            is_here = self._pools.get(job.pool_id) is pool
            is_held = is_here and not self._start_ready(pool, job)
            if not job.ready or job.state is not JobState.ACTIVE or not is_here:
                pool.waiting.pop(job.key, None)
            if is_held or pool.is_full():
                return

    def _start_ready(self, pool: Pool, job: Job) -> bool:
        """Start what can be; ``False`` where a multi-instance task must have the nodes that become free."""
        skipped: list[Task] = []
        is_held = False
        while job.ready and job.state is JobState.ACTIVE and job.has_free_lane:
            task = job.ready.popleft()
            if task.state is not TaskState.ACTIVE or job.tasks.get(task.id) is not task:
                continue
            nodes = _choose_nodes(pool, job, task)
            if nodes is not None:
                self._start(job, task, nodes)
                continue
            skipped.append(task)
            is_held = task.instances > 0 and pool.could_give(task.instances, refused=job.refused_nodes)
            if is_held or (not task.instances and task.slots <= pool.slots_per_node):
                break
        job.ready.extendleft(reversed(skipped))
        return not is_held

    def _start(self, job: Job, task: Task, nodes: Sequence[Node]) -> None:
        attempt = self._make_attempt(job, task, nodes)
        task.begin_execution().node = attempt.node
        job.attempts[task] = attempt
        for node in attempt.nodes:
            node.take(attempt.slots, self._ticks.now())
            node.attempts.add(attempt)
        begun = [self._preparations.begin(job, node) for node in attempt.nodes]
        preparations = [one for one in begun if one is not None]
        if preparations:
            job.move_task(task, TaskState.PREPARING, self._ticks.now())
        else:
            attempt.begin()
        running = asyncio.create_task(self._run(attempt, preparations))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    def _make_attempt(self, job: Job, task: Task, nodes: Sequence[Node]) -> Attempt:
        definition = task.read_definition()
        slots = nodes[0].slots if job.is_exclusive(task) else task.slots
        if task.instances:
            return MultiInstanceAttempt(
                job, task, nodes, definition, self._services, slots=slots, ticks=self._ticks
            )
        return Attempt(job, task, nodes[0], definition, self._services, slots=slots, ticks=self._ticks)

    def _set_limit(self, attempt: Attempt) -> Timer | None:
        limit = parse_duration(attempt.definition["constraints"]["maxWallClockTime"])
        execution = attempt.task.execution
        if limit >= INFINITE_TICKS or execution is None:
            return None
        return self._timers.at((execution.start + limit) / TICKS_PER_SECOND, lambda: attempt.stop(Stop.LIMIT))

    async def _run(self, attempt: Attempt, preparations: Sequence[asyncio.Task[bool]]) -> None:
        job, task = attempt.job, attempt.task
        try:
            outcome = await self._run_prepared(attempt, preparations)
        except Exception:  # noqa: BLE001 - one run ends no other
            # Whatever it is, the attempt is over: its slots are free again, and nobody waits for it for ever.
            _log.exception("task %s of job %s failed in a way that nobody expects", task.id, job.id)
            outcome = Outcome(stop=attempt.stopped, failure=UNKNOWN)
        job.attempts.pop(task, None)
        for node in attempt.nodes:
            node.give_back(attempt.slots, self._ticks.now())
            node.total_tasks_succeeded += outcome.exit_code == 0 and outcome.stop is None
            node.attempts.discard(attempt)
        try:
            self._on_end(attempt, outcome)
        except Exception:  # noqa: BLE001 - one run ends no other
            # The pool's other tasks go on.
            _log.exception("the end of task %s of job %s could not be told", task.id, job.id)
        finally:
            attempt.done.set()
        pool = self._pools.get(attempt.node.pool_id)
        if pool is not None and (job.ready or pool.waiting):
            if job.ready and job.pool_id == pool.id:
                pool.waiting[job.key] = job
            self._kick(pool)

    async def _run_prepared(self, attempt: Attempt, preparations: Sequence[asyncio.Task[bool]]) -> Outcome:
        if preparations and not await attempt.wait_for(preparations):
            attempt.give_up()
            return Outcome(stop=attempt.stopped or Stop.UNPREPARED)
        return await self._run_begun(attempt, is_begun=not preparations)

    async def _run_begun(self, attempt: Attempt, *, is_begun: bool) -> Outcome:
        if not is_begun:
            attempt.begin()
        limit = self._set_limit(attempt)
        try:
            return await attempt.run()
        finally:
            if limit is not None:
                limit.cancel()


def _choose_nodes(pool: Pool, job: Job, task: Task) -> Sequence[Node] | None:
    if task.instances:
        if not pool.takes_multi_instance:
            return None
        return pool.choose_nodes(task.instances, refused=job.refused_nodes)
    node = pool.choose_node(task.slots, is_exclusive=job.is_exclusive(task), refused=job.refused_nodes)
    return None if node is None else (node,)
