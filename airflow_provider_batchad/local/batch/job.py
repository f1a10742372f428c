"""A Batch job: its properties, its state, its tasks and their counts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.dependencies import DependencyTable
from airflow_provider_batchad.local.batch.index import IdIndex, fold
from airflow_provider_batchad.local.batch.task import Task, TaskResult, TaskState

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.attempt import Attempt
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.preparation import JobOnNode
    from airflow_provider_batchad.local.batch.timers import Timer


class JobState(StrEnum):
    """``BatchJobState`` of the REST API."""

    ACTIVE = "active"
    DISABLING = "disabling"
    DISABLED = "disabled"
    ENABLING = "enabling"
    TERMINATING = "terminating"
    COMPLETED = "completed"
    DELETING = "deleting"


@dataclass(slots=True)
class TaskCounts:
    """Tasks, or the slots that they need, by state; kept up as tasks move, so that asking costs nothing."""

    active: int = 0
    running: int = 0
    completed: int = 0
    succeeded: int = 0
    failed: int = 0

    def add(self, task: Task, number: int) -> None:
        """Count a task in (``number`` > 0) or out of the state that it is in."""
        if task.state is TaskState.ACTIVE:
            self.active += number
        elif task.state is TaskState.COMPLETED:
            self.completed += number
            if task.execution is not None and task.execution.result is TaskResult.SUCCESS:
                self.succeeded += number
            else:
                self.failed += number
        else:
            self.running += number


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """A job. Times are ticks, 0 where there is none.

    :param properties: what the user can set, as the REST API's members with their defaults.
    :param auto_pool_id: of the pool that was made for it, if one was.
    :param schedule_id: of the job schedule that it runs under, folded.
    :param scheduling_error: why the service could not start it, as ``BatchJobSchedulingError``.
    :param ready: the active tasks that depend on nothing any more, first come first; may hold tasks that are
        not active any longer.
    :param attempts: the tasks that a node has now.
    :param manager: the job manager task, where the job has one.
    :param on_nodes: preparation and release, by node; of a job that has neither, nothing.
    :param refused_nodes: those where the preparation has failed, which get no task of the job any more.
    """

    id: str
    created: int
    modified: int
    transition: int
    properties: dict[str, Any]
    state: JobState = JobState.ACTIVE
    previous_state: JobState | None = None
    previous_transition: int = 0
    start: int
    end: int = 0
    terminate_reason: str | None = None
    auto_pool_id: str | None = None
    schedule_id: str | None = None
    scheduling_error: dict[str, str] | None = None
    tasks: IdIndex[Task] = field(default_factory=IdIndex)
    counts: TaskCounts = field(default_factory=TaskCounts)
    slot_counts: TaskCounts = field(default_factory=TaskCounts)
    ready: deque[Task] = field(default_factory=deque)
    attempts: dict[Task, Attempt] = field(default_factory=dict)
    dependencies: DependencyTable = field(default_factory=DependencyTable)
    deadline: Timer | None = None
    manager: Task | None = None
    on_nodes: dict[Node, JobOnNode] = field(default_factory=dict)
    refused_nodes: set[Node] = field(default_factory=set)

    @property
    def key(self) -> str:
        """The folded id."""
        return fold(self.id)

    @property
    def pool_id(self) -> str:
        """The pool that its tasks run on; it need not exist yet. Empty where its auto pool was refused."""
        pool_id: str = self.properties["poolInfo"].get("poolId") or self.auto_pool_id or ""
        return pool_id

    @property
    def priority(self) -> int:
        """From -1000 to 1000; higher first."""
        priority: int = self.properties["priority"]
        return priority

    @property
    def preparation_id(self) -> str | None:
        """The id of the preparation task, where the job has one."""
        preparation = self.properties.get("jobPreparationTask")
        return None if preparation is None else preparation["id"]

    def is_exclusive(self, task: Task) -> bool:
        """Whether a task wants a node for itself, as job managers do unless they say otherwise."""
        return task is self.manager and bool(self.properties["jobManagerTask"]["runExclusive"])

    @property
    def has_free_lane(self) -> bool:
        """Whether ``maxParallelTasks`` lets another task start."""
        limit: int = self.properties["maxParallelTasks"]
        return limit < 0 or len(self.attempts) < limit

    @property
    def is_open(self) -> bool:
        """Whether the job counts against the quota of active jobs."""
        return self.state not in (JobState.COMPLETED, JobState.DELETING)

    def move(self, state: JobState, ticks: int) -> None:
        """A transition; it leaves the ETag alone, which only users' changes move."""
        self.previous_state = self.state
        self.previous_transition = self.transition
        self.state = state
        self.transition = ticks

    def count(self, task: Task, number: int) -> None:
        """Count a task in (1) or out (-1) of its present state."""
        self.counts.add(task, number)
        self.slot_counts.add(task, number * task.slots)

    def move_task(self, task: Task, state: TaskState, ticks: int) -> None:
        """A task's transition, with the counts kept up; its result must not change between."""
        self.count(task, -1)
        task.move(state, ticks)
        self.count(task, 1)
