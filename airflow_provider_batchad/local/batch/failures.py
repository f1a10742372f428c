"""``failureInfo`` of tasks: the codes of "Job/Task Scheduling Error Codes" in the REST reference."""

from __future__ import annotations

import json
import sys
from typing import Final, Literal

Category = Literal["UserError", "ServerError"]

# Texts as recorded for FailureExitCode, else as documented; the service leaves their full stop out.
_FAILURES: Final[dict[str, tuple[Category, str]]] = {
    "FailureExitCode": ("UserError", "The task exited with an exit code representing a failure"),
    "TaskEnded": ("UserError", "Task was ended by user request"),
    "CommandProgramNotFound": ("UserError", "The specified command program is not found"),
    "CommandLaunchFailed": ("UserError", "Failed to launch the specified command line"),
    "TaskSchedulingConstraintFailed": (
        "UserError",
        "Task cannot be scheduled on the pool associated with the job",
    ),
    # As Azure's own tests expect it, and as a public log shows it.
    "ContainerPoolNotSupported": ("UserError", "The specified pool does not support container tasks"),
    "BlobNotFound": ("UserError", "One of the specified Azure Blob(s) is not found"),
    "BlobAccessDenied": ("UserError", "Access for one of the specified Azure Blob(s) is denied"),
    "BlobDownloadTimedOut": (
        "ServerError",
        "Timeout encountered while downloading one of the specified Azure Blob(s)",
    ),
    "BlobDownloadMiscError": (
        "ServerError",
        "Miscellaneous error encountered while downloading one of the specified Azure Blob(s)",
    ),
    "FileUploadContainerNotFound": (
        "UserError",
        "One of the specified Azure container(s) was not found while attempting to upload an output file",
    ),
    "FileUploadMiscError": (
        "UserError",
        "A miscellaneous error was encountered while uploading one of the output files",
    ),
    "Unknown": ("ServerError", "An unknown scheduling error has occurred"),
    "ResourceFileCreateFailed": ("ServerError", "Failure encountered creating resource file"),
    "ResourceDirectoryCreateFailed": (
        "ServerError",
        "Failure encountered creating resource directory for the task",
    ),
}


def render_failure(code: str, *details: tuple[str, str]) -> str:
    """``failureInfo`` as JSON; texts that many tasks share are kept once."""
    category, message = _FAILURES[code]
    failure = {
        "category": category,
        "code": code,
        "message": message,
        "details": [{"name": name, "value": value} for name, value in details],
    }
    return sys.intern(json.dumps(failure, separators=(",", ":")))


# Recorded, details included.
EXIT_CODE: Final = render_failure(
    "FailureExitCode",
    ("Message", "The task process exited with an unexpected exit code"),
    ("AdditionalErrorCode", "FailureExitCode"),
)
ENDED_BY_USER: Final = render_failure("TaskEnded", ("Message", "The task was terminated by a user request"))
ENDED_BY_JOB: Final = render_failure("TaskEnded", ("Message", "The task was terminated with its job"))
ENDED_WITH_PRIMARY: Final = render_failure(
    "TaskEnded", ("Message", "The subtask was terminated with its task")
)
OUT_OF_TIME: Final = render_failure(
    "TaskEnded", ("Message", "The task exceeded its maximum allowed wall clock time")
)


UNKNOWN: Final = render_failure("Unknown")


class PreparationFailed(Exception):
    """A task that could not be started: a pre-processing error.

    :param failure: its ``failureInfo``.
    """

    def __init__(self, code: str, *details: tuple[str, str]) -> None:
        self.failure = render_failure(code, *details)
        super().__init__(code)
