"""Simulated nodes: slots for tasks, a state, and a directory of this machine."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.attempt import Attempt
    from airflow_provider_batchad.local.batch.run_record import RunRecord

# "Files and directories in Batch": what lies below the root directory of a node.
_NODE_DIRECTORIES: Final = ("applications", "fsmounts", "shared", "startup", "volatile", "workitems")


class NodeState(StrEnum):
    """``BatchNodeState`` of the REST API; ``running`` and ``offline`` are what a ready node can look like."""

    CREATING = "creating"
    STARTING = "starting"
    WAITING_FOR_START_TASK = "waitingforstarttask"
    START_TASK_FAILED = "starttaskfailed"
    IDLE = "idle"
    RUNNING = "running"
    OFFLINE = "offline"
    REBOOTING = "rebooting"
    REIMAGING = "reimaging"
    LEAVING = "leavingpool"
    PREEMPTED = "preempted"
    DEALLOCATING = "deallocating"
    DEALLOCATED = "deallocated"
    UNUSABLE = "unusable"


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """A compute node.

    :param root: what tasks know as ``AZ_BATCH_NODE_ROOT_DIR``.
    :param has_containers: whether its pool has a container configuration.
    :param phase: where it is in its life; ``idle`` while it is ready for tasks, whether it has any or not.
    :param attempts: the tasks that it has now.
    :param start_task: as it was when the node started; later changes of the pool's are for later starts.
    :param users: those that were added, by folded name.
    :param packages: the variables that say where its pool's application packages are.
    :param errors: why it is unusable, as ``BatchNodeError``.
    :param returns: when it is created anew after a preemption, in ticks; 0: never.
    :param is_gone: whether it has left its pool, its files with it.
    """

    id: str
    pool_id: str
    number: int
    slots: int
    root: Path
    vm_size: str
    allocated: int
    transition: int
    booted: int = 0
    is_dedicated: bool = True
    has_containers: bool = False
    phase: NodeState = NodeState.IDLE
    is_scheduling: bool = True
    is_gone: bool = False
    returns: int = 0
    attempts: set[Attempt] = field(default_factory=set)
    start_task: dict[str, Any] | None = None
    start_task_info: RunRecord | None = None
    users: set[str] = field(default_factory=set)
    packages: dict[str, str] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    free_slots: int = 0
    running_tasks: int = 0
    total_tasks_run: int = 0
    total_tasks_succeeded: int = 0

    def __post_init__(self) -> None:
        self.free_slots = self.slots
        self.booted = self.booted or self.allocated

    @property
    def state(self) -> NodeState:
        """What the REST API shows."""
        if self.phase is not NodeState.IDLE:
            return self.phase
        if self.running_tasks:
            return NodeState.RUNNING
        return NodeState.IDLE if self.is_scheduling else NodeState.OFFLINE

    @property
    def takes_tasks(self) -> bool:
        """Whether tasks may be started here."""
        return self.is_ready and self.free_slots > 0

    @property
    def is_ready(self) -> bool:
        """Whether it takes tasks, as soon as it has room."""
        return self.phase is NodeState.IDLE and self.is_scheduling

    @property
    def address(self) -> str:
        """Its private address; all of 127.0.0.0/8 is this machine, so on Linux programs can listen on it."""
        network = zlib.crc32(self.pool_id.lower().encode()) % 254 + 1
        return f"127.{network}.{self.number // 250 % 250}.{self.number % 250 + 4}"

    def make_directories(self) -> None:
        """Lay it out as a real node is."""
        for name in _NODE_DIRECTORIES:
            (self.root / name).mkdir(parents=True, exist_ok=True)

    def enter(self, phase: NodeState, ticks: int) -> None:
        """The next phase of its life."""
        self.phase = phase
        self.transition = ticks

    def set_scheduling(self, is_scheduling: bool, ticks: int) -> None:
        """Take tasks, or take none any more."""
        before = self.state
        self.is_scheduling = is_scheduling
        if self.state is not before:
            self.transition = ticks

    def take(self, slots: int, ticks: int) -> None:
        """A task starts here."""
        self.free_slots -= slots
        self.running_tasks += 1
        self.total_tasks_run += 1
        if self.running_tasks == 1:
            self.transition = ticks

    def give_back(self, slots: int, ticks: int) -> None:
        """A task has ended here."""
        self.free_slots += slots
        self.running_tasks -= 1
        if self.running_tasks == 0 and self.phase is NodeState.IDLE:
            self.transition = ticks


def make_node_id(account: str, pool_id: str, number: int, *, is_dedicated: bool = True) -> str:
    """A node's id in the form that the service gives: the same in every run."""
    digest = hashlib.sha256(f"{account}/{pool_id}/{number}".encode()).hexdigest()
    return f"tvmps_{digest}_{'d' if is_dedicated else 'p'}"
