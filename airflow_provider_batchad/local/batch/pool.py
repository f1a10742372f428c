"""Pools of nodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.index import IdIndex, fold

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.autoscale import AutoScaleRun
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.timers import Timer


class PoolState(StrEnum):
    """``BatchPoolState`` of the REST API."""

    ACTIVE = "active"
    DELETING = "deleting"


class AllocationState(StrEnum):
    """``AllocationState`` of the REST API."""

    STEADY = "steady"
    RESIZING = "resizing"
    STOPPING = "stopping"


@dataclass(slots=True, kw_only=True, eq=False)
class AutoScale:
    """A pool's automatic scaling, while it is on."""

    formula: str
    interval: str
    run: AutoScaleRun | None = None
    timer: Timer | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Pool:
    """A pool of nodes. Times are ticks.

    :param properties: what the user can set, as the REST API's members with their defaults; not its size.
    :param waiting: the jobs with tasks that are ready to run on it, by folded id.
    :param autoscale_enabled: of the last request to enable automatic scaling.
    :param next_number: of the next node that it gets.
    """

    id: str
    created: int
    modified: int
    transition: int
    allocation_transition: int
    properties: dict[str, Any]
    resize_timeout: str
    state: PoolState = PoolState.ACTIVE
    allocation: AllocationState = AllocationState.STEADY
    target_dedicated: int = 0
    target_spot: int = 0
    resize_errors: list[dict[str, Any]] = field(default_factory=list)
    autoscale: AutoScale | None = None
    autoscale_enabled: int = 0
    next_number: int = 0
    nodes: IdIndex[Node] = field(default_factory=IdIndex)
    waiting: dict[str, Job] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The folded id."""
        return fold(self.id)

    @property
    def vm_size(self) -> str:
        """In lower case, as the service shows it."""
        vm_size: str = self.properties["vmSize"]
        return vm_size

    @property
    def slots_per_node(self) -> int:
        """Of every node that it gets."""
        slots: int = self.properties["taskSlotsPerNode"]
        return slots

    @property
    def has_containers(self) -> bool:
        """Whether its nodes could run container tasks."""
        return "containerConfiguration" in self.properties["virtualMachineConfiguration"]

    def members(self, *, dedicated: bool) -> list[Node]:
        """Its dedicated nodes or its Spot nodes."""
        return [node for node in self.nodes.values() if node.is_dedicated is dedicated]

    @property
    def takes_multi_instance(self) -> bool:
        """Whether multi-instance tasks are ever scheduled on it: others leave them active for ever."""
        return bool(self.properties["enableInterNodeCommunication"]) and self.slots_per_node == 1

    def choose_nodes(self, count: int, *, refused: Collection[Node] = ()) -> tuple[Node, ...] | None:
        """The nodes of a multi-instance task, all at once or none; the first is the master."""
        free = [node for node in self.nodes.values() if node.takes_tasks and node not in refused]
        return tuple(free[:count]) if len(free) >= count else None

    def could_give(self, count: int, *, refused: Collection[Node] = ()) -> bool:
        """Whether it would have so many nodes for one task once those that run have ended."""
        ready = (node.is_ready and node not in refused for node in self.nodes.values())
        return self.takes_multi_instance and sum(ready) >= count

    def choose_node(
        self, slots: int, *, is_exclusive: bool = False, refused: Collection[Node] = ()
    ) -> Node | None:
        """Where a task should start: ``nodeFillType`` spread wants the emptiest node, pack the fullest.

        :param is_exclusive: whether all slots of the node must be free.
        :param refused: nodes that do not come into question.
        """
        fitting: Iterable[Node] = (
            node
            for node in self.nodes.values()
            if node.takes_tasks
            and node.free_slots >= (node.slots if is_exclusive else slots)
            and node not in refused
        )
        packs = self.properties["taskSchedulingPolicy"]["nodeFillType"] == "Pack"
        choose = min if packs else max
        return choose(fitting, key=lambda node: node.free_slots, default=None)

    def is_full(self) -> bool:
        """Whether no node takes a task."""
        return not any(node.takes_tasks for node in self.nodes.values())

    def move(self, state: PoolState, ticks: int) -> None:
        """A transition; it leaves the ETag alone, which only users' changes move."""
        self.state = state
        self.transition = ticks

    def allocate(self, allocation: AllocationState, ticks: int) -> None:
        """A transition of its allocation state."""
        self.allocation = allocation
        self.allocation_transition = ticks
