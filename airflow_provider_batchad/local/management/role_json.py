"""Role definitions in the two JSON forms that Azure has: its REST interface's and the Azure CLI's."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from airflow_provider_batchad.local.access import Permission, Role


def role_from_json(document: Mapping[str, Any]) -> Role:
    """A custom role, from ``{"properties": {"roleName": …}}`` or from ``{"Name": …, "Actions": […]}``.

    Keys are compared without case, as Azure does.

    :raises ValueError: it is neither.
    :raises TypeError: it is no JSON object.
    """
    outer = _lowered(document)
    properties = _lowered(outer["properties"]) if "properties" in outer else outer
    name = properties.get("rolename") or properties.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError("a role definition needs a roleName (or, in the Azure CLI's form, a Name)")
    listed = properties.get("permissions") or [properties]
    permissions = tuple(_permission_from_json(_lowered(one)) for one in listed)
    if not any(one.actions or one.data_actions for one in permissions):
        raise ValueError(f"role {name!r} has neither actions nor dataActions")
    given = outer.get("name") if "properties" in outer else outer.get("id")
    return Role(
        id=str(given) if _is_guid(given) else str(uuid.uuid4()),
        name=name,
        description=str(properties.get("description") or ""),
        permissions=permissions,
        custom=True,
        assignable_scopes=_strings(properties.get("assignablescopes")),
    )


def role_to_json(role: Role) -> dict[str, Any]:
    """The REST interface's form."""
    return {
        "id": f"/providers/Microsoft.Authorization/roleDefinitions/{role.id}",
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": role.id,
        "properties": {
            "roleName": role.name,
            "type": "CustomRole" if role.custom else "BuiltInRole",
            "description": role.description,
            "assignableScopes": list(role.assignable_scopes),
            "permissions": [permission_to_json(one) for one in role.permissions],
        },
    }


def permission_to_json(one: Permission) -> dict[str, Any]:
    """One element of ``permissions``."""
    return {
        "actions": list(one.actions),
        "notActions": list(one.not_actions),
        "dataActions": list(one.data_actions),
        "notDataActions": list(one.not_data_actions),
    }


def _permission_from_json(element: Mapping[str, Any]) -> Permission:
    return Permission(
        actions=_strings(element.get("actions")),
        not_actions=_strings(element.get("notactions")),
        data_actions=_strings(element.get("dataactions")),
        not_data_actions=_strings(element.get("notdataactions")),
    )


def _strings(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("actions and scopes of a role definition must be lists of strings")
    return tuple(value)


def _lowered(document: object) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise TypeError("a role definition must be a JSON object")
    return {str(key).casefold(): value for key, value in document.items()}


def _is_guid(value: object) -> bool:
    try:
        uuid.UUID(str(value))
    except ValueError:
        return False
    return True
