"""Pools for jobs to run on: made, resized and deleted, each safe to repeat after a lost answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from airflow_provider_batchad.errors import Conflict, NotFound
from airflow_provider_batchad.jobs.requests import dump
from airflow_provider_batchad.jobs.rest import JSON_CONTENT_TYPE, BatchRequest, Steps, ask
from airflow_provider_batchad.jobs.schema import SpecificationError, to_rest

# Says from which specification a pool was made.
DIGEST_KEY: Final = "airflow_digest"
IfAllowed: TypeAlias = Callable[[Steps[dict[str, Any] | None]], Steps[dict[str, Any] | None]]

_TARGETS: Final = ("targetDedicatedNodes", "targetLowPriorityNodes")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """A pool as the REST API takes it.

    :param body: with a metadata item that holds the digest of the rest.
    """

    id: str
    body: Mapping[str, Any]
    digest: str


def build_pool(pool: object) -> PoolSpec:
    """An author's pool, checked.

    :param pool: the fields of ``Create Pool`` in snake case, or one of azure-batch's models.
    :raises SpecificationError: names the path of what is wrong, such as ``pool.vm_size``.
    """
    body = to_rest("BatchPoolCreateOptions", pool, "pool")
    metadata = body.pop("metadata", [])
    if any(item["name"] == DIGEST_KEY for item in metadata):
        raise SpecificationError("pool.metadata", f"{DIGEST_KEY!r} is this package's: choose another name")
    digest = hashlib.sha256(dump([body, metadata])).hexdigest()[:16]
    mine = [*metadata, {"name": DIGEST_KEY, "value": digest}]
    return PoolSpec(id=body["id"], body={**body, "metadata": mine}, digest=digest)


def create_pool(spec: PoolSpec, if_allowed: IfAllowed) -> Steps[bool]:
    """Create Pool; whether it was made, and not there already from the same specification.

    Source: https://learn.microsoft.com/rest/api/batchservice/pools/create-pool

    :param if_allowed: the look at a pool that is there, or ``None`` where the role does not allow it.
    :raises Conflict: a pool of that id is there, made from another specification or by somebody else.
    """
    try:
        yield from ask(_post("Create Pool", "/pools", spec.body))
    except Conflict as error:
        if not error.is_code("PoolExists"):
            raise
        found = yield from if_allowed(_look(spec.id, "id,metadata"))
        if found is None:
            # It is gone by now, or may not be looked at: then the refusal is all that is known.
            raise
        made = {item.get("name"): item.get("value") for item in found.get("metadata") or ()}
        if made.get(DIGEST_KEY) != spec.digest:
            remedy = "Give it another id, or delete the pool that is there."
            raise _other(error, f"A pool {spec.id!r} is there, and is not this one.", remedy) from None
        return False
    return True


def resize_pool(pool_id: str, targets: Mapping[str, Any], if_allowed: IfAllowed) -> Steps[bool]:
    """Resize Pool; whether it was asked for, and the pool was not of that size already.

    Source: https://learn.microsoft.com/rest/api/batchservice/pools/resize-pool

    :param targets: the body: ``targetDedicatedNodes``, ``targetLowPriorityNodes``, ….
    :param if_allowed: the look at the pool, or ``None`` where the role does not allow it.
    :raises Conflict: it is being resized to another size, or follows a formula.
    """
    try:
        yield from ask(_post("Resize Pool", f"{_path(pool_id)}/resize", targets))
    except Conflict as error:
        found = yield from if_allowed(_look(pool_id, ",".join(_TARGETS)))
        if found is None:
            raise
        if any(found.get(name) != targets[name] for name in _TARGETS if name in targets):
            remedy = "Try again when it is steady; give the Airflow task retries for that."
            raise _other(error, f"Pool {pool_id!r} is not of this size.", remedy) from None
        return False
    return True


def delete_pool(pool_id: str) -> Steps[bool]:
    """Delete Pool; whether it was there.

    Source: https://learn.microsoft.com/rest/api/batchservice/pools/delete-pool
    """
    try:
        yield from ask(BatchRequest(operation="Delete Pool", method="DELETE", path=_path(pool_id)))
    except NotFound:
        return False
    except Conflict as error:
        if not error.is_code("PoolBeingDeleted"):
            raise
    return True


def _look(pool_id: str, select: str) -> Steps[dict[str, Any] | None]:
    request = BatchRequest(operation="Get Pool", method="GET", path=_path(pool_id), query={"$select": select})
    try:
        found: dict[str, Any] = (yield from ask(request)).json()
    except NotFound:
        return None
    return found


def _other(refused: Conflict, message: str, remedy: str) -> Conflict:
    return Conflict(
        f"{refused.message} {message}",
        operation=refused.operation,
        status=refused.status,
        code=refused.code,
        request_id=refused.request_id,
        details=refused.details,
        remedy=remedy,
    )


def _path(pool_id: str) -> str:
    return f"/pools/{quote(pool_id, safe='')}"


def _post(operation: str, path: str, body: Mapping[str, Any]) -> BatchRequest:
    headers = {"Content-Type": JSON_CONTENT_TYPE}
    return BatchRequest(operation=operation, method="POST", path=path, body=dump(body), headers=headers)
