"""Role definitions of the simulated Resource Manager, and what Azure demands of a custom one.

Documented ("Azure custom roles"): the root scope, wildcards, resources and a second management group are
refused as assignable scopes, and names are unique in the tenant. Codes and texts that no public log shows are
assumed: ``InvalidAssignableScope``, ``InvalidRoleDefinition``, ``BuiltInRoleUpdateNotAllowed``.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.access import Permission, Role, is_at_or_below, is_management_group
from airflow_provider_batchad.local.management import errors
from airflow_provider_batchad.local.management.errors import ManagementRefused
from airflow_provider_batchad.local.management.role_json import role_from_json, role_to_json

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.management.exchange import ManagementExchange

_READ: Final = "Microsoft.Authorization/roleDefinitions/read"
_WRITE: Final = "Microsoft.Authorization/roleDefinitions/write"
_DELETE: Final = "Microsoft.Authorization/roleDefinitions/delete"
_ASSIGNABLE: Final = re.compile(
    r"/subscriptions/[0-9a-f-]{36}(/resourcegroups/[^/*]+)?"
    r"|/providers/microsoft\.management/managementgroups/[^/*]+",
    re.IGNORECASE,
)
_FILTER: Final = re.compile(r"roleName eq '(?P<name>(?:[^']|'')*)'|type eq '(?P<type>\w+)'", re.IGNORECASE)
_BELOW: Final = "atscopeandbelow()"
_BATCH: Final = "microsoft.batch/"
# "Azure permissions for Compute": all data actions that the Batch service has.
_BATCH_DATA_ACTIONS: Final = tuple(
    f"Microsoft.Batch/batchAccounts/{kind}/{verb}"
    for kind in ("jobs", "jobSchedules")
    for verb in ("read", "write", "delete")
)


class RoleDefinitions:
    """Reads and writes of role definitions."""

    async def list_definitions(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET {scope}/…/roleDefinitions``: those that can be assigned at the scope."""
        exchange.require(_READ)
        exchange.check_scope()
        below, wanted = _read_filter(exchange.request.query.get("$filter", ""))
        found = [
            role
            for role in exchange.roles.roles()
            if (is_assignable(role, exchange.scope) or (below and _is_assignable_below(role, exchange.scope)))
            and (wanted.get("name") is None or role.name.casefold() == wanted["name"].casefold())
            and (wanted.get("type") is None or _type_of(role).casefold() == wanted["type"].casefold())
        ]
        return exchange.answer({"value": [_show(role, exchange) for role in found]})

    async def get_definition(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET {scope}/…/roleDefinitions/{id}``."""
        exchange.require(_READ)
        exchange.check_scope()
        return exchange.answer(_show(find_role(exchange, exchange.part("name")), exchange))

    async def put_definition(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``PUT {scope}/…/roleDefinitions/{id}``: a custom role, new or changed."""
        exchange.require(_WRITE)
        exchange.check_scope()
        guid = read_guid(exchange.part("name"), "role definition")
        body = await exchange.body()
        try:
            role = replace(role_from_json({"properties": {}, **body}), id=guid)
        except (TypeError, ValueError) as error:
            raise errors.bad_request("InvalidRoleDefinition", str(error)) from None
        _check_definition(exchange, role)
        for scope in role.assignable_scopes:
            exchange.require(_WRITE, scope)
        exchange.roles.define(role)
        return exchange.answer(_show(role, exchange), status=201)

    async def delete_definition(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``DELETE {scope}/…/roleDefinitions/{id}``: 204 where there was none."""
        exchange.require(_DELETE)
        exchange.check_scope()
        try:
            role = find_role(exchange, exchange.part("name"))
        except ManagementRefused:
            return exchange.empty(204)
        if not role.custom:
            raise _built_in()
        if any(one.role_id == role.id for one in exchange.roles.assignments()):
            raise errors.bad_request(
                "RoleDefinitionHasAssignments", "There are existing role assignments referencing role."
            )
        shown = _show(role, exchange)
        exchange.roles.remove_role(role.id)
        return exchange.answer(shown)


def find_role(exchange: ManagementExchange, role_id: str) -> Role:
    """The role with this id, if it can be assigned at the scope of the path.

    :raises ManagementRefused: 404.
    """
    for role in exchange.roles.roles():
        if role.id.casefold() == role_id.casefold() and is_assignable(role, exchange.scope):
            return role
    raise ManagementRefused(
        404,
        "RoleDefinitionDoesNotExist",
        f"The specified role definition with ID '{role_id}' does not exist.",
    )


def definition_id(role_id: str, scope: str) -> str:
    """The resource ID of a role definition, as it is seen from a scope: a subscription's stands below it."""
    parts = scope.split("/")
    prefix = "/".join(parts[:3]) if scope.casefold().startswith("/subscriptions/") else ""
    return f"{prefix}/providers/Microsoft.Authorization/roleDefinitions/{role_id}"


def is_assignable(role: Role, scope: str) -> bool:
    """Whether a role can be assigned at a scope."""
    return any(is_at_or_below(scope, one) for one in role.assignable_scopes)


def read_guid(text: str, what: str) -> str:
    """A GUID in the form that Azure gives it in.

    :raises ManagementRefused: 400.
    """
    try:
        return str(uuid.UUID(text))
    except ValueError:
        code = f"Invalid{what.title().replace(' ', '')}Id"
        text = f"The {what} ID '{text}' is not valid. The {what} ID must be a GUID."
        raise errors.bad_request(code, text) from None


def _check_definition(exchange: ManagementExchange, role: Role) -> None:
    known = {one.id: one for one in exchange.roles.roles()}
    if role.id in known and not known[role.id].custom:
        raise _built_in()
    if any(one.name.casefold() == role.name.casefold() and one.id != role.id for one in known.values()):
        raise ManagementRefused(
            409,
            "RoleDefinitionWithSameNameExists",
            "A role definition cannot be updated with a name that already exists.",
        )
    if not role.assignable_scopes:
        raise errors.bad_request("InvalidRoleDefinition", "The role definition has no assignableScopes.")
    for scope in role.assignable_scopes:
        if _ASSIGNABLE.fullmatch(scope) is None:
            raise errors.bad_request(
                "InvalidAssignableScope",
                f"'{scope}' cannot be an assignable scope of a custom role: it must be a management group, a "
                "subscription or a resource group, without a wildcard.",
            )
    if sum(is_management_group(scope) for scope in role.assignable_scopes) > 1:
        raise errors.bad_request(
            "InvalidAssignableScope", "Only one management group can be an assignable scope of a custom role."
        )
    for permission in role.permissions:
        _check_actions(permission)


def _check_actions(permission: Permission) -> None:
    data = Permission(data_actions=_BATCH_DATA_ACTIONS)
    for one in (*permission.actions, *permission.not_actions):
        if data.allows_data_action(one):
            raise _unknown_action("InvalidActionOrNotAction", one)
    for one in (*permission.data_actions, *permission.not_data_actions):
        pattern = Permission(data_actions=(one,))
        is_batch = one.casefold().startswith(_BATCH)
        if is_batch and not any(pattern.allows_data_action(known) for known in _BATCH_DATA_ACTIONS):
            raise _unknown_action("InvalidDataActionOrNotDataAction", one)


def _unknown_action(code: str, action: str) -> ManagementRefused:
    return errors.bad_request(
        code, f"'{action}' does not match any of the actions supported by the providers."
    )


def _built_in() -> ManagementRefused:
    return ManagementRefused(403, "BuiltInRoleUpdateNotAllowed", "A built-in role cannot be changed.")


def _is_assignable_below(role: Role, scope: str) -> bool:
    return any(is_at_or_below(one, scope or "/") for one in role.assignable_scopes)


def _read_filter(text: str) -> tuple[bool, dict[str, str]]:
    below, wanted = False, dict[str, str]()
    for part in filter(None, re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE)):
        found = _FILTER.fullmatch(part)
        if part.casefold() == _BELOW:
            below = True
        elif found is not None:
            wanted |= {
                key: one.replace("''", "'") for key, one in found.groupdict().items() if one is not None
            }
        else:
            raise errors.bad_request("InvalidFilter", f"The filter '{text}' is not supported.")
    return below, wanted


def _type_of(role: Role) -> str:
    return "CustomRole" if role.custom else "BuiltInRole"


def _show(role: Role, exchange: ManagementExchange) -> dict[str, object]:
    return {**role_to_json(role), "id": definition_id(role.id, exchange.scope)}
