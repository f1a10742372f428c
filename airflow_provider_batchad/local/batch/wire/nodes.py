"""Bodies about nodes and their users."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from airflow_provider_batchad.local.batch.wire.pools import DeallocationOption
from airflow_provider_batchad.local.batch.wire.types import WireModel, one_of, read_moment


def _check_moment(value: str) -> str:
    read_moment(value)
    return value


Moment = Annotated[str, AfterValidator(_check_moment)]


class NodeReboot(WireModel):
    """``BatchNodeRebootOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.NodeRebootParameters"

    node_reboot_option: DeallocationOption = "requeue"


class NodeReimage(WireModel):
    """``BatchNodeReimageOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.NodeReimageParameters"

    node_reimage_option: DeallocationOption = "requeue"


class NodeDeallocate(WireModel):
    """``BatchNodeDeallocateOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.NodeDeallocateParameters"

    node_deallocate_option: DeallocationOption = "requeue"


class NodeDisableScheduling(WireModel):
    """``BatchNodeDisableSchedulingOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.NodeDisableSchedulingParameters"

    node_disable_scheduling_option: Annotated[
        str, AfterValidator(one_of("requeue", "terminate", "taskcompletion"))
    ] = "requeue"


class NodeUserReplace(WireModel):
    """``BatchNodeUserReplaceOptions``."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.ComputeNodeUser"

    password: str | None = Field(default=None, repr=False)
    expiry_time: Moment | None = None
    ssh_public_key: str | None = None


class NodeUserCreate(NodeUserReplace):
    """``BatchNodeUserCreateOptions``."""

    name: Annotated[str, Field(min_length=1, max_length=20)]
    is_admin: bool | None = None
