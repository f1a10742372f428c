"""A node's life: created, started, rebooted, reimaged, preempted, deallocated, gone; and its start task."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.background import Background
from airflow_provider_batchad.local.batch.command_run import Stop
from airflow_provider_batchad.local.batch.durations import INFINITE_TICKS, parse_duration
from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.failures import PreparationFailed
from airflow_provider_batchad.local.batch.node import Node, NodeState
from airflow_provider_batchad.local.batch.packages import describe_error
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, TickClock

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.index import IdIndex
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.packages import Packages
    from airflow_provider_batchad.local.batch.pool import Pool
    from airflow_provider_batchad.local.batch.scheduler import Scheduler
    from airflow_provider_batchad.local.batch.start_task import StartTasks
    from airflow_provider_batchad.local.batch.timers import Timers

_SERVICE_SECONDS: Final = 0.1
_STOPS: Final = {"requeue": Stop.REQUEUE, "terminate": Stop.USER}
# "Batch Service Error Codes" of the REST reference.
_BUSY: Final = {
    NodeState.CREATING: "NodeBeingCreated",
    NodeState.STARTING: "NodeBeingStarted",
    NodeState.REBOOTING: "NodeBeingRebooted",
    NodeState.REIMAGING: "NodeBeingReimaged",
}
_COMING: Final = (NodeState.CREATING, NodeState.STARTING, NodeState.WAITING_FOR_START_TASK)
_RESTARTABLE: Final = (NodeState.IDLE, NodeState.START_TASK_FAILED, NodeState.UNUSABLE)


class NodeFlow:
    """The state machine of nodes."""

    def __init__(
        self,
        *,
        jobs: IdIndex[Job],
        ticks: TickClock,
        timers: Timers,
        scheduler: Scheduler,
        start_tasks: StartTasks,
        packages: Packages,
    ) -> None:
        self._jobs = jobs
        self._ticks = ticks
        self._timers = timers
        self._scheduler = scheduler
        self._start_tasks = start_tasks
        self._packages = packages
        self._background = Background()
        self._work: dict[Node, asyncio.Task[None]] = {}

    def boot(self, pool: Pool, node: Node) -> None:
        """Bring a new node, or one that has come back, to where it takes tasks."""
        node.enter(NodeState.CREATING, self._ticks.now())
        self._replace(node, lambda: self._create(pool, node))

    def reboot(self, pool: Pool, node: Node, option: str) -> None:
        """Restart it for a user; its files stay.

        :raises BatchError: it is neither idle nor running, nor has its start task failed.
        """
        _check(node, *_RESTARTABLE)
        self._restart(pool, node, NodeState.REBOOTING, option)

    def reimage(self, pool: Pool, node: Node, option: str) -> None:
        """Restart it from its image for a user; its files go.

        :raises BatchError: it is neither idle nor running, nor has its start task failed.
        """
        _check(node, *_RESTARTABLE)
        self._restart(pool, node, NodeState.REIMAGING, option)

    def deallocate(self, node: Node, option: str) -> None:
        """Give its machine back for a user, and keep the node.

        :raises BatchError: it is neither idle nor running.
        """
        _check(node, *_RESTARTABLE)
        node.enter(NodeState.DEALLOCATING, self._ticks.now())
        self._replace(node, lambda: self._deallocate(node, option))

    def start(self, pool: Pool, node: Node) -> None:
        """Start a deallocated node for a user.

        :raises BatchError: it is none.
        """
        _check(node, NodeState.DEALLOCATED)
        node.enter(NodeState.STARTING, self._ticks.now())
        self._replace(node, lambda: self._start_later(pool, node))

    def disable_scheduling(self, node: Node, option: str) -> None:
        """Start no more tasks on it.

        :raises BatchError: that is so already.
        """
        if not node.is_scheduling:
            raise BatchError("NodeAlreadyInTargetSchedulingState")
        node.set_scheduling(False, self._ticks.now())
        self._scheduler.look_again(node.pool_id)
        self._stop_tasks(node, option)

    def enable_scheduling(self, pool: Pool, node: Node) -> None:
        """Start tasks on it again.

        :raises BatchError: that is so already.
        """
        if node.is_scheduling:
            raise BatchError("NodeAlreadyInTargetSchedulingState")
        node.set_scheduling(True, self._ticks.now())
        self._scheduler.kick(pool)

    def preempt(self, pool: Pool, node: Node, *, back_after_seconds: float | None) -> None:
        """Azure takes the machine of a Spot node: its tasks are queued again, its files are lost.

        "When replacement capacity is found, the nodes keep their IDs, but are reinitialized."

        :param back_after_seconds: when the node is created anew, by the clock; never by default.
        """
        node.enter(NodeState.PREEMPTED, self._ticks.now())
        self._replace(node, lambda: self._preempt(node))
        node.returns = 0
        if back_after_seconds is not None:
            node.returns = self._ticks.now() + int(back_after_seconds * TICKS_PER_SECOND)
            self._return_later(pool, node)

    def resume(self, pool: Pool, node: Node) -> None:
        """Go on with a node that was kept across a restart, from where it was in its life."""
        start_task = node.start_task_info
        if node.phase in (NodeState.REBOOTING, NodeState.REIMAGING):
            self._restart(pool, node, node.phase, "requeue")
        elif node.phase in _COMING or (
            node.phase is NodeState.IDLE and start_task is not None and not start_task.end
        ):
            self.boot(pool, node)
        elif node.phase is NodeState.DEALLOCATING:
            node.enter(NodeState.DEALLOCATED, self._ticks.now())
        elif node.phase is NodeState.PREEMPTED and node.returns:
            self._return_later(pool, node)

    async def leave(self, pool: Pool, node: Node, option: str) -> None:
        """Take it out of its pool. Given up before it is done, the node stays as it was.

        :param option: ``nodeDeallocationOption``.
        """
        phase = node.phase
        node.enter(NodeState.LEAVING, self._ticks.now())
        self._scheduler.look_again(node.pool_id)
        try:
            await self._empty(node, option)
        except asyncio.CancelledError:
            node.enter(phase, self._ticks.now())
            self._scheduler.kick(pool)
            raise
        working = self._work.pop(node, None)
        if working is not None:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        node.is_gone = True
        if pool.nodes.get(node.id) is node:
            pool.nodes.remove(node.id)
        await _in_thread(lambda: shutil.rmtree(node.root, ignore_errors=True))

    async def stop(self) -> None:
        """Give up what goes on."""
        await self._background.stop()

    def _replace(self, node: Node, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        # A node does one thing at a time: whatever it was at ends first.
        before = self._work.get(node)
        if before is not None:
            before.cancel()
        self._scheduler.look_again(node.pool_id)
        self._work[node] = self._background.spawn(_follow(before, work))

    def _return_later(self, pool: Pool, node: Node) -> None:
        def come_back() -> None:
            if not node.is_gone and node.phase is NodeState.PREEMPTED:
                self.boot(pool, node)

        self._call_at(node.returns, come_back)

    def _restart(self, pool: Pool, node: Node, phase: NodeState, option: str) -> None:
        node.enter(phase, self._ticks.now())
        self._replace(node, lambda: self._start_again(pool, node, option))

    async def _create(self, pool: Pool, node: Node) -> None:
        await _in_thread(node.make_directories)
        await self._start(pool, node)

    async def _start_again(self, pool: Pool, node: Node, option: str) -> None:
        wipes = node.phase is NodeState.REIMAGING
        await self._empty(node, option)
        if wipes:
            node.users.clear()
            await _in_thread(lambda: shutil.rmtree(node.root, ignore_errors=True))
            await _in_thread(node.make_directories)
        await asyncio.sleep(_SERVICE_SECONDS)
        await self._start(pool, node)

    async def _deallocate(self, node: Node, option: str) -> None:
        await self._empty(node, option)
        await asyncio.sleep(_SERVICE_SECONDS)
        node.enter(NodeState.DEALLOCATED, self._ticks.now())

    async def _start_later(self, pool: Pool, node: Node) -> None:
        await asyncio.sleep(_SERVICE_SECONDS)
        await self._start(pool, node)

    async def _preempt(self, node: Node) -> None:
        for attempt in tuple(node.attempts):
            attempt.stop(Stop.PREEMPT)
        await _until_idle(node)
        await self._forget_jobs(node)
        await _in_thread(lambda: shutil.rmtree(node.root, ignore_errors=True))

    async def _start(self, pool: Pool, node: Node) -> None:
        ticks = self._ticks.now()
        node.enter(NodeState.STARTING, ticks)
        node.booted = ticks
        node.start_task = start_task = pool.properties.get("startTask")
        node.start_task_info = None
        node.errors = []
        if not await self._deploy(pool, node):
            return
        if start_task is not None and start_task["waitForSuccess"]:
            node.enter(NodeState.WAITING_FOR_START_TASK, self._ticks.now())
            if not await self._start_tasks.run(node, start_task):
                node.enter(NodeState.START_TASK_FAILED, self._ticks.now())
                return
        node.enter(NodeState.IDLE, self._ticks.now())
        self._scheduler.kick(pool)
        if start_task is not None and not start_task["waitForSuccess"]:
            await self._start_tasks.run(node, start_task)

    async def _deploy(self, pool: Pool, node: Node) -> bool:
        # "If an application package deployment fails for any reason, the Batch service marks the node
        # unusable, and no tasks are scheduled for execution on that node."
        references = pool.properties.get("applicationPackageReferences") or ()
        try:
            node.packages = await self._packages.deploy(references, node)
        except PreparationFailed as failed:
            node.errors = [describe_error(references, failed)]
            node.enter(NodeState.UNUSABLE, self._ticks.now())
            return False
        return True

    async def _empty(self, node: Node, option: str) -> None:
        self._stop_tasks(node, option)
        await _until_idle(node)
        if option == "retaineddata":
            await self._reach(self._find_retention(node))
        await self._forget_jobs(node)

    def _stop_tasks(self, node: Node, option: str) -> None:
        stop = _STOPS.get(option)
        if stop is not None:
            for attempt in tuple(node.attempts):
                attempt.stop(stop)

    async def _forget_jobs(self, node: Node) -> None:
        # A node that starts again is prepared again, whatever its preparation came to.
        jobs = [job for job in self._jobs.values() if node in job.on_nodes]
        for job in jobs:
            place = job.on_nodes.pop(node)
            if place.run is not None:
                place.run.stop(Stop.DELETE)
            runs = [run for run in (place.prepared, place.released) if run is not None]
            await asyncio.gather(*runs, return_exceptions=True)
            job.refused_nodes.discard(node)

    def _find_retention(self, node: Node) -> int:
        latest = 0
        for job in self._jobs.values():
            for task in job.tasks.values():
                if task.execution is not None and node in task.execution.nodes and task.execution.end:
                    kept = parse_duration(task.read_definition()["constraints"]["retentionTime"])
                    latest = max(latest, min(task.execution.end + kept, INFINITE_TICKS))
        return latest

    async def _reach(self, ticks: int) -> None:
        reached = asyncio.Event()
        self._call_at(ticks, reached.set)
        await reached.wait()

    def _call_at(self, ticks: int, action: Callable[[], None]) -> None:
        self._timers.at(ticks / TICKS_PER_SECOND, action)


async def _follow(before: asyncio.Task[None] | None, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    if before is not None:
        await _until_done(before)
    await work()


async def _in_thread(work: Callable[[], None]) -> None:
    # A thread cannot be cancelled: what it does to the node's files must not meet what comes after it.
    working = asyncio.ensure_future(asyncio.to_thread(work))
    await _until_done(working)
    working.result()


async def _until_done(work: asyncio.Future[None]) -> None:
    try:
        await asyncio.wait([work])
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


async def _until_idle(node: Node) -> None:
    while node.attempts:
        await next(iter(node.attempts)).done.wait()


def _check(node: Node, *phases: NodeState) -> None:
    if node.phase not in phases:
        raise BatchError(_BUSY.get(node.phase, "OperationNotValidOnNode"))
