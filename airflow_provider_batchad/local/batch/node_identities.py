"""Who a node is to storage: the user-assigned identities of its pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.index import IdIndex
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.pool import Pool

_VERSION: Final = "2022-11-02"


class IdentityRefused(Exception):
    """The node has no such identity, or its token would go to a stranger; says which."""


class NodeIdentities:
    """Tokens for the identities of pools.

    :param storage_url: the one service that they are sent to.
    :param token_of: makes one by the identity's resource ID; ``None`` where there is no such identity.
    """

    def __init__(
        self, pools: IdIndex[Pool], *, storage_url: str, token_of: Callable[[str], str | None]
    ) -> None:
        self._pools = pools
        self._storage_url = storage_url
        self._token_of = token_of

    def headers(self, node: Node, url: str, reference: Mapping[str, Any] | None) -> dict[str, str]:
        """What a request to a URL carries beside its own headers.

        :param reference: ``identityReference`` of a file; without one, the URL has to do.
        :raises IdentityRefused: the node is not to send a token there.
        """
        if reference is None:
            return {}
        resource_id = str(reference.get("resourceId"))
        if not url.startswith(f"{self._storage_url}/"):
            raise IdentityRefused("Identities of nodes are for the storage of local Azure alone")
        pool = self._pools.get(node.pool_id)
        held = pool.properties.get("identity", {}).get("userAssignedIdentities", ()) if pool else ()
        is_held = any(one["resourceId"].casefold() == resource_id.casefold() for one in held)
        token = self._token_of(resource_id) if is_held else None
        if token is None:
            raise IdentityRefused(f"The pool does not have the identity {resource_id}")
        return {"Authorization": f"Bearer {token}", "x-ms-version": _VERSION}
