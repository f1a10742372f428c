"""A pool's life: created, resized, stopped, scaled, deleted.

As with jobs, the service's own work takes a moment of real time, whatever the clock shows; real nodes take
minutes. What a user set a time for (a resize timeout, an evaluation interval) follows the clock.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.background import Background
from airflow_provider_batchad.local.batch.durations import INFINITE_TICKS, parse_duration
from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.node import Node, NodeState, make_node_id
from airflow_provider_batchad.local.batch.pool import AllocationState, Pool, PoolState
from airflow_provider_batchad.local.batch.pool_factory import SIZE_MEMBERS
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, TickClock

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.autoscaling import AutoScaling
    from airflow_provider_batchad.local.batch.index import IdIndex
    from airflow_provider_batchad.local.batch.node_flow import NodeFlow
    from airflow_provider_batchad.local.batch.timers import Timers

_SERVICE_SECONDS: Final = 0.2
# Long enough that whoever asked for a resize can stop it, as in the recordings.
_ALLOCATION_SECONDS: Final = 0.5
_CORES: Final = re.compile(r"_[a-z]+(\d{1,3})")
# Codes of PoolResizeErrorCodes.
_RESIZE_ERRORS: Final = {
    "AccountCoreQuotaReached": "The specified account has reached core quota",
    "AccountLowPriorityCoreQuotaReached": "The specified account has reached low-priority core quota",
    "AllocationTimedOut": "Desired number of nodes could not be allocated as the resize timeout was reached",
    "ResizeStopped": "Desired number of nodes could not be allocated due to a stop resize operation",
}


class PoolFlow:
    """The state machine of pools.

    :param quota: how many pools there may be.
    :param core_quota: how many cores dedicated nodes may have together, and Spot nodes as many again.
    :param work_dir: where nodes keep their files.
    """

    def __init__(
        self,
        *,
        account: str,
        pools: IdIndex[Pool],
        ticks: TickClock,
        timers: Timers,
        nodes: NodeFlow,
        work_dir: Path,
        quota: int,
        core_quota: int,
    ) -> None:
        self.quota = quota
        self.core_quota = core_quota
        self._account = account
        self._pools = pools
        self._ticks = ticks
        self._timers = timers
        self._nodes = nodes
        self._work_dir = work_dir
        self._background = Background()
        self._resizes: dict[Pool, asyncio.Task[None]] = {}
        self._autoscaling: AutoScaling

    def connect(self, autoscaling: AutoScaling) -> None:
        """Tell it of what knows it."""
        self._autoscaling = autoscaling

    def create(self, pool_id: str, members: dict[str, Any]) -> Pool:
        """A new pool; its nodes come a moment later.

        :param members: as ``build_pool`` makes them.
        :raises BatchError: the id is taken, or the quota is reached.
        """
        existing = self._pools.get(pool_id)
        if existing is not None:
            raise BatchError("PoolBeingDeleted" if existing.state is PoolState.DELETING else "PoolExists")
        if len(self._pools) >= self.quota:
            raise BatchError("PoolQuotaReached")
        pool = self._make(pool_id, members)
        if members["enableAutoScale"]:
            self._autoscaling.begin(pool, members["autoScaleFormula"], members["autoScaleEvaluationInterval"])
        else:
            self.start_resize(pool, members["targetDedicatedNodes"], members["targetLowPriorityNodes"])
        return pool

    def add_ready(self, pool_id: str, members: dict[str, Any]) -> Pool:
        """A pool that exists from the start, its nodes idle."""
        pool = self._make(pool_id, members)
        pool.target_dedicated = members["targetDedicatedNodes"]
        for _ in range(pool.target_dedicated):
            self._add_node(pool, dedicated=True).enter(NodeState.IDLE, pool.created)
        return pool

    def resize(
        self, pool: Pool, dedicated: int | None, spot: int | None, timeout: str | None, option: str
    ) -> None:
        """Change the number of nodes for a user.

        :param option: ``nodeDeallocationOption``.
        :raises BatchError: the pool is being deleted or resized, or scales by itself.
        """
        self.check_steady(pool)
        if pool.autoscale is not None:
            raise BatchError("OperationInvalidForCurrentState")
        pool.modified = self._ticks.now()
        pool.resize_timeout = timeout or "PT15M"
        self.start_resize(
            pool,
            pool.target_dedicated if dedicated is None else dedicated,
            pool.target_spot if spot is None else spot,
            option=option,
        )

    def remove_nodes(self, pool: Pool, nodes: Sequence[Node], timeout: str | None, option: str) -> None:
        """Take these nodes out of the pool for a user.

        :raises BatchError: the pool is being deleted or resized.
        """
        self.check_steady(pool)
        pool.modified = self._ticks.now()
        pool.resize_timeout = timeout or "PT15M"
        dedicated = sum(node.is_dedicated for node in nodes)
        self.start_resize(
            pool,
            max(0, pool.target_dedicated - dedicated),
            max(0, pool.target_spot - (len(nodes) - dedicated)),
            option=option,
            leaving=nodes,
        )

    def stop_resize(self, pool: Pool) -> None:
        """Let the pool stay as large as it is now; recorded: the ETag does not move.

        :raises BatchError: it is not being resized, or is being deleted.
        """
        refuse_deleting(pool)
        if pool.allocation is not AllocationState.RESIZING:
            raise BatchError("OperationInvalidForCurrentState")
        self.give_up_resize(pool, "ResizeStopped")

    def delete(self, pool: Pool) -> None:
        """Remove the pool and its nodes; tasks that run on them are queued again.

        :raises BatchError: that goes on already.
        """
        refuse_deleting(pool)
        pool.move(PoolState.DELETING, self._ticks.now())
        if pool.autoscale is not None and pool.autoscale.timer is not None:
            pool.autoscale.timer.cancel()
        resizing = self._resizes.pop(pool, None)
        if resizing is not None:
            resizing.cancel()
        self._background.spawn(self._remove(pool))

    def check_steady(self, pool: Pool) -> None:
        """Whether the pool's size may be changed.

        :raises BatchError: it is being deleted, or resized.
        """
        refuse_deleting(pool)
        if pool.allocation is not AllocationState.STEADY:
            raise BatchError("PoolBeingResized")

    def start_resize(
        self,
        pool: Pool,
        dedicated: int,
        spot: int,
        *,
        option: str = "requeue",
        leaving: Sequence[Node] | None = None,
    ) -> None:
        """Begin to make it so.

        :param leaving: the nodes that go; chosen by the service otherwise.
        """
        pool.target_dedicated, pool.target_spot = dedicated, spot
        pool.resize_errors = []
        pool.allocate(AllocationState.RESIZING, self._ticks.now())
        self._resizes[pool] = self._background.spawn(self._resize(pool, option, leaving))

    def give_up_resize(self, pool: Pool, code: str) -> None:
        """End a resize before its end."""
        resizing = self._resizes.pop(pool, None)
        if resizing is not None:
            resizing.cancel()
        pool.allocate(AllocationState.STOPPING, self._ticks.now())
        self._background.spawn(self._settle(pool, code))

    def resume(self, pool: Pool) -> None:
        """Go on with a pool that was kept across a restart, from the state that it was in."""
        for node in pool.nodes.values():
            self._nodes.resume(pool, node)
        if pool.state is PoolState.DELETING:
            self._background.spawn(self._remove(pool))
            return
        if pool.allocation is AllocationState.RESIZING:
            leaving = [node for node in pool.nodes.values() if node.phase is NodeState.LEAVING]
            self._resizes[pool] = self._background.spawn(self._resize(pool, "requeue", leaving or None))
        elif pool.allocation is AllocationState.STOPPING:
            self._background.spawn(self._settle(pool, "ResizeStopped"))
        self._autoscaling.resume(pool)

    async def stop(self) -> None:
        """Give up what the service is working at."""
        await self._background.stop()

    def _make(self, pool_id: str, members: dict[str, Any]) -> Pool:
        ticks = self._ticks.now()
        pool = Pool(
            id=pool_id,
            created=ticks,
            modified=ticks,
            transition=ticks,
            allocation_transition=ticks,
            properties={name: value for name, value in members.items() if name not in SIZE_MEMBERS},
            resize_timeout=members["resizeTimeout"],
        )
        self._pools.add(pool_id, pool)
        return pool

    async def _resize(self, pool: Pool, option: str, leaving: Sequence[Node] | None) -> None:
        await asyncio.sleep(_ALLOCATION_SECONDS)
        going = list(leaving or ())
        for dedicated, target in ((True, pool.target_dedicated), (False, pool.target_spot)):
            members = pool.members(dedicated=dedicated)
            surplus = len(members) - target
            if leaving is None and surplus > 0:
                going += sorted(members, key=lambda node: (node.running_tasks, -node.number))[:surplus]
            elif leaving is None:
                self._grow(pool, -surplus, dedicated=dedicated)
        limit = parse_duration(pool.resize_timeout)
        timer = None
        if going and limit < INFINITE_TICKS:
            timer = self._timers.at(
                (self._ticks.now() + limit) / TICKS_PER_SECOND,
                lambda: self.give_up_resize(pool, "AllocationTimedOut"),
            )
        try:
            await asyncio.gather(*(self._nodes.leave(pool, node, option) for node in going))
        finally:
            if timer is not None:
                timer.cancel()
        del self._resizes[pool]
        pool.allocate(AllocationState.STEADY, self._ticks.now())

    def _grow(self, pool: Pool, count: int, *, dedicated: bool) -> None:
        cores = count_cores(pool.vm_size)
        used = sum(
            count_cores(one.vm_size) * len(one.members(dedicated=dedicated)) for one in self._pools.values()
        )
        allowed = max(0, self.core_quota - used) // cores
        if count > allowed:
            code = "AccountCoreQuotaReached" if dedicated else "AccountLowPriorityCoreQuotaReached"
            pool.resize_errors.append(_resize_error(code))
        for _ in range(min(count, allowed)):
            self._nodes.boot(pool, self._add_node(pool, dedicated=dedicated))

    def _add_node(self, pool: Pool, *, dedicated: bool) -> Node:
        number = pool.next_number
        pool.next_number += 1
        node_id = make_node_id(self._account, pool.id, number, is_dedicated=dedicated)
        ticks = self._ticks.now()
        node = Node(
            id=node_id,
            pool_id=pool.id,
            number=number,
            slots=pool.slots_per_node,
            root=self._work_dir / pool.id / node_id,
            vm_size=pool.vm_size,
            allocated=ticks,
            transition=ticks,
            is_dedicated=dedicated,
            has_containers=pool.has_containers,
            phase=NodeState.CREATING,
        )
        pool.nodes.add(node_id, node)
        return node

    async def _settle(self, pool: Pool, code: str) -> None:
        await asyncio.sleep(_SERVICE_SECONDS)
        if pool.allocation is not AllocationState.STOPPING:
            return
        for dedicated, target in ((True, pool.target_dedicated), (False, pool.target_spot)):
            if len(pool.members(dedicated=dedicated)) != target and not pool.resize_errors:
                pool.resize_errors.append(_resize_error(code))
        pool.allocate(AllocationState.STEADY, self._ticks.now())

    async def _remove(self, pool: Pool) -> None:
        nodes = tuple(pool.nodes.values())
        await asyncio.gather(*(self._nodes.leave(pool, node, "requeue") for node in nodes))
        await asyncio.sleep(_SERVICE_SECONDS)
        self._pools.remove(pool.id)


def refuse_deleting(pool: Pool) -> None:
    """409 for a change to a pool that is going.

    :raises BatchError: it is.
    """
    if pool.state is PoolState.DELETING:
        raise BatchError("PoolBeingDeleted")


def count_cores(vm_size: str) -> int:
    """The cores of a machine, by the number in its size's name; most sizes are named so."""
    match = _CORES.search(vm_size)
    return max(1, int(match[1])) if match is not None else 1


def _resize_error(code: str) -> dict[str, Any]:
    return {"code": code, "message": _RESIZE_ERRORS[code], "values": []}
