"""Role assignments, deny assignments and the caller's permissions, as Resource Manager gives them.

Assumed, since no public log shows it: that ``permissions`` needs
``Microsoft.Authorization/permissions/read``, that a role outside of its assignable scopes is one that does
not exist, and the refusal of conditions, which local Azure cannot evaluate.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.access import (
    DenyAssignment,
    RoleAssignment,
    is_at_or_below,
    is_management_group,
)
from airflow_provider_batchad.local.management import errors
from airflow_provider_batchad.local.management.definitions import definition_id, find_role, read_guid
from airflow_provider_batchad.local.management.errors import ManagementRefused
from airflow_provider_batchad.local.management.role_json import permission_to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from airflow_provider_batchad.local.access import Role
    from airflow_provider_batchad.local.management.exchange import ManagementExchange

_READ: Final = "Microsoft.Authorization/roleAssignments/read"
_WRITE: Final = "Microsoft.Authorization/roleAssignments/write"
_DELETE: Final = "Microsoft.Authorization/roleAssignments/delete"
_READ_DENIALS: Final = "Microsoft.Authorization/denyAssignments/read"
_READ_PERMISSIONS: Final = "Microsoft.Authorization/permissions/read"
_FILTER: Final = re.compile(r"(?:principalId eq|assignedTo\()\s*'(?P<id>[^']+)'\)?", re.IGNORECASE)
_AT_SCOPE: Final = "atscope()"
_TYPES: Final = ("User", "Group", "ServicePrincipal", "ForeignGroup", "Device")
_EVERYBODY: Final = "00000000-0000-0000-0000-000000000000"


class Assignments:
    """Who has which role, and who is denied what.

    :param knows_principal: whether the directory has a principal with this object ID.
    :param started: when the assignments were made that were there from the start, in seconds since 1970.
    """

    def __init__(self, knows_principal: Callable[[str], bool], *, started: float) -> None:
        self._knows_principal = knows_principal
        self._started = started

    async def list_permissions(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET {scope}/…/permissions``: the caller's own, an element for each of its roles."""
        exchange.require(_READ_PERMISSIONS)
        exchange.check_scope()
        held = exchange.roles.permissions(exchange.principal.object_id, scope=exchange.scope)
        unconditional = {"condition": None, "conditionVersion": None}
        value = [{**permission_to_json(one), **unconditional} for one in held]
        return exchange.answer({"value": value, "nextLink": None})

    async def list_assignments(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET {scope}/…/roleAssignments``: at the scope and above, and below it but for ``atScope()``."""
        exchange.require(_READ)
        exchange.check_scope()
        at_scope, principal_id = _read_filter(exchange.request.query.get("$filter", ""))
        found = [
            one
            for one in exchange.roles.assignments(principal_id=principal_id)
            if is_at_or_below(exchange.scope, one.scope)
            or (not at_scope and is_at_or_below(one.scope, exchange.scope))
        ]
        return exchange.answer({"value": [self._show(one) for one in found], "nextLink": None})

    async def get_assignment(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET {scope}/…/roleAssignments/{name}``."""
        exchange.require(_READ)
        exchange.check_scope()
        found = _find(exchange)
        if found is None:
            name = exchange.part("name")
            raise ManagementRefused(
                404, "RoleAssignmentNotFound", f"The role assignment '{name}' is not found."
            )
        return exchange.answer(self._show(found))

    async def put_assignment(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``PUT {scope}/…/roleAssignments/{name}``: 201, or 200 where it is there already, the same."""
        exchange.require(_WRITE)
        exchange.check_scope()
        name = read_guid(exchange.part("name"), "role assignment")
        wanted = self._read(exchange, name, await exchange.body())
        for one in exchange.roles.assignments(principal_id=wanted.principal_id):
            is_same = one.role_id == wanted.role_id and _same(one.scope, wanted.scope)
            if one.id == name and is_same:
                return exchange.answer(self._show(one))
            if is_same:
                raise ManagementRefused(409, "RoleAssignmentExists", "The role assignment already exists.")
        if any(one.id == name for one in exchange.roles.assignments()):
            raise errors.bad_request(
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            )
        return exchange.answer(self._show(exchange.roles.add_assignment(wanted)), status=201)

    async def delete_assignment(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``DELETE {scope}/…/roleAssignments/{name}``: 204 where there was none."""
        exchange.require(_DELETE)
        exchange.check_scope()
        found = _find(exchange)
        if found is None:
            return exchange.empty(204)
        exchange.roles.unassign(found.id)
        return exchange.answer(self._show(found))

    async def list_denials(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET {scope}/…/denyAssignments``; the filters are those of role assignments."""
        exchange.require(_READ_DENIALS)
        exchange.check_scope()
        at_scope, principal_id = _read_filter(exchange.request.query.get("$filter", ""))
        found = [
            one
            for one in exchange.roles.denials()
            if (
                is_at_or_below(exchange.scope, one.scope)
                or (not at_scope and is_at_or_below(one.scope, exchange.scope))
            )
            and (principal_id is None or one.concerns(principal_id))
        ]
        return exchange.answer({"value": [_show_denial(one) for one in found], "nextLink": None})

    async def get_denial(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET {scope}/…/denyAssignments/{id}``."""
        exchange.require(_READ_DENIALS)
        exchange.check_scope()
        name = exchange.part("name")
        for one in exchange.roles.denials():
            if one.id == name and is_at_or_below(exchange.scope, one.scope):
                return exchange.answer(_show_denial(one))
        raise ManagementRefused(404, "DenyAssignmentNotFound", f"The deny assignment '{name}' is not found.")

    def _show(self, one: RoleAssignment) -> dict[str, Any]:
        return _show(one, created_at=self._started if one.created is None else one.created)

    def _read(self, exchange: ManagementExchange, name: str, body: dict[str, Any]) -> RoleAssignment:
        properties = body.get("properties")
        given = properties if isinstance(properties, dict) else {}
        role_id, principal_id = given.get("roleDefinitionId"), given.get("principalId")
        if not isinstance(role_id, str) or not isinstance(principal_id, str):
            raise errors.bad_request(
                "InvalidCreateRoleAssignmentRequest",
                "The request is missing the required properties roleDefinitionId and principalId.",
            )
        role = find_role(exchange, role_id.rpartition("/")[2])
        _check_role(exchange, role)
        self._check_principal(exchange, principal_id, given.get("principalType"))
        if given.get("condition"):
            raise errors.bad_request(
                "InvalidCreateRoleAssignmentRequest", "Conditions of role assignments are not supported."
            )
        return RoleAssignment(
            id=name,
            principal_id=principal_id,
            role_id=role.id,
            scope=exchange.scope or "/",
            principal_type=given.get("principalType") or "ServicePrincipal",
            description=given.get("description"),
            created=exchange.now(),
            created_by=exchange.principal.object_id,
        )

    def _check_principal(self, exchange: ManagementExchange, object_id: str, kind: object) -> None:
        if kind is not None and kind not in _TYPES:
            raise errors.bad_request("InvalidPrincipalType", f"The principal type '{kind}' is not valid.")
        if self._knows_principal(object_id):
            return
        tenant = exchange.config.tenant.id.replace("-", "")
        raise errors.bad_request(
            "PrincipalNotFound",
            f"Principal {object_id.replace('-', '')} does not exist in the directory {tenant}. Check that "
            "you have the correct principal ID. If you are creating this principal and then immediately "
            "assigning a role, this error might be related to a replication delay. In this case, set the "
            "role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  "
            "See https://aka.ms/docs-principaltype",
        )


def _check_role(exchange: ManagementExchange, role: Role) -> None:
    has_data = any(one.data_actions for one in role.permissions)
    if role.custom and has_data and is_management_group(exchange.scope):
        raise errors.bad_request(
            "InvalidCreateRoleAssignmentRequest",
            "Role assignments to Management Groups can not be made to custom role definitions with "
            "DataActions",
        )


def _find(exchange: ManagementExchange) -> RoleAssignment | None:
    name = exchange.part("name").casefold()
    for one in exchange.roles.assignments():
        if one.id.casefold() == name and _same(one.scope, exchange.scope):
            return one
    return None


def _same(scope: str, other: str) -> bool:
    return scope.casefold().rstrip("/") == other.casefold().rstrip("/")


def _read_filter(text: str) -> tuple[bool, str | None]:
    at_scope, principal_id = False, None
    for part in filter(None, re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE)):
        found = _FILTER.fullmatch(part)
        if part.casefold() == _AT_SCOPE:
            at_scope = True
        elif found is not None:
            principal_id = found["id"]
        else:
            raise errors.bad_request("InvalidFilter", f"The filter '{text}' is not supported.")
    return at_scope, principal_id


def _show(one: RoleAssignment, *, created_at: float) -> dict[str, Any]:
    created = datetime.fromtimestamp(created_at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    scope = one.scope if one.scope != "/" else ""
    return {
        "properties": {
            "roleDefinitionId": definition_id(one.role_id, one.scope),
            "principalId": one.principal_id,
            "principalType": one.principal_type,
            "scope": one.scope,
            "condition": None,
            "conditionVersion": None,
            "createdOn": created,
            "updatedOn": created,
            "createdBy": one.created_by,
            "updatedBy": one.created_by,
            "delegatedManagedIdentityResourceId": None,
            "description": one.description,
        },
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{one.id}",
        "type": "Microsoft.Authorization/roleAssignments",
        "name": one.id,
    }


def _show_denial(one: DenyAssignment) -> dict[str, Any]:
    principals = one.principals or (_EVERYBODY,)
    kind = "ServicePrincipal" if one.principals else "SystemDefined"
    scope = one.scope if one.scope != "/" else ""
    return {
        "properties": {
            "denyAssignmentName": one.name,
            "description": one.description,
            "permissions": [permission_to_json(permission) for permission in one.permissions],
            "scope": one.scope,
            "doNotApplyToChildScopes": not one.below,
            "principals": [{"id": principal, "type": kind} for principal in principals],
            "excludePrincipals": [{"id": each, "type": "ServicePrincipal"} for each in one.excluded],
            "isSystemProtected": True,
        },
        "id": f"{scope}/providers/Microsoft.Authorization/denyAssignments/{one.id}",
        "type": "Microsoft.Authorization/denyAssignments",
        "name": one.id,
    }
