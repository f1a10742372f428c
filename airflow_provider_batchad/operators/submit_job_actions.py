"""What ``AzureBatchSubmitJobOperator`` wants of a role, by its arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from airflow_provider_batchad.access.actions import Action, DataAction
from airflow_provider_batchad.access.wanted import UNKNOWN, RoleElsewhere, Wanted
from airflow_provider_batchad.hooks.blobs import READER_ROLE

_POOL_INFO: Final = ("pool_info", "poolInfo")
_AUTO_POOL: Final = ("auto_pool_specification", "autoPoolSpecification")
_MARKERS: Final = ("{{", "{%")


def wanted_by_submit_job(arguments: Mapping[str, Any]) -> Iterator[Wanted]:
    """The actions, each with its reason.

    :param arguments: by name; those that are left out have their defaults.
    """
    yield Wanted(
        action=DataAction.JOBS_READ,
        why="looks for the job of an earlier try, waits for its end, reads its tasks, logs and outputs",
    )
    yield Wanted(action=DataAction.JOBS_WRITE, why="creates the job, adds its tasks, seals and terminates it")
    cleanup = arguments.get("cleanup", "keep")
    if cleanup != "keep":
        yield Wanted(
            action=DataAction.JOBS_DELETE,
            why="deletes the job after its end",
            argument="cleanup",
            widest=_is_unknown(cleanup),
        )
    auto_pool = _auto_pool_of(arguments.get("job"))
    if auto_pool is None or _is_unknown(auto_pool):
        yield Wanted(
            action=Action.POOLS_READ,
            why="says in the log why the pool runs nothing of the job",
            optional=True,
        )
    if auto_pool is not None:
        yield Wanted(
            action=Action.POOLS_WRITE,
            why="has Batch make a pool for the job",
            argument="job",
            widest=_is_unknown(auto_pool),
        )


def elsewhere_by_submit_job(arguments: Mapping[str, Any]) -> Iterator[RoleElsewhere]:
    """What it wants of storage."""
    outputs = arguments.get("outputs")
    if isinstance(outputs, Mapping) and outputs.get("read_back", True):
        at = str(outputs.get("container_url"))
    elif _is_unknown(outputs):
        at = "the container that is known only at run time, if one is named"
    else:
        return
    yield RoleElsewhere(role=READER_ROLE, at=at, why="reads results back", argument="outputs")


def _auto_pool_of(job: object) -> object | None:
    found: object | None = job
    for names in (_POOL_INFO, _AUTO_POOL):
        if found is None or _is_unknown(found):
            break
        found = _first(found, names)
    return found


def _first(holder: object, names: tuple[str, str]) -> object | None:
    for name in names:
        # azure-batch's models are mappings as well, of the names on the wire.
        found: object = holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
        if found is not None:
            return found
    return None


def _is_unknown(value: object) -> bool:
    if value is UNKNOWN or hasattr(value, "resolve"):  # what another task returns, in Airflow
        return True
    return isinstance(value, str) and any(marker in value for marker in _MARKERS)
