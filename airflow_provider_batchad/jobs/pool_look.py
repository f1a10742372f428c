"""Why a pool runs nothing of a job: what its nodes, its last resize and its formula say.

Batch keeps the tasks queued whatever becomes of the pool, so nothing of this ends a job: pools are resized,
mended and made anew while jobs wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from airflow_provider_batchad.errors import NotFound
from airflow_provider_batchad.jobs.pool_codes import pool_meaning_of
from airflow_provider_batchad.jobs.redaction import redact_signatures
from airflow_provider_batchad.jobs.rest import BatchRequest, Steps, ask

_MAY_RUN: Final = (
    "creating",
    "idle",
    "rebooting",
    "reimaging",
    "running",
    "starting",
    "upgradingOS",
    "waitingForStartTask",
)
_POOL_FIELDS: Final = (
    "id,state,allocationState,targetDedicatedNodes,targetLowPriorityNodes,enableAutoScale,"
    "resizeErrors,autoScaleRun"
)
_NODES_LOOKED_AT: Final = 10


def why_unable(pool_id: str) -> Steps[str | None]:
    """What is wrong with the pool and what to do, in sentences; ``None`` for one that can run tasks.

    One request for a pool with a node that can run tasks or will be able to; up to three for another.
    Source: `pool and node errors <https://learn.microsoft.com/azure/batch/batch-pool-node-error-checking>`__.

    :raises PermissionDenied: the principal's role lacks ``pools/read``.
    """
    counts = yield from _count_nodes(pool_id)
    if any(counts.get(state) for state in _MAY_RUN):
        return None
    try:
        pool = (yield from ask(_get_pool(pool_id))).json()
    except NotFound:
        return f"Pool {pool_id!r} is not there. Create it, or the job waits for ever."
    if str(pool.get("state")).casefold() == "deleting":
        return f"Pool {pool_id!r} is being deleted. Create it anew, or the job waits for ever."
    said = [*_of_resize(pool), *_of_formula(pool)]
    there = {state: count for state, count in counts.items() if count and state != "total"}
    if there:
        nodes = yield from _look_at_nodes(pool_id)
        said = [_of_counts(there), *_of_nodes(nodes), *said]
    elif not said and _is_to_be_empty(pool):
        said = ["It has no nodes and is told to have none: resize it, or let a formula scale it."]
    return f"Pool {pool_id!r} can run nothing. {' '.join(said)}" if said else None


def _count_nodes(pool_id: str) -> Steps[dict[str, int]]:
    where = "poolId eq '{}'".format(pool_id.replace("'", "''"))
    request = BatchRequest(
        operation="List Pool Node Counts", method="GET", path="/nodecounts", query={"$filter": where}
    )
    counts: dict[str, int] = {}
    for pool in (yield from ask(request)).json().get("value") or ():
        for kind in ("dedicated", "lowPriority"):
            for state, count in (pool.get(kind) or {}).items():
                counts[state] = counts.get(state, 0) + int(count)
    return counts


def _look_at_nodes(pool_id: str) -> Steps[list[dict[str, Any]]]:
    query = {"maxresults": str(_NODES_LOOKED_AT), "$select": "id,state,startTaskInfo,errors"}
    request = BatchRequest(
        operation="List Nodes", method="GET", path=f"/pools/{_quoted(pool_id)}/nodes", query=query
    )
    try:
        return list((yield from ask(request)).json().get("value") or ())
    except NotFound:
        return []


def _get_pool(pool_id: str) -> BatchRequest:
    path, query = f"/pools/{_quoted(pool_id)}", {"$select": _POOL_FIELDS}
    return BatchRequest(operation="Get Pool", method="GET", path=path, query=query)


def _of_counts(there: Mapping[str, int]) -> str:
    counted = ", ".join(f"{count} {state}" for state, count in sorted(there.items()))
    return f"None of its {sum(there.values())} node(s) can run a task ({counted})."


def _of_nodes(nodes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The first node with a failed start task, and the first with each kind of other error."""
    seen: set[str] = set()
    for node in nodes:
        start = node.get("startTaskInfo") or {}
        failure = start.get("failureInfo") or {}
        if str(start.get("result")).casefold() == "failure" and "start task" not in seen:
            seen.add("start task")
            code = f" (exit code {start['exitCode']})" if start.get("exitCode") is not None else ""
            yield f"The start task failed on node {node.get('id')}{code}{_said(failure)}."
            yield "Read its stderr.txt in the node's startup folder, mend it, and reboot the nodes."
        for error in node.get("errors") or ():
            code = str(error.get("code"))
            if code not in seen and not (code.casefold() == "starttaskfailed" and "start task" in seen):
                seen.add(code)
                yield f"Node {node.get('id')}: {_explained(error)}"


def _of_resize(pool: Mapping[str, Any]) -> Iterator[str]:
    for error in pool.get("resizeErrors") or ():
        yield f"Its last resize failed: {_explained(error)}"


def _of_formula(pool: Mapping[str, Any]) -> Iterator[str]:
    error = (pool.get("autoScaleRun") or {}).get("error")
    if error:
        yield f"Its formula for scaling fails: {_explained(error)}"


def _explained(error: Mapping[str, Any]) -> str:
    meaning = pool_meaning_of(error.get("code"))
    advice = f" {meaning.advice}" if meaning is not None else ""
    return f"{error.get('code')}{_said(error)}.{advice}"


def _said(error: Mapping[str, Any]) -> str:
    """The service's own words."""
    message = error.get("message")
    text = message.get("value") if isinstance(message, Mapping) else message
    details = [
        str(one.get("value"))
        for one in (error.get("values") or error.get("details") or ())
        if one.get("name") in ("Message", "Reason")
    ]
    words = "; ".join(" ".join(str(part).split()).rstrip(".") for part in (text, *details) if part)
    return f": {redact_signatures(words)}" if words else ""


def _is_to_be_empty(pool: Mapping[str, Any]) -> bool:
    targets = (pool.get("targetDedicatedNodes"), pool.get("targetLowPriorityNodes"))
    return not (pool.get("enableAutoScale") or any(targets))


def _quoted(pool_id: str) -> str:
    return quote(pool_id, safe="")
