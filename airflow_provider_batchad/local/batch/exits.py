"""What a job does about the way a task ended: ``exitConditions`` of the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

JobAction = Literal["none", "disable", "terminate"]


@dataclass(frozen=True, slots=True)
class ExitResponse:
    """The actions that a task's end calls for.

    :param satisfies: whether tasks that depend on it may go on.
    """

    job_action: JobAction
    satisfies: bool


def respond_to_exit(
    conditions: Mapping[str, Any] | None,
    *,
    exit_code: int | None,
    was_prepared: bool,
    was_uploaded: bool = True,
) -> ExitResponse:
    """The most specific condition that fits: a code, then a range, then the default; the latter not for 0.

    :param exit_code: ``None`` where the program did not end by itself, or never ran.
    :param was_prepared: whether it ran at all.
    :param was_uploaded: whether all of its output files could be sent; a matching exit code goes before.
    """
    is_success = exit_code == 0 and was_uploaded
    chosen = _choose(conditions or {}, exit_code, was_prepared=was_prepared, was_uploaded=was_uploaded) or {}
    action: JobAction = chosen.get("jobAction") or ("none" if is_success else "terminate")
    dependency = chosen.get("dependencyAction") or ("satisfy" if is_success else "block")
    return ExitResponse(job_action=action, satisfies=dependency == "satisfy")


def _choose(
    conditions: Mapping[str, Any], exit_code: int | None, *, was_prepared: bool, was_uploaded: bool
) -> Mapping[str, Any] | None:
    is_success = exit_code == 0 and was_uploaded
    options: Mapping[str, Any] | None = None if is_success else conditions.get("default")
    if not was_prepared:
        return conditions.get("preProcessingError") or options
    if exit_code is None:
        return options
    for mapping in conditions.get("exitCodes") or ():
        if mapping["code"] == exit_code:
            return _options_of(mapping)
    for mapping in conditions.get("exitCodeRanges") or ():
        if mapping["start"] <= exit_code <= mapping["end"]:
            return _options_of(mapping)
    if not was_uploaded:
        return conditions.get("fileUploadError") or options
    return options


def _options_of(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    options: Mapping[str, Any] = mapping["exitOptions"]
    return options
