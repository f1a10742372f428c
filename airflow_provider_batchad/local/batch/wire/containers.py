"""Bodies about the containers that tasks run in."""

from __future__ import annotations

import shlex
from typing import Annotated

from pydantic import AfterValidator, Field

from airflow_provider_batchad.local.batch.wire.machines import ContainerRegistry
from airflow_provider_batchad.local.batch.wire.types import WireModel, one_of


def _check_options(value: str) -> str:
    try:
        shlex.split(value)
    except ValueError as error:
        raise ValueError(f"The options cannot be read: {error}") from None
    return value


class BindMount(WireModel):
    """``ContainerHostBatchBindMountEntry``."""

    source: (
        Annotated[
            str, AfterValidator(one_of("Shared", "Startup", "VfsMounts", "Task", "JobPrep", "Applications"))
        ]
        | None
    ) = None
    is_read_only: bool | None = None


class ContainerSettings(WireModel):
    """``BatchTaskContainerSettings``; no answer holds a registry's password."""

    container_run_options: Annotated[str, AfterValidator(_check_options)] | None = None
    image_name: Annotated[str, Field(min_length=1)]
    registry: ContainerRegistry | None = None
    working_directory: Annotated[
        str, AfterValidator(one_of("taskWorkingDirectory", "containerImageDefault"))
    ] = "taskWorkingDirectory"
    container_host_batch_bind_mounts: list[BindMount] | None = None
