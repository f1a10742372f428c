"""Whether a task that ended lets those start that depend on it: Batch's rules for exit conditions.

Source: `Create Task <https://learn.microsoft.com/rest/api/batchservice/tasks/create-task>`__, ExitConditions
and ExitOptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def satisfies(task: Mapping[str, Any]) -> bool:
    """Whether the dependencies on a completed task are satisfied.

    :param task: with ``executionInfo`` and ``exitConditions``, as Batch lists it.
    """
    execution = task.get("executionInfo") or {}
    succeeded = str(execution.get("result", "")).casefold() == "success"
    action = _options(task.get("exitConditions") or {}, execution, succeeded).get("dependencyAction")
    return succeeded if action is None else str(action).casefold() == "satisfy"


def _options(
    conditions: Mapping[str, Any], execution: Mapping[str, Any], succeeded: bool
) -> Mapping[str, Any]:
    code = execution.get("exitCode")
    # A code that is named goes before a file that could not be uploaded.
    for one in conditions.get("exitCodes") or ():
        if code is not None and one["code"] == code:
            return one.get("exitOptions") or {}
    for one in conditions.get("exitCodeRanges") or ():
        if code is not None and one["start"] <= code <= one["end"]:
            return one.get("exitOptions") or {}
    failure = str((execution.get("failureInfo") or {}).get("code", "")).casefold()
    if failure.startswith("fileupload"):
        named = conditions.get("fileUploadError")
    elif failure and code is None:
        named = conditions.get("preProcessingError")
    else:
        named = None
    options: Mapping[str, Any] = named or (conditions.get("default") or {} if not succeeded else {})
    return options
