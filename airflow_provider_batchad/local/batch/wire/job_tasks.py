"""Bodies about the tasks that a job brings along: its manager, its preparation, its release."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from airflow_provider_batchad.local.batch.durations import INFINITE, SEVEN_DAYS, parse_duration
from airflow_provider_batchad.local.batch.errors import invalid_property
from airflow_provider_batchad.local.batch.wire.containers import ContainerSettings
from airflow_provider_batchad.local.batch.wire.node_files import (
    OutputFile,
    PackageReference,
    ResourceFile,
)
from airflow_provider_batchad.local.batch.wire.tasks import TaskConstraints, UserIdentity
from airflow_provider_batchad.local.batch.wire.types import (
    DisplayName,
    Duration,
    EnvironmentSetting,
    Id,
    WholeNumber,
    WireModel,
)

# BatchJobReleaseTask.maxWallClockTime: "The default value is 15 minutes. You may not specify a timeout
# longer than 15 minutes."
_LONGEST_RELEASE: Final = "PT15M"
# Recorded for all three; the documents say "task" of two of them.
_POOL_USER: Final = {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}


class JobManagerTask(WireModel):
    """``BatchJobManagerTask``."""

    id: Id
    display_name: DisplayName | None = None
    command_line: Annotated[str, Field(min_length=1)]
    container_settings: ContainerSettings | None = None
    resource_files: list[ResourceFile] | None = None
    output_files: list[OutputFile] | None = None
    environment_settings: list[EnvironmentSetting] | None = None
    constraints: TaskConstraints | None = None
    required_slots: Annotated[WholeNumber, Field(ge=1, le=256)] | None = None
    kill_job_on_completion: bool | None = None
    user_identity: UserIdentity | None = None
    run_exclusive: bool | None = None
    application_package_references: list[PackageReference] | None = None
    allow_low_priority_node: bool | None = None


class JobPreparationTask(WireModel):
    """``BatchJobPreparationTask``."""

    id: Id | None = None
    command_line: Annotated[str, Field(min_length=1)]
    container_settings: ContainerSettings | None = None
    resource_files: list[ResourceFile] | None = None
    environment_settings: list[EnvironmentSetting] | None = None
    constraints: TaskConstraints | None = None
    wait_for_success: bool | None = None
    user_identity: UserIdentity | None = None
    rerun_on_node_reboot_after_success: bool | None = None


class JobReleaseTask(WireModel):
    """``BatchJobReleaseTask``."""

    id: Id | None = None
    command_line: Annotated[str, Field(min_length=1)]
    container_settings: ContainerSettings | None = None
    resource_files: list[ResourceFile] | None = None
    environment_settings: list[EnvironmentSetting] | None = None
    max_wall_clock_time: Duration | None = None
    retention_time: Duration | None = None
    user_identity: UserIdentity | None = None


def build_job_tasks(
    manager: JobManagerTask | None,
    preparation: JobPreparationTask | None,
    release: JobReleaseTask | None,
    *,
    retry_count: int,
) -> dict[str, Any]:
    """Of a job's properties those about its own tasks, with the service's defaults.

    :param retry_count: the job's ``maxTaskRetryCount``, which its manager takes over as any task does.
    :raises BatchError: they contradict each other, or ask for what no node here has.
    """
    tasks: dict[str, Any] = {}
    if manager is not None:
        tasks["jobManagerTask"] = _build_manager(manager, retry_count)
    if preparation is not None:
        tasks["jobPreparationTask"] = _build_preparation(preparation)
    if release is not None:
        if preparation is None:
            raise invalid_property(
                "jobReleaseTask",
                release.id or "jobrelease",
                "A job release task cannot be specified without a job preparation task",
            )
        tasks["jobReleaseTask"] = _build_release(release)
    ids = [task["id"].lower() for task in tasks.values()]
    if len(set(ids)) < len(ids):
        raise invalid_property("id", ids[-1], "The tasks of a job must have different ids")
    return tasks


def _build_manager(task: JobManagerTask, retry_count: int) -> dict[str, Any]:
    return {
        "requiredSlots": 1,
        "killJobOnCompletion": True,
        "runExclusive": True,
        "allowLowPriorityNode": True,
        "userIdentity": _POOL_USER,
        **task.to_wire(),
        "constraints": _build_constraints(task.constraints, retry_count),
    }


def _build_preparation(task: JobPreparationTask) -> dict[str, Any]:
    return {
        "id": "jobpreparation",
        "waitForSuccess": True,
        "rerunOnNodeRebootAfterSuccess": True,
        "userIdentity": _POOL_USER,
        **task.to_wire(),
        "constraints": _build_constraints(task.constraints),
    }


def _build_release(task: JobReleaseTask) -> dict[str, Any]:
    limit = task.max_wall_clock_time
    if limit is not None and parse_duration(limit) > parse_duration(_LONGEST_RELEASE):
        raise invalid_property("maxWallClockTime", limit, "The value cannot be greater than 15 minutes")
    return {
        "id": "jobrelease",
        "maxWallClockTime": _LONGEST_RELEASE,
        "retentionTime": SEVEN_DAYS,
        "userIdentity": _POOL_USER,
        **task.to_wire(),
    }


def _build_constraints(constraints: TaskConstraints | None, retry_count: int = 0) -> dict[str, Any]:
    given = constraints.to_wire() if constraints is not None else {}
    defaults = {
        "maxWallClockTime": INFINITE,
        "retentionTime": SEVEN_DAYS,
        "maxTaskRetryCount": retry_count,
    }
    return defaults | given
