"""A Batch task as it is remembered: small, since a job may have a hundred thousand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.node import Node


class TaskState(StrEnum):
    """``BatchTaskState`` of the REST API."""

    ACTIVE = "active"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"


class TaskResult(StrEnum):
    """``BatchTaskExecutionResult`` of the REST API."""

    SUCCESS = "success"
    FAILURE = "failure"


class SubtaskState(StrEnum):
    """``BatchSubtaskState`` of the REST API."""

    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"


@dataclass(slots=True, kw_only=True, eq=False)
class Subtask:
    """A multi-instance task on one of its nodes, the primary's aside. Times are ticks, 0 where there is none.

    :param id: from 1 on; 0 is the primary, which is the task itself.
    :param failure: ``failureInfo`` as JSON.
    """

    id: int
    node: Node
    state: SubtaskState
    transition: int
    previous_state: SubtaskState | None = None
    previous_transition: int = 0
    start: int = 0
    end: int = 0
    exit_code: int | None = None
    failure: str | None = None
    result: TaskResult | None = None

    def move(self, state: SubtaskState, ticks: int) -> None:
        """A transition."""
        self.previous_state, self.previous_transition = self.state, self.transition
        self.state, self.transition = state, ticks


@dataclass(slots=True, kw_only=True, eq=False)
class Execution:
    """What running a task came to. Times are ticks, 0 where there is none.

    :param failure: ``failureInfo`` as JSON; most tasks that fail share one text.
    :param subtasks: of the latest attempt at a multi-instance task.
    """

    start: int = 0
    end: int = 0
    exit_code: int | None = None
    failure: str | None = None
    result: TaskResult | None = None
    retry_count: int = 0
    last_retry: int = 0
    requeue_count: int = 0
    last_requeue: int = 0
    node: Node | None = None
    subtasks: tuple[Subtask, ...] = ()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Where it ran: the primary's node first."""
        return () if self.node is None else (self.node, *(one.node for one in self.subtasks))


@dataclass(slots=True, kw_only=True, eq=False)
class Task:
    """A task of a job. Times are ticks.

    :param content: the members that the author gave, as JSON without braces; told apart from ``settings``
        because most tasks of a job share those.
    :param settings: ``userIdentity``, ``constraints`` and ``requiredSlots`` with their defaults, as JSON too.
    :param instances: how many nodes it takes at once; 0 where it is no multi-instance task.
    :param execution: ``None`` until a node has had the task.
    """

    id: str
    created: int
    modified: int
    transition: int
    content: str
    settings: str
    slots: int = 1
    instances: int = 0
    state: TaskState = TaskState.ACTIVE
    previous_state: TaskState | None = None
    previous_transition: int = 0
    execution: Execution | None = None

    def move(self, state: TaskState, ticks: int) -> None:
        """A transition; it leaves the ETag alone, which only users' changes move."""
        self.previous_state = self.state
        self.previous_transition = self.transition
        self.state = state
        self.transition = ticks

    def read_definition(self) -> dict[str, Any]:
        """What the task is to do, as the REST API's members."""
        definition: dict[str, Any] = json.loads(f"{{{self.content},{self.settings}}}")
        return definition

    def begin_execution(self) -> Execution:
        """Its execution, made at the first need."""
        if self.execution is None:
            self.execution = Execution()
        return self.execution
