"""The error codes of the Batch service: their statuses, texts and details.

Texts are those of recordings where there are any, else of "Batch Status and Error Codes".
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Row(NamedTuple):
    """What a code stands for.

    :param details: the keys of ``values``, in order.
    """

    status: int
    text: str
    details: tuple[str, ...] = ()


_PROPERTY: Final = ("PropertyName", "PropertyValue", "Reason")
_QUERY: Final = ("QueryParameterName", "QueryParameterValue", "Reason")
DOCUMENTED: Final = {
    "InvalidQueryParameterValue": Row(
        400, "Value for one of the query parameters specified in the request URI is invalid.", _QUERY
    ),
    "InvalidPropertyValue": Row(
        400, "The value provided for one of the properties in the request body is invalid.", _PROPERTY
    ),
    "MissingRequiredQueryParameter": Row(
        400, "A query parameter that's mandatory for this request is not specified.", ("QueryParameterName",)
    ),
    "InvalidHeaderValue": Row(
        400,
        "The value for one of the HTTP headers is not in the correct format.",
        ("HeaderName", "HeaderValue"),
    ),
    "MissingRequiredProperty": Row(
        400, "A required property was not specified in the request body.", ("PropertyName",)
    ),
    "UnsupportedProperty": Row(
        400,
        "One of the properties specified in the request body is not supported.",
        ("PropertyName", "Reason"),
    ),
    "InvalidRequestBody": Row(400, "The specified Request Body is not syntactically valid.", ("Reason",)),
    "InvalidUri": Row(400, "The requested URI does not represent any resource on the server."),
    "UnsupportedRequestVersion": Row(400, "The specified request version is not supported."),
    "OutOfRangeInput": Row(400, "One of the request inputs is out of range."),
    "InvalidAuthenticationInfo": Row(
        400,
        "The authentication information was not provided in the correct format. Verify the value of "
        "Authorization header.",
    ),
    "TaskDependenciesNotSpecifiedOnJob": Row(
        400,
        "A task was specified as depending on other tasks, but the job did not specify that it would use "
        "task dependencies.",
    ),
    "TaskDependencyListTooLong": Row(
        400,
        "A task was specified as depending on other tasks, but the list of dependencies was too long to be "
        "stored. The total stored length is limited to 64000 characters; the total length of task ids must "
        "be slightly less than this to allow for internal storage overhead. If you encounter this error, "
        "consider using task range dependencies instead.",
    ),
    "TaskDependencyRangesTooLong": Row(
        400,
        "A task was specified as depending on multiple ranges of task ids, and the list of ranges was too "
        "long to be stored. Note that the issue is not with the size of ranges, but with the number of "
        "ranges.",
    ),
    "AutoScalingFormulaSyntaxError": Row(
        400, "The specified auto-scaling formula has a syntax error.", ("Message",)
    ),
    "AutoScalingFormulaTooLong": Row(400, "The specified auto-scaling formula exceeds lengths limit."),
    # 401: a public log, of a token of another audience. Of a signature it is a 403.
    "AuthenticationFailed": Row(
        401,
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
        "correctly.",
        ("AuthenticationErrorDetail",),
    ),
    "Forbidden": Row(403, "Access is Forbidden", ("Reason",)),
    # Assumed: no recording shows what a missing role assignment is answered with.
    "AuthorizationFailure": Row(
        403, "This request is not authorized to perform this operation.", ("MissingPermission",)
    ),
    "InsufficientAccountPermissions": Row(
        403, "The account being accessed does not have sufficient permissions to execute this operation."
    ),
    "AccountIsDisabled": Row(403, "The specified account is disabled."),
    "IOError": Row(403, "An I/O error occurred when accessing the specified resource."),
    "JobNotFound": Row(404, "The specified job does not exist."),
    "PoolNotFound": Row(404, "The specified pool does not exist."),
    "TaskNotFound": Row(404, "The specified task does not exist."),
    "NodeNotFound": Row(404, "The specified node does not exist."),
    "NodeUserNotFound": Row(404, "The specified node user does not exist."),
    "FileNotFound": Row(404, "The specified file does not exist."),
    "JobScheduleNotFound": Row(404, "The specified job schedule does not exist."),
    "ApplicationNotFound": Row(404, "The specified application does not exist."),
    "UnsupportedHttpVerb": Row(405, "The resource doesn't support the specified HTTP verb."),
    "JobExists": Row(409, "The specified job already exists."),
    "PoolExists": Row(409, "The specified pool already exists."),
    "TaskExists": Row(409, "The specified task already exists."),
    "PoolBeingDeleted": Row(409, "The specified pool has been marked for deletion and is being reclaimed."),
    "PoolBeingResized": Row(409, "The specified pool is being resized"),
    "PoolQuotaReached": Row(409, "Pool quota for the account has been reached."),
    "NodeBeingCreated": Row(409, "The specified node is being created"),
    "NodeBeingStarted": Row(409, "The specified node is being started"),
    "NodeBeingReimaged": Row(409, "The specified node is being reimaged"),
    "NodeBeingRebooted": Row(409, "The specified node is being rebooted"),
    "NodeUserExists": Row(409, "The specified node user already exists."),
    "NodeAlreadyInTargetSchedulingState": Row(
        409, "The specified node is already in the target scheduling state."
    ),
    "OperationNotValidOnNode": Row(409, "The specified operation is not valid on the node."),
    "JobPreparationTaskOrReleaseTaskNotSpecified": Row(
        409, "The specified job does not have either job preparation task or job release task."
    ),
    "JobBeingTerminated": Row(409, "The specified job is being terminated."),
    "JobBeingDeleted": Row(
        409, "The specified job has been marked for deletion and is being garbage collected."
    ),
    "JobDisabled": Row(409, "The specified job is disabled."),
    "JobCompleted": Row(409, "The specified job is already in a completed state."),
    "JobNotActive": Row(409, "The specified job is not in active state."),
    "TaskCompleted": Row(409, "The specified task is already in a completed state."),
    "TaskNotCompleted": Row(
        409,
        "The specified task is not in a completed state, and the requested operation can be performed only "
        "on completed tasks.",
    ),
    "TaskSucceeded": Row(
        409,
        "The specified task has already completed successfully, and the requested operation cannot be "
        "performed on successful tasks.",
    ),
    "TaskIdSameAsJobPreparationTask": Row(409, "The specified task id is same as the job preparation task."),
    "TaskIdSameAsJobReleaseTask": Row(409, "The specified task id is same as the job release task."),
    "TaskFilesUnavailable": Row(409, "The files of the specified task are unavailable."),
    "TaskFilesCleanedup": Row(409, "The files of the specified task are cleanedup."),
    "ActiveJobAndScheduleQuotaReached": Row(
        409, "Active job and schedule quota for the account has been reached."
    ),
    "JobWithSameIdExists": Row(
        409, "A job with the specified job schedule id exists. Job and job schedule cannot have the same id."
    ),
    "JobScheduleWithSameIdExists": Row(
        409, "A job schedule with the specified job id exists. Job and job schedule cannot have the same id."
    ),
    "JobScheduleExists": Row(409, "The specified job schedule already exists."),
    "JobScheduleBeingTerminated": Row(409, "The specified job schedule is being terminated."),
    "JobScheduleBeingDeleted": Row(
        409, "The specified job schedule has been marked for deletion and is being reclaimed."
    ),
    "JobScheduleDisabled": Row(409, "The specified job schedule is disabled."),
    "JobScheduleCompleted": Row(409, "The specified job schedule is already in completed state."),
    "OperationInvalidForCurrentState": Row(
        409, "The specified operation is not valid for the current state of the resource."
    ),
    "InvalidApplicationPackageReferences": Row(
        409,
        "One or more application package references could not be satisfied. This occurs if the application "
        "id or version does not exist or is not active, or if the reference did not specify a version and "
        "there is no default version configured.",
    ),
    "MissingContentLengthHeader": Row(411, "The Content-Length header was not specified."),
    "ConditionNotMet": Row(412, "The condition specified using HTTP conditional header(s) is not met."),
    "RequestBodyTooLarge": Row(
        413, "The request body is too large and exceeds the maximum permissible limit.", ("MaxLimit",)
    ),
    "InvalidRange": Row(416, "The range specified is invalid for the current size of the resource."),
    "TooManyRequests": Row(429, "Too many requests. Please retry your request."),
    "InternalError": Row(500, "The server encountered an internal error. Please retry the request."),
    "OperationTimedOut": Row(500, "The operation could not be completed within the permitted time."),
    "ServerBusy": Row(503, "The server is currently unable to receive requests. Please retry your request."),
    "TooManyEnableAutoScaleRequests": Row(
        503, "Too many Enable Pool AutoScale requests are issued on the pool."
    ),
}
# What no route gives by itself, and why. A fault rule that names the code gives it.
ONLY_BY_FAULT: Final = {
    "OutOfRangeInput": "recorded: a value out of range is InvalidPropertyValue or InvalidQueryParameterValue",
    "InvalidAuthenticationInfo": "assumed: a header that is no bearer token counts as a missing one, 401",
    "InsufficientAccountPermissions": "assumed: a missing role assignment is AuthorizationFailure",
    "AccountIsDisabled": "the account cannot be disabled",
    "JobDisabled": "documented: a disabled job may be disabled, enabled, changed, and given tasks",
    "JobNotActive": "documented: of states that are not active, those that refuse have codes of their own",
    "JobScheduleDisabled": "documented: a disabled schedule may be disabled, enabled and changed",
    "MissingContentLengthHeader": "a body that comes in chunks is read as it comes",
    "TooManyRequests": "nothing is throttled unless a fault rule says so",
    "InternalError": "no request may fail so",
    "OperationTimedOut": "no operation takes so long",
    "ServerBusy": "it is never busy unless a fault rule says so",
}
# What is named in documents and not in the table: the account has nothing that it could be about.
NOT_GIVEN: Final = {
    "InsufficientPermissions": "of resources that are linked, such as an image gallery; there are none",
}
