"""A custom role as text: JSON for the Azure CLI and for Resource Manager, Bicep, and Terraform."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_batchad.access.roles import CustomRole

Reasons = Mapping[str, Sequence[str]]
_NAMESPACE: Final = uuid.UUID("5b3c3a5e-6a0c-5d2e-9a1e-5d9f3f3d6f10")

_BICEP_ESCAPES: Final = (
    ("\\", "\\\\"),
    ("'", "\\'"),
    ("${", "\\${"),
    ("\n", "\\n"),
    ("\r", "\\r"),
    ("\t", "\\t"),
)


class RoleForm(StrEnum):
    """In which language a role is written."""

    AZURE_CLI = "azure-cli"
    RESOURCE_MANAGER = "resource-manager"
    BICEP = "bicep"
    TERRAFORM = "terraform"


def write_role(role: CustomRole, form: RoleForm, reasons: Reasons, optional: Reasons) -> str:
    """The role as text, with a line feed at its end.

    :param reasons: action → why it is there; a comment, where the language has comments.
    :param optional: action → why it can be used; a line that is commented out.
    """
    match form:
        case RoleForm.AZURE_CLI:
            return _dump(role.for_azure_cli())
        case RoleForm.RESOURCE_MANAGER:
            return _dump(role.for_resource_manager())
        case RoleForm.BICEP:
            return _bicep(role, reasons, optional)
        case RoleForm.TERRAFORM:
            return _terraform(role, reasons, optional)


def role_definition_name(role: CustomRole) -> str:
    """The GUID that a role of this name has, so that writing it again changes it in place."""
    return str(uuid.uuid5(_NAMESPACE, role.name))


def _dump(found: object) -> str:
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _bicep(role: CustomRole, reasons: Reasons, optional: Reasons) -> str:
    (permission,) = role.permissions

    def text(value: str) -> str:
        for plain, escaped in _BICEP_ESCAPES:
            value = value.replace(plain, escaped)
        return f"'{value}'"

    lines = [
        "targetScope = 'resourceGroup'",
        "",
        "resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {",
        f"  name: {text(role_definition_name(role))}",
        "  properties: {",
        f"    roleName: {text(role.name)}",
        "    type: 'customRole'",
        f"    description: {text(role.description)}",
        "    assignableScopes: [",
        *(f"      {text(scope)}" for scope in role.assignable_scopes),
        "    ]",
        "    permissions: [",
        "      {",
        "        actions: [",
        *_listed(permission.actions, reasons, optional, item=text, lead="          //"),
        "        ]",
        "        notActions: []",
        "        dataActions: [",
        *_listed(permission.data_actions, reasons, {}, item=text, lead="          //"),
        "        ]",
        "        notDataActions: []",
        "      }",
        "    ]",
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _terraform(role: CustomRole, reasons: Reasons, optional: Reasons) -> str:
    (permission,) = role.permissions

    def text(value: str) -> str:
        return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")

    def item(value: str) -> str:
        return f"{text(value)},"

    lines = [
        'resource "azurerm_role_definition" "batch" {',
        f"  name        = {text(role.name)}",
        f"  description = {text(role.description)}",
        f"  scope       = {text(role.assignable_scopes[0])}",
        "",
        "  permissions {",
        "    actions = [",
        *_listed(permission.actions, reasons, optional, item=item, lead="      #"),
        "    ]",
        "    data_actions = [",
        *_listed(permission.data_actions, reasons, {}, item=item, lead="      #"),
        "    ]",
        "  }",
        "",
        f"  assignable_scopes = [{', '.join(text(scope) for scope in role.assignable_scopes)}]",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _listed(
    actions: Sequence[str],
    reasons: Reasons,
    optional: Reasons,
    *,
    item: Callable[[str], str],
    lead: str,
) -> list[str]:
    """A list's lines.

    :param lead: the indentation, and what begins a comment.
    """
    indent = lead[: len(lead) - len(lead.lstrip())]
    lines = []
    for action in actions:
        lines += [f"{lead} {_line(why)}" for why in reasons.get(action, ())]
        lines.append(f"{indent}{item(action)}")
    for action, whys in optional.items():
        lines += [f"{lead} Optional: {_line(why)}" for why in whys]
        lines.append(f"{lead} {item(action)}")
    return lines


def _line(why: str) -> str:
    # An operator of one's own may give any reason: a line feed would end the comment.
    return " ".join(why.split())
