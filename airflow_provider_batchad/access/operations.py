"""The catalogue: every operation of the Batch service (API version 2025-06-01), and what each needs.

Microsoft documents what each action is for, and which are data actions; for tasks, files and nodes, which
have none of their own, and for most calls, which action a call needs follows from its resource and its verb.
Each row says whether it is documented or inferred so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote

from airflow_provider_batchad.access.actions import Action, AnyAction, DataAction, Need
from airflow_provider_batchad.access.bodies import asks_for_auto_pool

PERMISSIONS: Final = "https://learn.microsoft.com/azure/role-based-access-control/permissions/compute"
ROLES_OF_BATCH: Final = "https://learn.microsoft.com/azure/batch/batch-role-based-access-control"


class Basis(StrEnum):
    """How a row of the catalogue is known."""

    DOCUMENTED = "documented"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the service.

    :param name: in the words of the REST reference, such as ``Create Job``.
    :param path: below the account URL, ``{}`` for what varies.
    :param need: what it needs; :func:`need_of` adds what a body asks for.
    :param source: the document that says so, or from which it follows.
    """

    name: str
    method: str
    path: str
    need: Need
    basis: Basis
    source: str


def _rows(basis: Basis, source: str, need: Need, *lines: str) -> tuple[Operation, ...]:
    found = []
    for line in lines:
        name, request = line.split(": ")
        method, path = request.split(" ")
        found.append(Operation(name=name, method=method, path=path, need=need, basis=basis, source=source))
    return tuple(found)


def _documented(need: AnyAction, *lines: str) -> tuple[Operation, ...]:
    return _rows(Basis.DOCUMENTED, PERMISSIONS, Need.of(need), *lines)


def _inferred(need: Need | AnyAction, *lines: str) -> tuple[Operation, ...]:
    return _rows(Basis.INFERRED, PERMISSIONS, need if isinstance(need, Need) else Need.of(need), *lines)


OPERATIONS: Final[tuple[Operation, ...]] = (
    *_documented(DataAction.JOBS_READ, "List Jobs: GET /jobs", "Get Job: GET /jobs/{}"),
    *_inferred(
        DataAction.JOBS_READ,
        "Get Job Task Counts: GET /jobs/{}/taskcounts",
        "List Job Preparation And Release Task Status: GET /jobs/{}/jobpreparationandreleasetaskstatus",
        "List Tasks: GET /jobs/{}/tasks",
        "Get Task: GET /jobs/{}/tasks/{}",
        "List Sub Tasks: GET /jobs/{}/tasks/{}/subtasksinfo",
        "List Task Files: GET /jobs/{}/tasks/{}/files",
        "Get Task File: GET /jobs/{}/tasks/{}/files/{}",
        "Get Task File Properties: HEAD /jobs/{}/tasks/{}/files/{}",
    ),
    *_documented(
        DataAction.JOBS_WRITE,
        "Create Job: POST /jobs",
        "Update Job: PATCH /jobs/{}",
        "Replace Job: PUT /jobs/{}",
    ),
    *_inferred(
        DataAction.JOBS_WRITE,
        "Disable Job: POST /jobs/{}/disable",
        "Enable Job: POST /jobs/{}/enable",
        "Terminate Job: POST /jobs/{}/terminate",
        "Create Task: POST /jobs/{}/tasks",
        "Create Task Collection: POST /jobs/{}/addtaskcollection",
        "Replace Task: PUT /jobs/{}/tasks/{}",
        "Terminate Task: POST /jobs/{}/tasks/{}/terminate",
        "Reactivate Task: POST /jobs/{}/tasks/{}/reactivate",
    ),
    *_documented(DataAction.JOBS_DELETE, "Delete Job: DELETE /jobs/{}"),
    # jobs/write is as likely for these two: there is no action for tasks and files.
    *_inferred(
        DataAction.JOBS_DELETE,
        "Delete Task: DELETE /jobs/{}/tasks/{}",
        "Delete Task File: DELETE /jobs/{}/tasks/{}/files/{}",
    ),
    *_documented(
        DataAction.JOB_SCHEDULES_READ,
        "List Job Schedules: GET /jobschedules",
        "Get Job Schedule: GET /jobschedules/{}",
    ),
    *_inferred(DataAction.JOB_SCHEDULES_READ, "Job Schedule Exists: HEAD /jobschedules/{}"),
    # Jobs, read below a schedule: either may turn out to be enough.
    *_inferred(
        Need.of(DataAction.JOB_SCHEDULES_READ, DataAction.JOBS_READ),
        "List Jobs From Schedule: GET /jobschedules/{}/jobs",
    ),
    *_documented(
        DataAction.JOB_SCHEDULES_WRITE,
        "Create Job Schedule: POST /jobschedules",
        "Update Job Schedule: PATCH /jobschedules/{}",
        "Replace Job Schedule: PUT /jobschedules/{}",
    ),
    *_inferred(
        DataAction.JOB_SCHEDULES_WRITE,
        "Disable Job Schedule: POST /jobschedules/{}/disable",
        "Enable Job Schedule: POST /jobschedules/{}/enable",
        "Terminate Job Schedule: POST /jobschedules/{}/terminate",
    ),
    *_documented(DataAction.JOB_SCHEDULES_DELETE, "Delete Job Schedule: DELETE /jobschedules/{}"),
    *_documented(Action.POOLS_READ, "List Pools: GET /pools", "Get Pool: GET /pools/{}"),
    *_inferred(
        Action.POOLS_READ,
        "Pool Exists: HEAD /pools/{}",
        "List Pool Node Counts: GET /nodecounts",
        "List Pool Usage Metrics: GET /poolusagemetrics",
        "List Nodes: GET /pools/{}/nodes",
        "Get Node: GET /pools/{}/nodes/{}",
        "List Node Extensions: GET /pools/{}/nodes/{}/extensions",
        "Get Node Extension: GET /pools/{}/nodes/{}/extensions/{}",
        "List Node Files: GET /pools/{}/nodes/{}/files",
        "Get Node File: GET /pools/{}/nodes/{}/files/{}",
        "Get Node File Properties: HEAD /pools/{}/nodes/{}/files/{}",
        "Get Node Remote Login Settings: GET /pools/{}/nodes/{}/remoteloginsettings",
    ),
    *_documented(
        Action.POOLS_WRITE,
        "Create Pool: POST /pools",
        "Update Pool: PATCH /pools/{}",
        "Replace Pool Properties: POST /pools/{}/updateproperties",
    ),
    *_inferred(
        Action.POOLS_WRITE,
        "Resize Pool: POST /pools/{}/resize",
        "Enable Pool Auto Scale: POST /pools/{}/enableautoscale",
        "Evaluate Pool Auto Scale: POST /pools/{}/evaluateautoscale",
        "Remove Nodes: POST /pools/{}/removenodes",
        "Reboot Node: POST /pools/{}/nodes/{}/reboot",
        "Reimage Node: POST /pools/{}/nodes/{}/reimage",
        "Start Node: POST /pools/{}/nodes/{}/start",
        "Deallocate Node: POST /pools/{}/nodes/{}/deallocate",
        "Disable Node Scheduling: POST /pools/{}/nodes/{}/disablescheduling",
        "Enable Node Scheduling: POST /pools/{}/nodes/{}/enablescheduling",
        "Upload Node Logs: POST /pools/{}/nodes/{}/uploadbatchservicelogs",
        "Create Node User: POST /pools/{}/nodes/{}/users",
        "Replace Node User: PUT /pools/{}/nodes/{}/users/{}",
        "Delete Node User: DELETE /pools/{}/nodes/{}/users/{}",
        "Delete Node File: DELETE /pools/{}/nodes/{}/files/{}",
    ),
    *_documented(Action.POOLS_STOP_RESIZE, "Stop Pool Resize: POST /pools/{}/stopresize"),
    *_documented(Action.POOLS_DISABLE_AUTOSCALE, "Disable Pool Auto Scale: POST /pools/{}/disableautoscale"),
    *_documented(Action.POOLS_DELETE, "Delete Pool: DELETE /pools/{}"),
    *_documented(
        Action.APPLICATIONS_READ,
        "List Applications: GET /applications",
        "Get Application: GET /applications/{}",
    ),
    *_inferred(Action.ACCOUNT_READ, "List Supported Images: GET /supportedimages"),
)

BY_NAME: Final[dict[str, Operation]] = {operation.name: operation for operation in OPERATIONS}

# "Jobs that use autopool require pool-level write permissions" (ROLES_OF_BATCH): where a body says so.
_POOL_INFO: Final[dict[str, tuple[str, ...]]] = {
    "Create Job": ("poolInfo",),
    "Update Job": ("poolInfo",),
    "Replace Job": ("poolInfo",),
    "Create Job Schedule": ("jobSpecification", "poolInfo"),
    "Update Job Schedule": ("jobSpecification", "poolInfo"),
    "Replace Job Schedule": ("jobSpecification", "poolInfo"),
}
AUTO_POOL_ACTION: Final = Action.POOLS_WRITE


def find_operation(method: str, path: str) -> Operation | None:
    """The operation that a request is for; ``None`` for one that the catalogue does not know.

    A path that a client or a proxy on the way would write otherwise (``..``, an empty segment) is none.

    :param path: below the account URL, percent-encoded or not.
    """
    at: Any = _TREE
    segments = path.strip("/").split("/")
    if path.startswith("//") or not _is_plain(segments):
        return None
    for segment in segments:
        below = at.get(segment.casefold()) or at.get(_ANY)
        if below is None:
            # The path of a file may have segments of its own.
            if _REST not in at:
                return None
            break
        at = below
    found: Operation | None = at.get((method,))
    return found


def _is_plain(segments: list[str]) -> bool:
    # urllib3 and yarl take "a/.." out before they send: the service would see another path.
    return not any(_is_moving(segment) for segment in segments)


def _is_moving(segment: str) -> bool:
    if not segment:
        return True
    if "%" in segment:
        segment = unquote(segment)
    return any(part in {".", ".."} for part in segment.replace("\\", "/").split("/"))


def need_of(operation: Operation, body: object = None) -> Need:
    """What a request needs, with what its body asks for.

    :param body: one that cannot be looked at, such as a stream, counts as asking for a pool.
    """
    where = _POOL_INFO.get(operation.name)
    if where is None or not body or not asks_for_auto_pool(body, where):
        return operation.need
    return Need(operation.need.actions | {AUTO_POOL_ACTION}, operation.need.data_actions)


_ANY: Final = object()
_REST: Final = object()


def _grow() -> dict[Any, Any]:
    tree: dict[Any, Any] = {}
    for operation in OPERATIONS:
        at = tree
        for segment in operation.path.strip("/").split("/"):
            at = at.setdefault(_ANY if segment == "{}" else segment, {})
        at[(operation.method,)] = operation
        if operation.path.endswith("/files/{}"):
            at[_REST] = True
    return tree


_TREE: Final = _grow()
