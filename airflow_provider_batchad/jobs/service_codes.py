"""What the codes mean with which the Batch service refuses a request, and what to do about each.

Source: https://learn.microsoft.com/rest/api/batchservice/batch-status-and-error-codes
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What has to happen before the same request can be answered otherwise."""

    RETRY = "try again"
    QUOTA = "wait for quota"
    AUTHOR = "the author's error"
    SIGN_IN = "sign in otherwise"
    PERMISSION = "permission"
    GONE = "gone"
    STATE = "another state of the object"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceMeaning:
    """One code.

    :param advice: what to do, in a sentence.
    """

    kind: Kind
    advice: str


def _author(advice: str) -> ServiceMeaning:
    return ServiceMeaning(kind=Kind.AUTHOR, advice=advice)


_PROPERTY: Final = _author("Mend the property that is named in 'job' or 'tasks'.")
_BUSY: Final = ServiceMeaning(kind=Kind.RETRY, advice="Try again; nothing is wrong with the request.")
_GONE_JOB: Final = ServiceMeaning(
    kind=Kind.GONE, advice="Somebody deleted the job, or it was never made: clear the task to make a new one."
)
_ENDING: Final = ServiceMeaning(
    kind=Kind.STATE, advice="Somebody ended the job: look at its terminateReason, and clear the task."
)
_FILES_GONE: Final = ServiceMeaning(
    kind=Kind.GONE,
    advice="The files left with their node: keep the node longer, or let outputs name a container.",
)
_ID_TAKEN: Final = ServiceMeaning(
    kind=Kind.STATE, advice="The id is taken: look at the metadata of what has it, and delete that."
)

MEANINGS: Final[dict[str, ServiceMeaning]] = {
    "ServerBusy": _BUSY,
    "InternalError": _BUSY,
    "OperationTimedOut": _BUSY,
    "TooManyRequests": ServiceMeaning(
        kind=Kind.RETRY,
        advice="Try again later, and let fewer things ask at once: a longer poll_interval, fewer clients.",
    ),
    "ActiveJobAndScheduleQuotaReached": ServiceMeaning(
        kind=Kind.QUOTA,
        advice="Wait until jobs end; delete or end those that nobody needs, or ask Azure for a larger quota.",
    ),
    "PoolQuotaReached": ServiceMeaning(
        kind=Kind.QUOTA, advice="Delete pools that nobody needs, or ask Azure for a larger quota."
    ),
    "MissingRequiredProperty": _PROPERTY,
    "UnsupportedProperty": _PROPERTY,
    "InvalidPropertyValue": _PROPERTY,
    "OutOfRangeInput": _PROPERTY,
    "InvalidRequestBody": _author("Batch cannot read what was sent: report it, with the request-id."),
    "RequestBodyTooLarge": _author(
        "Make the task smaller: put long scripts and lists of files into storage, as resource files."
    ),
    "TaskDependenciesNotSpecifiedOnJob": _author("Set uses_task_dependencies of the job."),
    "TaskDependencyListTooLong": _author("Name the tasks that one depends on by task_id_ranges."),
    "TaskDependencyRangesTooLong": _author("Give fewer task_id_ranges, each over more tasks."),
    "TaskIdSameAsJobPreparationTask": _author("Give the task another id than the job preparation task."),
    "TaskIdSameAsJobReleaseTask": _author("Give the task another id than the job release task."),
    "JobPreparationTaskNotSpecified": _author("A job release task needs a job preparation task beside it."),
    "InvalidApplicationPackageReferences": _author(
        "Upload and activate the version that application_package_references names, or set a default one."
    ),
    "PoolNotFound": _author("Correct pool_id: az batch pool list --query [].id has those that there are."),
    "UnsupportedRequestVersion": _author("The account's cloud has an older Batch service than this package."),
    "AuthenticationFailed": ServiceMeaning(
        kind=Kind.SIGN_IN,
        advice="A fresh token was refused too: the account URL, the tenant ID or the cloud of the connection "
        "do not belong together, or the account does not take Microsoft Entra ID tokens.",
    ),
    "InvalidAuthenticationInfo": ServiceMeaning(
        kind=Kind.SIGN_IN, advice="Look for a proxy that changes the header Authorization."
    ),
    "AccountIsDisabled": ServiceMeaning(
        kind=Kind.PERMISSION, advice="The Batch account is disabled: ask who owns the subscription."
    ),
    "InsufficientAccountPermissions": ServiceMeaning(
        kind=Kind.PERMISSION, advice="The Batch account itself may not do this: ask who owns it."
    ),
    "InsufficientPermissions": ServiceMeaning(
        kind=Kind.PERMISSION,
        advice="Give the principal the action that is named, on the linked resource that is named.",
    ),
    "JobNotFound": _GONE_JOB,
    "TaskNotFound": ServiceMeaning(
        kind=Kind.GONE, advice="Somebody deleted the task: clear the Airflow task to run it again."
    ),
    "FileNotFound": ServiceMeaning(
        kind=Kind.GONE, advice="The task did not write the file where it is looked for: look at its stdout."
    ),
    "NodeNotFound": _FILES_GONE,
    "NodeStateUnusable": _FILES_GONE,
    "TaskFilesUnavailable": _FILES_GONE,
    "TaskFilesCleanedup": ServiceMeaning(
        kind=Kind.GONE,
        advice="The files were kept for retention_time of the task's constraints: lengthen it.",
    ),
    "InvalidRange": ServiceMeaning(kind=Kind.STATE, advice="The file is shorter than what is asked for."),
    "JobExists": _ID_TAKEN,
    "JobScheduleWithSameIdExists": _ID_TAKEN,
    "TaskExists": _ID_TAKEN,
    "JobBeingTerminated": _ENDING,
    "JobCompleted": _ENDING,
    "JobNotActive": _ENDING,
    "JobBeingDeleted": ServiceMeaning(
        kind=Kind.STATE, advice="Somebody deleted the job: clear the task once the job is gone."
    ),
    "JobDisabled": ServiceMeaning(
        kind=Kind.STATE, advice="Somebody disabled the job: az batch job enable --job-id … lets it go on."
    ),
    "ConditionNotMet": ServiceMeaning(
        kind=Kind.STATE, advice="Somebody else has changed the object since it was read: look at it again."
    ),
    "OperationInvalidForCurrentState": ServiceMeaning(
        kind=Kind.STATE, advice="Look at the state of the job: what was asked for does not fit it."
    ),
}

_BY_FOLDED: Final = {code.casefold(): meaning for code, meaning in MEANINGS.items()}


def service_meaning_of(code: str | None) -> ServiceMeaning | None:
    """What a code means, compared without case; ``None`` for one that nobody knows, to be shown as it is."""
    return _BY_FOLDED.get((code or "").casefold())


def is_authors_error(code: str | None) -> bool:
    """Whether the same request would be refused again until the author changes it."""
    meaning = service_meaning_of(code)
    return meaning is not None and meaning.kind is Kind.AUTHOR
