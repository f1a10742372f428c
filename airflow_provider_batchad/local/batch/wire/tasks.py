"""Bodies about tasks."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, model_validator

from airflow_provider_batchad.local.batch.wire.containers import ContainerSettings
from airflow_provider_batchad.local.batch.wire.node_files import OutputFile, PackageReference, ResourceFile
from airflow_provider_batchad.local.batch.wire.types import (
    DisplayName,
    Duration,
    EnvironmentSetting,
    Id,
    Int32,
    RetryCount,
    WholeNumber,
    WireModel,
    one_of,
)

JobActionKind = Annotated[str, AfterValidator(one_of("none", "disable", "terminate"))]
DependencyActionKind = Annotated[str, AfterValidator(one_of("satisfy", "block"))]
AutoUserScope = Annotated[str, AfterValidator(one_of("task", "pool"))]
ElevationLevel = Annotated[str, AfterValidator(one_of("nonadmin", "admin"))]


class TaskConstraints(WireModel):
    """``BatchTaskConstraints``."""

    max_wall_clock_time: Duration | None = None
    retention_time: Duration | None = None
    max_task_retry_count: RetryCount | None = None


class AutoUser(WireModel):
    """``AutoUserSpecification``."""

    scope: AutoUserScope = "pool"
    elevation_level: ElevationLevel = "nonadmin"


class UserIdentity(WireModel):
    """``UserIdentity``."""

    username: str | None = None
    auto_user: AutoUser | None = None

    @model_validator(mode="after")
    def _check(self) -> UserIdentity:
        if (self.username is None) == (self.auto_user is None):
            raise ValueError("Exactly one of username and autoUser must be specified")
        return self


class ExitOptions(WireModel):
    """``ExitOptions``."""

    job_action: JobActionKind | None = None
    dependency_action: DependencyActionKind | None = None


class ExitCodeMapping(WireModel):
    """``ExitCodeMapping``."""

    code: Int32
    exit_options: ExitOptions


class ExitCodeRangeMapping(WireModel):
    """``ExitCodeRangeMapping``."""

    start: Int32
    end: Int32
    exit_options: ExitOptions


class ExitConditions(WireModel):
    """``ExitConditions``."""

    exit_codes: list[ExitCodeMapping] | None = None
    exit_code_ranges: list[ExitCodeRangeMapping] | None = None
    pre_processing_error: ExitOptions | None = None
    file_upload_error: ExitOptions | None = None
    default: ExitOptions | None = None

    def all_options(self) -> list[ExitOptions]:
        """Every response in it."""
        mapped = [*(self.exit_codes or ()), *(self.exit_code_ranges or ())]
        others = (self.pre_processing_error, self.file_upload_error, self.default)
        return [item.exit_options for item in mapped] + [one for one in others if one is not None]


class TaskIdRange(WireModel):
    """``BatchTaskIdRange``."""

    start: Annotated[WholeNumber, Field(ge=0, le=2**31 - 1)]
    end: Annotated[WholeNumber, Field(ge=0, le=2**31 - 1)]


class TaskDependencies(WireModel):
    """``BatchTaskDependencies``."""

    task_ids: list[str] | None = None
    task_id_ranges: list[TaskIdRange] | None = None


class AffinityInfo(WireModel):
    """``BatchAffinityInfo``: a hint, which local Azure takes as such and does not follow."""

    affinity_id: str


class MultiInstanceSettings(WireModel):
    """``MultiInstanceSettings``."""

    number_of_instances: Annotated[WholeNumber, Field(ge=1, le=2**31 - 1)] = 1
    coordination_command_line: Annotated[str, Field(min_length=1)]
    common_resource_files: list[ResourceFile] | None = None


class TaskCreate(WireModel):
    """``BatchTaskCreateOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.CloudTask"

    id: Id
    display_name: DisplayName | None = None
    exit_conditions: ExitConditions | None = None
    command_line: Annotated[str, Field(min_length=1)]
    container_settings: ContainerSettings | None = None
    resource_files: list[ResourceFile] | None = None
    output_files: list[OutputFile] | None = None
    environment_settings: list[EnvironmentSetting] | None = None
    affinity_info: AffinityInfo | None = None
    constraints: TaskConstraints | None = None
    required_slots: Annotated[WholeNumber, Field(ge=1, le=256)] | None = None
    user_identity: UserIdentity | None = None
    multi_instance_settings: MultiInstanceSettings | None = None
    depends_on: TaskDependencies | None = None
    application_package_references: list[PackageReference] | None = None


class TaskCollection(WireModel):
    """``BatchTaskGroup``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.CloudTask"

    value: Annotated[list[TaskCreate], Field(max_length=100)]


class TaskUpdate(WireModel):
    """Of ``BatchTask`` what an update may hold."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.CloudTask"

    constraints: TaskConstraints | None = None
