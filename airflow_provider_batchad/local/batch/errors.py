"""The errors that the Batch service answers with: their codes, statuses, texts and envelope."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from airflow_provider_batchad.local.batch.ticks import to_iso

_METADATA: Final = "$metadata#Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element"


@dataclass(frozen=True, slots=True)
class Fault:
    """What a code stands for."""

    status: int
    message: str


# Source: "Batch Status and Error Codes" of the REST reference; texts as recorded where a recording exists.
FAULTS: Final[dict[str, Fault]] = {
    "MissingRequiredProperty": Fault(400, "A required property was not specified in the request body."),
    "UnsupportedProperty": Fault(
        400, "One of the properties specified in the request body is not supported."
    ),
    "InvalidPropertyValue": Fault(
        400, "The value provided for one of the properties in the request body is invalid."
    ),
    "InvalidRequestBody": Fault(400, "The specified Request Body is not syntactically valid."),
    "InvalidHeaderValue": Fault(400, "The value for one of the HTTP headers is not in the correct format."),
    "MissingRequiredQueryParameter": Fault(
        400, "A query parameter that's mandatory for this request is not specified."
    ),
    "InvalidQueryParameterValue": Fault(
        400, "Value for one of the query parameters specified in the request URI is invalid."
    ),
    "UnsupportedRequestVersion": Fault(400, "The specified request version is not supported."),
    "InvalidUri": Fault(400, "The requested URI does not represent any resource on the server."),
    "OutOfRangeInput": Fault(400, "One of the request inputs is out of range."),
    "InvalidAuthenticationInfo": Fault(
        400,
        "The authentication information was not provided in the correct format. Verify the value of "
        "Authorization header.",
    ),
    "TaskDependenciesNotSpecifiedOnJob": Fault(
        400,
        "A task was specified as depending on other tasks, but the job did not specify that it would use "
        "task dependencies.",
    ),
    "TaskDependencyListTooLong": Fault(
        400,
        "A task was specified as depending on other tasks, but the list of dependencies was too long to be "
        "stored. The total stored length is limited to 64000 characters; the total length of task ids must "
        "be slightly less than this to allow for internal storage overhead. If you encounter this error, "
        "consider using task range dependencies instead.",
    ),
    "TaskDependencyRangesTooLong": Fault(
        400,
        "A task was specified as depending on multiple ranges of task ids, and the list of ranges was too "
        "long to be stored. Note that the issue is not with the size of ranges, but with the number of "
        "ranges.",
    ),
    "AuthenticationFailed": Fault(
        401,
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
        "correctly.",
    ),
    "AutoScalingFormulaSyntaxError": Fault(400, "The specified auto-scaling formula has a syntax error."),
    "AutoScalingFormulaTooLong": Fault(400, "The specified auto-scaling formula exceeds lengths limit."),
    "InsufficientAccountPermissions": Fault(
        403, "The account being accessed does not have sufficient permissions to execute this operation."
    ),
    "AccountIsDisabled": Fault(403, "The specified account is disabled."),
    "Forbidden": Fault(403, "Access is Forbidden"),
    "AuthorizationFailure": Fault(403, "This request is not authorized to perform this operation."),
    "IOError": Fault(403, "An I/O error occurred when accessing the specified resource."),
    "PoolNotFound": Fault(404, "The specified pool does not exist."),
    "NodeNotFound": Fault(404, "The specified node does not exist."),
    "JobNotFound": Fault(404, "The specified job does not exist."),
    "TaskNotFound": Fault(404, "The specified task does not exist."),
    "FileNotFound": Fault(404, "The specified file does not exist."),
    "NodeUserNotFound": Fault(404, "The specified node user does not exist."),
    "JobScheduleNotFound": Fault(404, "The specified job schedule does not exist."),
    "ApplicationNotFound": Fault(404, "The specified application does not exist."),
    "UnsupportedHttpVerb": Fault(405, "The resource doesn't support the specified HTTP verb."),
    "PoolExists": Fault(409, "The specified pool already exists."),
    "PoolBeingDeleted": Fault(409, "The specified pool has been marked for deletion and is being reclaimed."),
    "PoolBeingResized": Fault(409, "The specified pool is being resized"),
    "PoolQuotaReached": Fault(409, "Pool quota for the account has been reached."),
    "NodeBeingCreated": Fault(409, "The specified node is being created"),
    "NodeBeingStarted": Fault(409, "The specified node is being started"),
    "NodeBeingReimaged": Fault(409, "The specified node is being reimaged"),
    "NodeBeingRebooted": Fault(409, "The specified node is being rebooted"),
    "NodeUserExists": Fault(409, "The specified node user already exists."),
    "NodeAlreadyInTargetSchedulingState": Fault(
        409, "The specified node is already in the target scheduling state."
    ),
    "OperationNotValidOnNode": Fault(409, "The specified operation is not valid on the node."),
    "JobScheduleExists": Fault(409, "The specified job schedule already exists."),
    "JobScheduleBeingTerminated": Fault(409, "The specified job schedule is being terminated."),
    "JobScheduleBeingDeleted": Fault(
        409, "The specified job schedule has been marked for deletion and is being reclaimed."
    ),
    "JobScheduleCompleted": Fault(409, "The specified job schedule is already in completed state."),
    "JobScheduleDisabled": Fault(409, "The specified job schedule is disabled."),
    "JobWithSameIdExists": Fault(
        409,
        "A job with the specified job schedule id exists. Job and job schedule cannot have the same id.",
    ),
    "JobScheduleWithSameIdExists": Fault(
        409,
        "A job schedule with the specified job id exists. Job and job schedule cannot have the same id.",
    ),
    "JobExists": Fault(409, "The specified job already exists."),
    "JobBeingTerminated": Fault(409, "The specified job is being terminated."),
    "JobBeingDeleted": Fault(
        409, "The specified job has been marked for deletion and is being garbage collected."
    ),
    "JobCompleted": Fault(409, "The specified job is already in a completed state."),
    "JobDisabled": Fault(409, "The specified job is disabled."),
    "JobNotActive": Fault(409, "The specified job is not in active state."),
    "JobPreparationTaskOrReleaseTaskNotSpecified": Fault(
        409, "The specified job does not have either job preparation task or job release task."
    ),
    "TaskExists": Fault(409, "The specified task already exists."),
    "TaskIdSameAsJobPreparationTask": Fault(
        409, "The specified task id is same as the job preparation task."
    ),
    "TaskIdSameAsJobReleaseTask": Fault(409, "The specified task id is same as the job release task."),
    "TaskCompleted": Fault(409, "The specified task is already in a completed state."),
    "TaskNotCompleted": Fault(
        409,
        "The specified task is not in a completed state, and the requested operation can be performed only "
        "on completed tasks.",
    ),
    "TaskSucceeded": Fault(
        409,
        "The specified task has already completed successfully, and the requested operation cannot be "
        "performed on successful tasks.",
    ),
    "TaskFilesUnavailable": Fault(409, "The files of the specified task are unavailable."),
    "TaskFilesCleanedup": Fault(409, "The files of the specified task are cleanedup."),
    "ActiveJobAndScheduleQuotaReached": Fault(
        409, "Active job and schedule quota for the account has been reached."
    ),
    "InvalidApplicationPackageReferences": Fault(
        409,
        "One or more application package references could not be satisfied. This occurs if the application "
        "id or version does not exist or is not active, or if the reference did not specify a version and "
        "there is no default version configured.",
    ),
    "OperationInvalidForCurrentState": Fault(
        409, "The specified operation is not valid for the current state of the resource."
    ),
    "MissingContentLengthHeader": Fault(411, "The Content-Length header was not specified."),
    "ConditionNotMet": Fault(412, "The condition specified using HTTP conditional header(s) is not met."),
    "RequestBodyTooLarge": Fault(
        413, "The request body is too large and exceeds the maximum permissible limit."
    ),
    "InvalidRange": Fault(416, "The range specified is invalid for the current size of the resource."),
    "TooManyRequests": Fault(429, "Too many requests. Please retry your request."),
    "InternalError": Fault(500, "The server encountered an internal error. Please retry the request."),
    "OperationTimedOut": Fault(500, "The operation could not be completed within the permitted time."),
    "ServerBusy": Fault(
        503, "The server is currently unable to receive requests. Please retry your request."
    ),
    "TooManyEnableAutoScaleRequests": Fault(
        503, "Too many Enable Pool AutoScale requests are issued on the pool."
    ),
}


class BatchError(Exception):
    """A request that the service refuses.

    :param code: one of ``FAULTS``.
    :param values: the details, in order.
    :param headers: beyond those of every answer.
    :param status: where it is not the code's usual one.
    """

    def __init__(
        self,
        code: str,
        values: tuple[tuple[str, str], ...] = (),
        *,
        headers: dict[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        self.code = code
        self.values = values
        self.headers = headers
        fault = FAULTS.get(code, FAULTS["InternalError"])
        self.message = fault.message
        self.status = fault.status if status is None else status
        super().__init__(code, values)


class NotModified(Exception):
    """A conditional read whose answer is 304, without a body."""


def render_message(error: BatchError, *, request_id: str, ticks: int) -> dict[str, object]:
    """The ``message`` member: the text, then the request's id and the time, a line each."""
    text = f"{error.message}\nRequestId:{request_id}\nTime:{to_iso(ticks)}"
    return {"lang": "en-US", "value": text}


def render_error(error: BatchError, *, request_id: str, ticks: int) -> dict[str, object]:
    """The error without its envelope, as it stands in the result of a task collection."""
    body: dict[str, object] = {
        "code": error.code,
        "message": render_message(error, request_id=request_id, ticks=ticks),
    }
    if error.values:
        body["values"] = [{"key": key, "value": value} for key, value in error.values]
    return body


def render_envelope(error: BatchError, *, base_url: str, request_id: str, ticks: int) -> bytes:
    """The body of an error answer."""
    body = {"odata.metadata": f"{base_url}/{_METADATA}"}
    return json.dumps(body | render_error(error, request_id=request_id, ticks=ticks)).encode()


def invalid_property(name: str, value: object, reason: str) -> BatchError:
    """400 for a property's value."""
    return BatchError(
        "InvalidPropertyValue",
        (("PropertyName", name), ("PropertyValue", str(value)), ("Reason", reason)),
    )


def invalid_query(name: str, value: str, reason: str) -> BatchError:
    """400 for a query parameter's value."""
    return BatchError(
        "InvalidQueryParameterValue",
        (("QueryParameterName", name), ("QueryParameterValue", value), ("Reason", reason)),
    )
