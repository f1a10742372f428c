"""What the codes mean with which Batch says why a task or a job failed, and what to do about each.

Source: https://learn.microsoft.com/rest/api/batchservice/batch-status-and-error-codes, "Job/Task Scheduling
Error Codes", and the codes of azure-batch's sibling for .NET (``TaskFailureInformationCodes``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Blame(StrEnum):
    """What has to change before another try can end otherwise."""

    TASK = "task"
    SPECIFICATION = "specification"
    STORAGE = "storage"
    POOL = "pool"
    SERVICE = "service"
    SOMEBODY = "somebody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """One code.

    :param what: what happened, in a sentence.
    :param advice: what to do, in a sentence.
    """

    blame: Blame
    what: str
    advice: str


_URL_ADVICE: Final = (
    "Check the URL in resource_files, and that its signature or the pool's identity may read it."
)
_UPLOAD_ADVICE: Final = "Look at fileuploaderr.txt in the task's directory."
_CONTAINER_ADVICE: Final = "Check container_settings of the task and the pool's container configuration."

MEANINGS: Final[dict[str, Meaning]] = {
    "FailureExitCode": Meaning(
        blame=Blame.TASK,
        what="The program ended with an exit code other than 0.",
        advice="Read the end of its stderr.",
    ),
    "CommandProgramNotFound": Meaning(
        blame=Blame.SPECIFICATION,
        what="The node has no program of that name.",
        advice="Batch runs no shell: write /bin/bash -c '…' for one, and install programs by the pool's "
        "start task or as an application package.",
    ),
    "CommandLaunchFailed": Meaning(
        blame=Blame.SPECIFICATION,
        what="The node could not start the command line.",
        advice="Check that the program is executable, and for this operating system.",
    ),
    "TaskEnded": Meaning(
        blame=Blame.SOMEBODY,
        what="The task was ended from outside: by a person, by the end of its job, or by a time limit.",
        advice="Look at the job's terminateReason and at max_wall_clock_time in constraints.",
    ),
    "BlobNotFound": Meaning(
        blame=Blame.STORAGE, what="A resource file is not there.", advice="Check the URL in resource_files."
    ),
    "BlobAccessDenied": Meaning(
        blame=Blame.STORAGE, what="A resource file may not be read.", advice=_URL_ADVICE
    ),
    "BlobDownloadTimedOut": Meaning(
        blame=Blame.STORAGE,
        what="A resource file took too long to come.",
        advice="Try again; if it stays, look at the storage account's limits and region.",
    ),
    "BlobDownloadMiscError": Meaning(
        blame=Blame.STORAGE, what="A resource file could not be fetched.", advice=_URL_ADVICE
    ),
    "FileUploadContainerNotFound": Meaning(
        blame=Blame.STORAGE,
        what="The container that output_files names is not there.",
        advice="Make the container before the job runs.",
    ),
    "FileUploadAccessDenied": Meaning(
        blame=Blame.STORAGE,
        what="The container of output_files may not be written.",
        advice="Check that its signature or the pool's identity may write.",
    ),
    "FileUploadTimedOut": Meaning(
        blame=Blame.STORAGE, what="An output file took too long to go.", advice=_UPLOAD_ADVICE
    ),
    "FileUploadMiscError": Meaning(
        blame=Blame.STORAGE, what="An output file could not be uploaded.", advice=_UPLOAD_ADVICE
    ),
    "DiskFull": Meaning(
        blame=Blame.POOL,
        what="The node's disk is full.",
        advice="Shorten retention_time in constraints, or choose a VM size with a larger disk.",
    ),
    "ResourceDirectoryCreateFailed": Meaning(
        blame=Blame.SERVICE, what="The node could not make a directory.", advice="Try again."
    ),
    "ResourceFileCreateFailed": Meaning(
        blame=Blame.SPECIFICATION,
        what="The node could not create a resource file.",
        advice="Check file_path in resource_files: a path below the working directory that is no directory.",
    ),
    "ResourceFileWriteFailed": Meaning(
        blame=Blame.POOL, what="The node could not write a resource file.", advice="Look at the node's disk."
    ),
    "ApplicationPackageError": Meaning(
        blame=Blame.POOL,
        what="An application package could not be deployed.",
        advice="Check that the package is there, and that the account's storage may be read.",
    ),
    "ContainerInvalidImage": Meaning(
        blame=Blame.SPECIFICATION, what="The container image is no valid one.", advice=_CONTAINER_ADVICE
    ),
    "ContainerInvalidRegistry": Meaning(
        blame=Blame.SPECIFICATION, what="The container registry is no valid one.", advice=_CONTAINER_ADVICE
    ),
    "ContainerInvalidSettings": Meaning(
        blame=Blame.SPECIFICATION, what="A container setting is wrong.", advice=_CONTAINER_ADVICE
    ),
    "ContainerPoolNotSupported": Meaning(
        blame=Blame.POOL,
        what="The pool runs no container tasks.",
        advice="Give the pool a container configuration, or leave container_settings out.",
    ),
    "ContainerMiscError": Meaning(
        blame=Blame.POOL, what="The container could not be run.", advice=_CONTAINER_ADVICE
    ),
    "MaxInternalRetryCountReached": Meaning(
        blame=Blame.SERVICE, what="Batch gave up after several tries of its own.", advice="Try again."
    ),
    "TaskSchedulingConstraintFailed": Meaning(
        blame=Blame.POOL,
        what="The pool cannot run such a task.",
        advice="Check required_slots, container_settings and multi_instance_settings against the pool.",
    ),
    "AutoPoolCreationFailedWithQuotaReached": Meaning(
        blame=Blame.POOL,
        what="The account has no room for another pool.",
        advice="Delete pools that nobody needs, or ask Azure for a larger quota.",
    ),
    "InvalidAutoPoolSettings": Meaning(
        blame=Blame.SPECIFICATION,
        what="The specification of the auto pool is wrong.",
        advice="Check auto_pool_specification in pool_info.",
    ),
    "InvalidAutoScaleFormulaInAutoPool": Meaning(
        blame=Blame.SPECIFICATION,
        what="The auto pool's formula is wrong.",
        advice="Check auto_scale_formula in auto_pool_specification.",
    ),
    "InvalidApplicationPackageReferencesInAutoPool": Meaning(
        blame=Blame.SPECIFICATION,
        what="The auto pool names an application package that there is not.",
        advice="Check application_package_references in auto_pool_specification.",
    ),
    "JobBeingTerminated": Meaning(
        blame=Blame.SOMEBODY,
        what="The job was being ended when the task was about to start.",
        advice="Look at the job's terminateReason.",
    ),
    "Unknown": Meaning(
        blame=Blame.SERVICE,
        what="Batch does not know why.",
        advice="Try again; if it stays, ask Azure's support.",
    ),
}

_BY_FOLDED: Final = {code.casefold(): meaning for code, meaning in MEANINGS.items()}


def meaning_of(code: str | None) -> Meaning | None:
    """What a code means, compared without case; ``None`` for one that nobody knows, to be shown as it is."""
    return _BY_FOLDED.get((code or "").casefold())
