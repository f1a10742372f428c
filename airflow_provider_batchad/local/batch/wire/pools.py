"""Bodies about pools."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from airflow_provider_batchad.local.batch.durations import parse_duration
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND
from airflow_provider_batchad.local.batch.wire.machines import VirtualMachineConfiguration
from airflow_provider_batchad.local.batch.wire.networks import (
    NetworkConfiguration,
    UpgradePolicy,
    UserAccount,
)
from airflow_provider_batchad.local.batch.wire.node_files import PackageReference, ResourceFile
from airflow_provider_batchad.local.batch.wire.tasks import UserIdentity
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
)

_MINUTE: int = 60 * TICKS_PER_SECOND


def _check_resize_timeout(value: str) -> str:
    if parse_duration(value) < 5 * _MINUTE:
        raise ValueError("The value must be at least 5 minutes")
    return value


def _check_interval(value: str) -> str:
    if not 5 * _MINUTE <= parse_duration(value) <= 168 * 60 * _MINUTE:
        raise ValueError("The value must be between 5 minutes and 168 hours")
    return value


NodeCount = Annotated[WholeNumber, Field(ge=0, le=2**31 - 1)]
ResizeTimeout = Annotated[Duration, AfterValidator(_check_resize_timeout)]
EvaluationInterval = Annotated[Duration, AfterValidator(_check_interval)]
DeallocationOption = Annotated[
    str, AfterValidator(one_of("requeue", "terminate", "taskcompletion", "retaineddata"))
]
Formula = Annotated[str, Field(min_length=1)]


class StartTask(WireModel):
    """``BatchStartTask``."""

    command_line: Annotated[str, Field(min_length=1)]
    container_settings: Unsupported = None
    resource_files: list[ResourceFile] | None = None
    environment_settings: list[EnvironmentSetting] | None = None
    user_identity: UserIdentity | None = None
    max_task_retry_count: RetryCount | None = None
    wait_for_success: bool | None = None


class SchedulingPolicy(WireModel):
    """``BatchTaskSchedulingPolicy``; enumerations in the case that the service answers."""

    job_default_order: Annotated[str, AfterValidator(one_of("none", "creationtime"))] | None = None
    node_fill_type: Annotated[str, AfterValidator(one_of("Spread", "Pack"))]


class PoolUpdate(WireModel):
    """``BatchPoolUpdateOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.CloudPool"

    display_name: DisplayName | None = None
    vm_size: Annotated[str, Field(min_length=1)] | None = None
    virtual_machine_configuration: VirtualMachineConfiguration | None = None
    enable_inter_node_communication: bool | None = None
    network_configuration: NetworkConfiguration | None = None
    start_task: StartTask | None = None
    application_package_references: Annotated[list[PackageReference], Field(max_length=10)] | None = None
    task_slots_per_node: Annotated[WholeNumber, Field(ge=1, le=256)] | None = None
    task_scheduling_policy: SchedulingPolicy | None = None
    user_accounts: list[UserAccount] | None = None
    metadata: list[MetadataItem] | None = None
    mount_configuration: Unsupported = None
    upgrade_policy: UpgradePolicy | None = None


class PoolSpecification(PoolUpdate):
    """``BatchPoolSpecification``: what an auto pool is made from."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.PoolSpecification"

    vm_size: Annotated[str, Field(min_length=1)]
    resize_timeout: ResizeTimeout | None = None
    target_dedicated_nodes: NodeCount | None = None
    target_low_priority_nodes: NodeCount | None = None
    enable_auto_scale: bool | None = None
    auto_scale_formula: Formula | None = None
    auto_scale_evaluation_interval: EvaluationInterval | None = None


class PoolCreate(PoolSpecification):
    """``BatchPoolCreateOptions``."""

    edm_type: ClassVar[str] = PoolUpdate.edm_type

    id: Id


class AutoPoolSpecification(WireModel):
    """``BatchAutoPoolSpecification``."""

    auto_pool_id_prefix: Annotated[str, Field(max_length=20, pattern=r"^[A-Za-z0-9_-]*$")] | None = None
    pool_lifetime_option: Annotated[str, AfterValidator(one_of("jobschedule", "job"))]
    keep_alive: bool | None = None
    pool: PoolSpecification | None = None


class PoolReplace(WireModel):
    """``BatchPoolReplaceOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.PoolUpdatePropertiesParameters"

    start_task: StartTask | None = None
    application_package_references: list[PackageReference]
    metadata: list[MetadataItem]
    # Clients of older versions must send these two; pools have neither any more.
    certificate_references: list[Any] | None = Field(default=None, max_length=0)
    target_node_communication_mode: str | None = None


class PoolResize(WireModel):
    """``BatchPoolResizeOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.ResizePoolParameters"

    target_dedicated_nodes: NodeCount | None = None
    target_low_priority_nodes: NodeCount | None = None
    resize_timeout: ResizeTimeout | None = None
    node_deallocation_option: DeallocationOption | None = None


class NodeRemove(WireModel):
    """``BatchNodeRemoveOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.RemoveNodesParameters"

    node_list: Annotated[list[str], Field(min_length=1, max_length=100)]
    resize_timeout: ResizeTimeout | None = None
    node_deallocation_option: DeallocationOption | None = None


class AutoScaleEnable(WireModel):
    """``BatchPoolEnableAutoScaleOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.EnableAutoScaleParameters"

    auto_scale_formula: Formula | None = None
    auto_scale_evaluation_interval: EvaluationInterval | None = None


class AutoScaleEvaluate(WireModel):
    """``BatchPoolEvaluateAutoScaleOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.EvaluateAutoScaleParameters"

    auto_scale_formula: Formula
