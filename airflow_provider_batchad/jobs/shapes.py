"""What Batch's answers look like as far as this package reads them: anything else is not from Batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Shape: TypeAlias = "type | Mapping[str, Shape] | list[Shape]"

_NAME_VALUES: Final[list[Shape]] = [{"name": str, "value": str}]
_EXECUTION: Final[Mapping[str, Shape]] = {
    "startTime": str,
    "endTime": str,
    "exitCode": int,
    "result": str,
    "retryCount": int,
    "terminateReason": str,
    "failureInfo": {"code": str, "message": str, "details": _NAME_VALUES},
}
_JOB: Final[Mapping[str, Shape]] = {
    "id": str,
    "state": str,
    "eTag": str,
    "creationTime": str,
    "stateTransitionTime": str,
    "onAllTasksComplete": str,
    "metadata": _NAME_VALUES,
    "executionInfo": _EXECUTION,
}
_TASK: Final[Mapping[str, Shape]] = {
    "id": str,
    "state": str,
    "executionInfo": _EXECUTION,
    "nodeInfo": {"nodeId": str},
    "dependsOn": {"taskIds": [str], "taskIdRanges": [{"start": int, "end": int}]},
    "exitConditions": {},
}
_PREPARATION: Final[Mapping[str, Shape]] = {
    "jobPreparationTaskExecutionInfo": {"state": str, "exitCode": int, "result": str}
}
_ADDED: Final[Mapping[str, Shape]] = {
    "taskId": str,
    "status": str,
    "error": {"code": str, "message": {"value": str}, "values": [{"key": str, "value": str}]},
}
_COUNTS: Final[Mapping[str, Shape]] = dict.fromkeys(
    ("active", "running", "completed", "succeeded", "failed"), int
)

# Operation → what its answer may hold, and what it must.
_ANSWERS: Final[Mapping[str, tuple[Mapping[str, Shape], str]]] = {
    "Get Job": (_JOB, "id"),
    "List Jobs": ({"value": [_JOB], "odata.nextLink": str}, "value"),
    "List Tasks": ({"value": [_TASK], "odata.nextLink": str}, "value"),
    "Get Job Task Counts": ({"taskCounts": _COUNTS}, "taskCounts"),
    "Create Task Collection": ({"value": [_ADDED]}, "value"),
    "List Job Preparation And Release Task Status": (
        {"value": [_PREPARATION], "odata.nextLink": str},
        "value",
    ),
}
_IDENTIFIED: Final = frozenset({"List Jobs", "List Tasks"})
# As recorded, and as azure-batch expects them; any other operation is answered with 200.
_STATUSES: Final[Mapping[str, tuple[int, ...]]] = {
    "Create Job": (201,),
    "Terminate Job": (202,),
    "Delete Job": (202,),
    "Create Pool": (201,),
    "Resize Pool": (202,),
    "Delete Pool": (202,),
    "Get Task File": (200, 206),
}
_HEADERS: Final[Mapping[str, str]] = {
    "Create Job": "etag",
    "Get Task File": "ocp-batch-file-url",
    "Get Task File Properties": "ocp-batch-file-url",
}


def missent(operation: str, status: int, headers: Mapping[str, str]) -> str | None:
    """What makes a success no answer of the operation, by status and headers; ``None`` for one that may be.

    :param headers: the names in lower case.
    """
    if status not in _STATUSES.get(operation, (200,)):
        return f"its status is not that of {operation}"
    required = _HEADERS.get(operation)
    return f"it has no header {required}" if required and not headers.get(required) else None


def misshapen(operation: str, body: Mapping[str, Any]) -> str | None:
    """The field that makes ``body`` no answer of the operation; ``None`` for one that may be."""
    known = _ANSWERS.get(operation)
    if known is None:
        return None
    shape, required = known
    if body.get(required) is None:
        return required
    wrong = _wrong(body, shape, "")
    if wrong is None and operation in _IDENTIFIED and not all("id" in item for item in body["value"]):
        return "value.id"
    return wrong


def _wrong(value: object, shape: Shape, path: str) -> str | None:
    if isinstance(shape, type):
        # Not isinstance: a JSON's true is no number.
        return None if type(value) is shape else path
    if isinstance(shape, list):
        if not isinstance(value, list):
            return path
        items = (path if item is None else _wrong(item, shape[0], path) for item in value)
        return next((found for found in items if found is not None), None)
    if not isinstance(value, dict):
        return path
    for name, inner in shape.items():
        item = value.get(name)
        # Batch leaves out what is not there, or says null. The first line spares a call for each field.
        if item is None or type(item) is inner:
            continue
        found = _wrong(item, inner, f"{path}.{name}" if path else name)
        if found is not None:
            return found
    return None
