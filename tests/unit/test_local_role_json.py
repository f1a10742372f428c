from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchad.local.access import Permission
from airflow_provider_batchad.local.builtin_roles import BUILTIN_ROLES
from airflow_provider_batchad.local.management.role_json import role_from_json, role_to_json

WANTED = Permission(actions=("A/read",), data_actions=("D/*",), not_data_actions=("D/write",))


@pytest.mark.parametrize(
    "document",
    [
        {
            "properties": {
                "roleName": "Mine",
                "permissions": [
                    {"actions": ["A/read"], "dataActions": ["D/*"], "notDataActions": ["D/write"]}
                ],
            }
        },
        {"Name": "Mine", "Actions": ["A/read"], "DataActions": ["D/*"], "NotDataActions": ["D/write"]},
    ],
)
def test_both_forms_of_azure_are_read(document: dict[str, Any]) -> None:
    role = role_from_json(document)
    assert (role.name, role.permissions, role.custom) == ("Mine", (WANTED,), True)


@pytest.mark.parametrize("role", BUILTIN_ROLES, ids=lambda role: role.name)
def test_definition_survives_being_written_and_read(role: Any) -> None:
    again = role_from_json(role_to_json(role))
    assert (again.id, again.name, again.permissions) == (role.id, role.name, role.permissions)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({}, "roleName"),
        ({"Name": "Mine"}, "neither actions nor dataActions"),
        ({"Name": "Mine", "Actions": "A/read"}, "lists of strings"),
        ([], "JSON object"),
        ({"properties": {"roleName": "Mine", "permissions": [1]}}, "JSON object"),
    ],
)
def test_what_is_no_definition_is_refused(document: Any, text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        role_from_json(document)
