"""One request to Resource Manager in the hands of a handler, and the answers that it can make of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from airflow_provider_batchad.local.access import Requirement, is_at_or_below, is_management_group
from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.json_answer import answer_json
from airflow_provider_batchad.local.management import errors
from airflow_provider_batchad.local.request_body import UnreadableBody, read_json

if TYPE_CHECKING:
    from airflow_provider_batchad.local.access import RoleBook
    from airflow_provider_batchad.local.config import LocalAzureConfig
    from airflow_provider_batchad.local.entra.tokens import Principal

_GROUP: Final = re.compile(r"/subscriptions/[^/]+/resourcegroups/([^/]+)", re.IGNORECASE)
_SUBSCRIPTION: Final = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementExchange:
    """A request and what belongs to it.

    :param scope: the resource ID that the path begins with, without a slash at its end; empty for the root.
    """

    request: web.Request
    principal: Principal
    scope: str
    config: LocalAzureConfig
    roles: RoleBook
    now: Callable[[], float]

    def part(self, name: str) -> str:
        """A placeholder of the path."""
        return self.request.match_info[name]

    def may(self, action: str, scope: str | None = None) -> bool:
        """Whether the principal may do this; at the path's scope by default."""
        where = self.scope if scope is None else scope
        requirement = Requirement(actions=(action,))
        return not self.roles.missing(self.principal.object_id, requirement, scope=where or "/")

    def require(self, action: str, scope: str | None = None) -> None:
        """Refuse who may not.

        :raises ManagementRefused: ``AuthorizationFailed``.
        """
        current_call().requirement = Requirement(actions=(action,))
        if not self.may(action, scope):
            raise errors.authorization_failed(self.principal, action, self.scope if scope is None else scope)

    def check_subscription(self) -> None:
        """Refuse a path into a subscription that there is not."""
        found = _SUBSCRIPTION.match(self.scope)
        if found is not None and found[1].casefold() != self.config.subscription_id.casefold():
            raise errors.subscription_not_found(found[1])

    def check_scope(self) -> None:
        """Refuse a resource group or a resource that there is not."""
        if not self.scope or is_management_group(self.scope) or _SUBSCRIPTION.fullmatch(self.scope):
            return
        group = _GROUP.match(self.scope)
        if group is None:
            raise errors.invalid_resource_type(self.scope.rpartition("/providers/")[2].partition("/")[0], "")
        if group[1].casefold() != self.config.resource_group.casefold():
            raise errors.group_not_found(group[1])
        if group.end() == len(self.scope):
            return
        known = (self.config.account_scope, self.config.vault_scope, self.config.storage_scope)
        if not any(is_at_or_below(self.scope, one) for one in known):
            kind = self.scope[group.end() :].removeprefix("/providers/")
            raise errors.resource_not_found(kind, group[1])

    async def body(self) -> dict[str, Any]:
        """The request's body.

        :raises ManagementRefused: it is no JSON object.
        """
        try:
            body = await read_json(self.request)
        except UnreadableBody:
            body = None
        if not isinstance(body, dict):
            raise errors.bad_request(
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: it is no JSON object.",
            )
        return body

    def answer(self, body: object, *, status: int = 200) -> web.Response:
        """An answer with this body."""
        return answer_json(body, status=status, headers=errors.every_answer())

    def empty(self, status: int) -> web.Response:
        """An answer without one."""
        return web.Response(status=status, headers=errors.every_answer())
