"""From the body of an added task to the task that is kept, and what the service refuses on the way."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.durations import INFINITE, SEVEN_DAYS
from airflow_provider_batchad.local.batch.errors import BatchError, invalid_property
from airflow_provider_batchad.local.batch.index import fold
from airflow_provider_batchad.local.batch.task import Task
from airflow_provider_batchad.local.batch.wire.tasks import TaskConstraints, TaskCreate, UserIdentity

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.packages import Packages

# BatchTaskDependencies.taskIds: "limited to 64000 characters total".
_MAX_DEPENDENCY_CHARACTERS: Final = 64_000
# Not documented as a number ("the list of ranges was too long to be stored").
_MAX_DEPENDENCY_RANGES: Final = 1000
# Of the job manager as the job shows it, and not as a task.
_OF_MANAGERS: Final = {"killJobOnCompletion", "runExclusive", "allowLowPriorityNode"}
_SETTINGS: Final = {"id", "user_identity", "constraints", "required_slots"}

Dependencies = tuple[list[str], list[tuple[int, int]]]


def check_task(job: Job, task: TaskCreate, packages: Packages) -> None:
    """Whether this task may be added to this job.

    :param packages: those that the account has.
    :raises BatchError: it may not.
    """
    if task.id in job.tasks:
        raise BatchError("TaskExists")
    for name in ("jobPreparationTask", "jobReleaseTask"):
        if fold(task.id) == fold(job.properties.get(name, {}).get("id", "")):
            raise BatchError(f"TaskIdSameAsJ{name[1:]}")
    _check_instances(task)
    packages.check(one.to_wire() for one in task.application_package_references or ())
    _check_exit_conditions(job, task)
    _check_dependencies(job, task)


def make_task(job: Job, task: TaskCreate, ticks: int) -> Task:
    """The task, to be kept."""
    content = task.model_dump_json(by_alias=True, exclude_none=True, exclude=_SETTINGS)
    slots = task.required_slots or 1
    return Task(
        id=task.id,
        created=ticks,
        modified=ticks,
        transition=ticks,
        content=content[1:-1],
        settings=render_settings(
            task.user_identity,
            build_constraints(task.constraints, job.properties["constraints"]["maxTaskRetryCount"]),
            slots,
        ),
        slots=slots,
        instances=task.multi_instance_settings.number_of_instances if task.multi_instance_settings else 0,
    )


def make_manager_task(job: Job, ticks: int) -> Task:
    """The job manager, as the task that it is."""
    definition = dict(job.properties["jobManagerTask"])
    task_id: str = definition.pop("id")
    slots: int = definition.pop("requiredSlots")
    settings = render_settings(definition.pop("userIdentity"), definition.pop("constraints"), slots)
    content = {name: value for name, value in definition.items() if name not in _OF_MANAGERS}
    return Task(
        id=task_id,
        created=ticks,
        modified=ticks,
        transition=ticks,
        content=json.dumps(content, separators=(",", ":"))[1:-1],
        settings=settings,
        slots=slots,
    )


def build_constraints(constraints: TaskConstraints | None, job_retry_count: int) -> dict[str, Any]:
    """A task's constraints; what it does not say of retries, its job does."""
    given = constraints.to_wire() if constraints is not None else {}
    defaults = {
        "maxWallClockTime": INFINITE,
        "retentionTime": SEVEN_DAYS,
        "maxTaskRetryCount": job_retry_count,
    }
    return defaults | given


def render_settings(
    identity: UserIdentity | dict[str, Any] | None, constraints: dict[str, Any], slots: int
) -> str:
    """``Task.settings``; tasks with the same ones share one text."""
    if isinstance(identity, UserIdentity):
        identity = identity.to_wire()
    settings = {
        "userIdentity": identity or {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}},
        "constraints": constraints,
        "requiredSlots": slots,
    }
    return sys.intern(json.dumps(settings, separators=(",", ":"))[1:-1])


def dependencies_of(task: TaskCreate) -> Dependencies:
    """Ids and ranges that the task waits for."""
    if task.depends_on is None:
        return [], []
    ranges = [(item.start, item.end) for item in task.depends_on.task_id_ranges or ()]
    return task.depends_on.task_ids or [], ranges


def _check_instances(task: TaskCreate) -> None:
    settings = task.multi_instance_settings
    if settings is None:
        return
    # BatchTask.requiredSlots: "For multi-instance Tasks, this property is not supported and must not be
    # specified."
    if task.required_slots is not None:
        raise invalid_property(
            "requiredSlots", task.required_slots, "The value cannot be specified for multi-instance tasks"
        )


def _check_exit_conditions(job: Job, task: TaskCreate) -> None:
    # ExitOptions.jobAction: an error unless the job's onTaskFailure performs it.
    if task.exit_conditions is None or job.properties["onTaskFailure"] != "noaction":
        return
    for options in task.exit_conditions.all_options():
        if options.job_action is not None:
            raise invalid_property(
                "jobAction",
                options.job_action,
                "jobAction cannot be specified when the job's onTaskFailure is noaction",
            )


def _check_dependencies(job: Job, task: TaskCreate) -> None:
    task_ids, ranges = dependencies_of(task)
    if not task_ids and not ranges:
        return
    if not job.properties["usesTaskDependencies"]:
        raise BatchError("TaskDependenciesNotSpecifiedOnJob")
    if sum(map(len, task_ids)) > _MAX_DEPENDENCY_CHARACTERS:
        raise BatchError("TaskDependencyListTooLong")
    if len(ranges) > _MAX_DEPENDENCY_RANGES:
        raise BatchError("TaskDependencyRangesTooLong")
    for start, end in ranges:
        if end < start:
            raise invalid_property("taskIdRanges", f"{start}-{end}", "The end of a range precedes its start")
