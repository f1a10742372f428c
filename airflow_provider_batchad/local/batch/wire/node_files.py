"""Bodies about files that nodes fetch before a task, or send away after it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from airflow_provider_batchad.local.batch.wire.machines import IdentityReference
from airflow_provider_batchad.local.batch.wire.types import WireModel, one_of

_OCTAL: Final = re.compile(r"[0-7]{1,5}")

UploadCondition = Annotated[str, AfterValidator(one_of("taskSuccess", "taskFailure", "taskCompletion"))]


def _check_path(value: str) -> str:
    path = PurePosixPath(value)
    if not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError("The path must be relative and stay within the task's working directory")
    return value


def _check_mode(value: str) -> str:
    if _OCTAL.fullmatch(value) is None:
        raise ValueError("The file mode must be octal, such as 0770")
    return value


class ResourceFile(WireModel):
    """``ResourceFile``."""

    auto_storage_container_name: Annotated[str, Field(min_length=1)] | None = None
    storage_container_url: Annotated[str, Field(min_length=1)] | None = None
    http_url: Annotated[str, Field(min_length=1)] | None = None
    blob_prefix: str | None = None
    file_path: Annotated[str, AfterValidator(_check_path)] | None = None
    file_mode: Annotated[str, AfterValidator(_check_mode)] | None = None
    identity_reference: IdentityReference | None = None

    @model_validator(mode="after")
    def _check(self) -> ResourceFile:
        sources = (self.auto_storage_container_name, self.storage_container_url, self.http_url)
        if sum(source is not None for source in sources) != 1:
            raise ValueError(
                "Exactly one of autoStorageContainerName, storageContainerUrl and httpUrl must be specified"
            )
        if self.http_url is not None and self.file_path is None:
            raise ValueError("filePath is required with httpUrl")
        if self.http_url is not None and self.blob_prefix is not None:
            raise ValueError("blobPrefix cannot be specified with httpUrl")
        return self


class PackageReference(WireModel):
    """``BatchApplicationPackageReference``."""

    application_id: str
    version: str | None = None


class UploadHeader(WireModel):
    """``OutputFileUploadHeader``."""

    name: Annotated[str, Field(min_length=1)]
    value: str | None = None


class ContainerDestination(WireModel):
    """``OutputFileBlobContainerDestination``."""

    path: str | None = None
    container_url: Annotated[str, Field(min_length=1)]
    identity_reference: IdentityReference | None = None
    upload_headers: list[UploadHeader] | None = None


class OutputFileDestination(WireModel):
    """``OutputFileDestination``."""

    container: ContainerDestination


class UploadOptions(WireModel):
    """``OutputFileUploadConfiguration``."""

    upload_condition: UploadCondition


class OutputFile(WireModel):
    """``OutputFile``."""

    file_pattern: Annotated[str, Field(min_length=1)]
    destination: OutputFileDestination
    upload_options: UploadOptions
