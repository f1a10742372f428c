"""Bodies about jobs."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from airflow_provider_batchad.local.batch.durations import INFINITE
from airflow_provider_batchad.local.batch.errors import BatchError, invalid_property
from airflow_provider_batchad.local.batch.pool_factory import build_auto_pool
from airflow_provider_batchad.local.batch.wire.job_tasks import (
    JobManagerTask,
    JobPreparationTask,
    JobReleaseTask,
    build_job_tasks,
)
from airflow_provider_batchad.local.batch.wire.pools import AutoPoolSpecification
from airflow_provider_batchad.local.batch.wire.types import (
    DisplayName,
    Duration,
    EnvironmentSetting,
    Id,
    MetadataItem,
    RetryCount,
    Unsupported,
    WholeNumber,
    WireModel,
    one_of,
    refuse_unsupported,
)

Priority = Annotated[WholeNumber, Field(ge=-1000, le=1000)]
AllTasksCompleteMode = Annotated[str, AfterValidator(one_of("noaction", "terminatejob"))]
TaskFailureMode = Annotated[str, AfterValidator(one_of("noaction", "performexitoptionsjobaction"))]
DisableOption = Annotated[str, AfterValidator(one_of("requeue", "terminate", "wait"))]


def _check_parallel(value: int) -> int:
    if value != -1 and not 1 <= value < 2**31:
        raise ValueError("The value must be -1 or greater than 0")
    return value


MaxParallelTasks = Annotated[WholeNumber, AfterValidator(_check_parallel)]


class PoolInfo(WireModel):
    """``BatchPoolInfo``."""

    pool_id: Annotated[str, Field(min_length=1)] | None = None
    auto_pool_specification: AutoPoolSpecification | None = None


class JobConstraints(WireModel):
    """``BatchJobConstraints``."""

    max_wall_clock_time: Duration | None = None
    max_task_retry_count: RetryCount | None = None


class JobUpdate(WireModel):
    """``BatchJobUpdateOptions``, and of ``BatchJob`` what a full update may hold."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.CloudJob"

    priority: Priority | None = None
    allow_task_preemption: bool | None = None
    max_parallel_tasks: MaxParallelTasks | None = None
    constraints: JobConstraints | None = None
    pool_info: PoolInfo | None = None
    on_all_tasks_complete: AllTasksCompleteMode | None = None
    metadata: list[MetadataItem] | None = None
    network_configuration: Unsupported = None


class JobSpecification(JobUpdate):
    """``BatchJobSpecification``: what a schedule makes jobs from."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.JobSpecification"

    display_name: DisplayName | None = None
    uses_task_dependencies: bool | None = None
    job_manager_task: JobManagerTask | None = None
    job_preparation_task: JobPreparationTask | None = None
    job_release_task: JobReleaseTask | None = None
    common_environment_settings: list[EnvironmentSetting] | None = None
    on_task_failure: TaskFailureMode | None = None
    pool_info: PoolInfo


class JobCreate(JobSpecification):
    """``BatchJobCreateOptions``."""

    edm_type: ClassVar[str] = JobUpdate.edm_type

    id: Id


class JobDisable(WireModel):
    """``BatchJobDisableOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.DisableJobParameters"

    disable_tasks: DisableOption


class JobTerminate(WireModel):
    """``BatchJobTerminateOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.TerminateJobParameters"

    terminate_reason: str | None = None


def build_properties(job: JobSpecification) -> dict[str, Any]:
    """A new job's properties, with the service's defaults.

    :raises BatchError: it asks for what local Azure does not act out, or names no pool.
    """
    refuse_unsupported(job, "network_configuration")
    given = job.to_wire()
    given.pop("id", None)
    given["poolInfo"] = build_pool_info(job.pool_info)
    constraints = build_constraints(job.constraints)
    job_tasks = build_job_tasks(
        job.job_manager_task,
        job.job_preparation_task,
        job.job_release_task,
        retry_count=constraints["maxTaskRetryCount"],
    )
    return {
        "priority": 0,
        "maxParallelTasks": -1,
        "usesTaskDependencies": False,
        "allowTaskPreemption": False,
        "onAllTasksComplete": "noaction",
        "onTaskFailure": "noaction",
        **given,
        **job_tasks,
        "constraints": constraints,
    }


def build_constraints(constraints: JobConstraints | None) -> dict[str, Any]:
    """A job's constraints, with the service's defaults."""
    given = constraints.to_wire() if constraints is not None else {}
    return {"maxWallClockTime": INFINITE, "maxTaskRetryCount": 0} | given


def build_pool_info(pool: PoolInfo) -> dict[str, Any]:
    """What a job runs on: a pool by its id, or one that is made for it.

    :raises BatchError: it does not say, or says both, or the auto pool is not one that can be had.
    """
    if pool.auto_pool_specification is not None:
        if pool.pool_id is not None:
            raise invalid_property(
                "poolInfo", "", "poolId and autoPoolSpecification cannot be specified together"
            )
        return {"autoPoolSpecification": build_auto_pool(pool.auto_pool_specification)}
    if pool.pool_id is None:
        raise BatchError("MissingRequiredProperty", (("PropertyName", "poolId"),))
    return pool.to_wire()
