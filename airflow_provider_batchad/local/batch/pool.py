"""Pools and their simulated nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.batch.index import IdIndex

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job import Job

# "Files and directories in Batch": what lies below the root directory of a node.
_NODE_DIRECTORIES: Final = ("applications", "fsmounts", "shared", "startup", "volatile", "workitems")


@dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """A compute node: slots for tasks, and a directory of this machine.

    :param root: what tasks know as ``AZ_BATCH_NODE_ROOT_DIR``.
    :param transition: ticks of the last change between idle and running.
    """

    id: str
    pool_id: str
    number: int
    slots: int
    root: Path
    vm_size: str
    allocated: int
    transition: int
    free_slots: int = 0
    running_tasks: int = 0
    total_tasks_run: int = 0
    total_tasks_succeeded: int = 0

    def __post_init__(self) -> None:
        self.free_slots = self.slots

    @property
    def state(self) -> str:
        """``BatchNodeState``: nodes are ready from the start."""
        return "running" if self.running_tasks else "idle"

    def make_directories(self) -> None:
        """Lay it out as a real node is."""
        for name in _NODE_DIRECTORIES:
            (self.root / name).mkdir(parents=True, exist_ok=True)

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
        if self.running_tasks == 0:
            self.transition = ticks


@dataclass(slots=True, kw_only=True, eq=False)
class Pool:
    """A pool of nodes.

    :param waiting: the jobs with tasks that are ready to run on it, by folded id.
    """

    id: str
    vm_size: str
    slots_per_node: int
    created: int
    modified: int
    nodes: IdIndex[Node] = field(default_factory=IdIndex)
    waiting: dict[str, Job] = field(default_factory=dict)

    def choose_node(
        self, slots: int, *, is_exclusive: bool = False, refused: Collection[Node] = ()
    ) -> Node | None:
        """The node with the most free slots, which is what ``nodeFillType`` spread means.

        :param is_exclusive: whether all slots of the node must be free.
        :param refused: nodes that do not come into question.
        """
        nodes = (node for node in self.nodes.values() if node not in refused)
        best = max(nodes, key=lambda node: node.free_slots, default=None)
        if best is None or best.free_slots < (best.slots if is_exclusive else slots):
            return None
        return best

    def is_full(self) -> bool:
        """Whether no node has a free slot."""
        return all(node.free_slots == 0 for node in self.nodes.values())


def make_node_id(account: str, pool_id: str, number: int) -> str:
    """A node's id in the form that the service gives: the same in every run."""
    digest = hashlib.sha256(f"{account}/{pool_id}/{number}".encode()).hexdigest()
    return f"tvmps_{digest}_d"
