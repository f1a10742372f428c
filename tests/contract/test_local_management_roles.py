"""Role definitions, role assignments, deny assignments and permissions, by Microsoft's own client."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.authorization.v2022_04_01 import models

from airflow_provider_batchad.local.access import DenyAssignment, Permission
from airflow_provider_batchad.local.builtin_roles import BUILTIN_ROLES
from airflow_provider_batchad.local.config import BATCH_RESOURCE
from tests.contract.management_fixtures import Manager, managing

ACCOUNT = "Microsoft.Batch/batchAccounts"
JOBS = f"{ACCOUNT}/jobs"
SUBMITTER = "48e5e92e-a480-4e71-aa9c-2778f4c13781"
DOCUMENTED = json.loads(Path(__file__).with_name("microsoft-example-role.json").read_text())


@pytest.fixture
def manager() -> Iterator[Manager]:
    """Whose application may do everything in the subscription."""
    with managing() as one:
        one.hold("Owner", one.config.subscription_scope)
        yield one


def define(manager: Manager, *, scopes: list[str] | None = None, **changes: Any) -> models.RoleDefinition:
    given: dict[str, Any] = {"data_actions": [f"{JOBS}/read", f"{JOBS}/write"], "actions": []}
    name = changes.pop("role_name", "Job Submitter")
    role_id = changes.pop("role_id", str(uuid.uuid4()))
    made = models.RoleDefinition(
        role_name=name,
        role_type="CustomRole",
        description="For one pipeline",
        permissions=[models.Permission(**given | changes)],
        assignable_scopes=[manager.config.resource_group_scope] if scopes is None else scopes,
    )
    where = manager.config.resource_group_scope
    return manager.authorization.role_definitions.create_or_update(where, role_id, made)


def assign(
    manager: Manager, role_id: str, scope: str | None = None, name: str | None = None, **changes: Any
) -> models.RoleAssignment:
    where = scope or manager.config.account_scope
    parameters = models.RoleAssignmentCreateParameters(
        role_definition_id=f"{manager.config.subscription_scope}/providers/Microsoft.Authorization"
        f"/roleDefinitions/{role_id}",
        principal_id=changes.pop("principal_id", manager.other.object_id),
        principal_type=changes.pop("principal_type", "ServicePrincipal"),
        **changes,
    )
    return manager.authorization.role_assignments.create(where, name or str(uuid.uuid4()), parameters)


def code_of(error: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str | None]:
    return error.value.status_code, error.value.error.code if error.value.error else None


def test_built_in_roles_have_their_real_ids(manager: Manager) -> None:
    listed = {
        one.name: one
        for one in manager.authorization.role_definitions.list(manager.config.subscription_scope)
    }
    assert set(listed) == {role.id for role in BUILTIN_ROLES}
    submitter = listed[SUBMITTER]
    assert (submitter.role_name, submitter.role_type) == ("Azure Batch Job Submitter", "BuiltInRole")
    assert submitter.assignable_scopes == ["/"]
    assert submitter.id == (
        f"{manager.config.subscription_scope}/providers/Microsoft.Authorization/roleDefinitions/{SUBMITTER}"
    )
    got = manager.authorization.role_definitions.get(manager.config.account_scope, SUBMITTER)
    assert got.permissions == submitter.permissions


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ("roleName eq 'azure batch job submitter'", 1),
        ("type eq 'BuiltInRole'", len(BUILTIN_ROLES)),
        ("type eq 'CustomRole'", 0),
        ("atScopeAndBelow()", len(BUILTIN_ROLES) + 1),
        ("atScopeAndBelow() and type eq 'CustomRole'", 1),
        ("roleName eq 'It''s not there'", 0),
    ],
)
def test_definitions_are_filtered(manager: Manager, wanted: str, count: int) -> None:
    define(manager)
    found = manager.authorization.role_definitions.list(manager.config.subscription_scope, filter=wanted)
    assert len(list(found)) == count


def test_custom_role_is_seen_where_it_can_be_assigned(manager: Manager) -> None:
    made = define(manager)
    definitions = manager.authorization.role_definitions
    assert made.role_type == "CustomRole"
    assert made.name in [one.name for one in definitions.list(manager.config.account_scope)]
    assert made.name not in [one.name for one in definitions.list(manager.config.subscription_scope)]
    with pytest.raises(ResourceNotFoundError, match="does not exist"):
        definitions.get(manager.config.subscription_scope, made.name or "")
    again = define(manager, role_id=made.name, role_name="Renamed")
    assert (again.name, again.role_name) == (made.name, "Renamed")


def test_microsofts_documented_example_role_is_taken(manager: Manager) -> None:
    text = json.dumps(DOCUMENTED).replace(
        "88888888-8888-8888-8888-888888888888", manager.config.subscription_id
    )
    where = f"{manager.config.subscription_scope}/providers/Microsoft.Authorization/roleDefinitions"
    answer = manager.send("PUT", f"{where}/{uuid.uuid4()}?api-version=2022-04-01", body=json.loads(text))
    assert answer.status_code == 201, answer.text
    assert answer.json()["properties"]["permissions"] == DOCUMENTED["properties"]["permissions"]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"scopes": []}, 400, "InvalidRoleDefinition"),
        ({"scopes": ["/"]}, 400, "InvalidAssignableScope"),
        ({"scopes": ["{subscription}/resourceGroups/*"]}, 400, "InvalidAssignableScope"),
        ({"scopes": ["{account}"]}, 400, "InvalidAssignableScope"),
        ({"scopes": ["{group}", "{group}x"]}, 400, "InvalidAssignableScope"),
        ({"scopes": ["{elsewhere}"]}, 403, "AuthorizationFailed"),
        ({"role_id": "no-guid"}, 400, "InvalidRoleDefinitionId"),
        ({"role_id": SUBMITTER}, 403, "BuiltInRoleUpdateNotAllowed"),
        ({"role_name": "Reader"}, 409, "RoleDefinitionWithSameNameExists"),
        ({"data_actions": [], "actions": []}, 400, "InvalidRoleDefinition"),
        ({"actions": [f"{JOBS}/write"]}, 400, "InvalidActionOrNotAction"),
        (
            {"data_actions": ["Microsoft.Batch/batchAccounts/pools/read"]},
            400,
            "InvalidDataActionOrNotDataAction",
        ),
        (
            {"not_data_actions": ["Microsoft.Batch/batchAccounts/tasks/*"]},
            400,
            "InvalidDataActionOrNotDataAction",
        ),
    ],
)
def test_custom_role_that_azure_would_not_take_is_refused(
    manager: Manager, changes: dict[str, Any], status: int, code: str
) -> None:
    places = {
        "subscription": manager.config.subscription_scope,
        "account": manager.config.account_scope,
        "group": manager.config.management_group_scope,
        "elsewhere": f"/subscriptions/{uuid.uuid4()}",
    }
    if "scopes" in changes:
        changes = changes | {"scopes": [one.format(**places) for one in changes["scopes"]]}
    with pytest.raises(HttpResponseError) as refused:
        define(manager, **changes)
    assert code_of(refused) == (status, code)


def test_definition_in_use_cannot_be_deleted(manager: Manager) -> None:
    made = define(manager)
    assert made.name is not None
    given = assign(manager, made.name)
    definitions, where = manager.authorization.role_definitions, manager.config.resource_group_scope
    with pytest.raises(HttpResponseError) as refused:
        definitions.delete(where, made.name)
    assert code_of(refused) == (400, "RoleDefinitionHasAssignments")
    manager.authorization.role_assignments.delete(manager.config.account_scope, given.name or "")
    deleted = definitions.delete(where, made.name)
    assert deleted is not None
    assert deleted.name == made.name
    assert definitions.delete(where, made.name) is None


def test_assigned_role_counts_at_once_on_batch(manager: Manager) -> None:
    token, _ = manager.azure.tokens.issue(manager.other, audience=BATCH_RESOURCE, lifetime_seconds=600)
    jobs = f"{manager.azure.endpoints.batch}/jobs?api-version=2025-06-01"
    headers = {"Authorization": f"Bearer {token}"}
    assert manager.session.get(jobs, headers=headers).status_code == 403
    made = define(manager)
    given = assign(manager, made.name or "", description="for the tests")
    assert manager.session.get(jobs, headers=headers).status_code == 200
    assert given.description == "for the tests"
    assert (given.principal_id, given.principal_type) == (manager.other.object_id, "ServicePrincipal")
    assert given.created_by == manager.principal.object_id
    manager.authorization.role_assignments.delete_by_id(given.id or "")
    assert manager.session.get(jobs, headers=headers).status_code == 403
    assert manager.authorization.role_assignments.delete_by_id(given.id or "") is None


def test_assignment_is_made_once_whatever_its_name(manager: Manager) -> None:
    given = assign(manager, SUBMITTER)
    assert assign(manager, SUBMITTER, name=given.name).id == given.id
    with pytest.raises(ResourceExistsError) as exists:
        assign(manager, SUBMITTER)
    assert code_of(exists) == (409, "RoleAssignmentExists")
    with pytest.raises(HttpResponseError) as changed:
        assign(manager, SUBMITTER, name=given.name, principal_id=manager.principal.object_id)
    assert code_of(changed) == (400, "RoleAssignmentUpdateNotPermitted")


@pytest.mark.parametrize(
    ("role_id", "changes", "status", "code"),
    [
        (str(uuid.UUID(int=7)), {}, 404, "RoleDefinitionDoesNotExist"),
        (SUBMITTER, {"name": "no-guid"}, 400, "InvalidRoleAssignmentId"),
        (SUBMITTER, {"principal_id": str(uuid.UUID(int=7))}, 400, "PrincipalNotFound"),
        (SUBMITTER, {"principal_type": "Robot"}, 400, "InvalidPrincipalType"),
        (
            SUBMITTER,
            {"condition": "@Resource[x] StringEquals 'y'", "condition_version": "2.0"},
            400,
            "InvalidCreateRoleAssignmentRequest",
        ),
    ],
)
def test_assignment_that_azure_would_not_make_is_refused(
    manager: Manager, role_id: str, changes: dict[str, Any], status: int, code: str
) -> None:
    with pytest.raises(HttpResponseError) as refused:
        assign(manager, role_id, **changes)
    assert code_of(refused) == (status, code)


def test_custom_role_with_data_actions_is_not_assigned_at_a_management_group(manager: Manager) -> None:
    top = manager.config.management_group_scope
    manager.hold("Owner", top)
    with_data = define(manager, scopes=[top], role_name="With data")
    with pytest.raises(HttpResponseError, match="can not be made to custom role definitions with") as refused:
        assign(manager, with_data.name or "", top)
    assert code_of(refused) == (400, "InvalidCreateRoleAssignmentRequest")
    without = define(
        manager, scopes=[top], role_name="Without", data_actions=[], actions=["Microsoft.Batch/*/read"]
    )
    assert assign(manager, without.name or "", top).scope == top
    # A built-in role may be, and counts in every subscription below.
    assign(manager, SUBMITTER, top)
    held = manager.azure.roles.permissions(manager.other.object_id, scope=manager.config.account_scope)
    assert any(one.allows_data_action(f"{JOBS}/write") for one in held)


def test_assignments_are_listed_at_above_and_below_a_scope(manager: Manager) -> None:
    operations = manager.authorization.role_assignments
    at_account = assign(manager, SUBMITTER)
    at_group = assign(manager, SUBMITTER, manager.config.resource_group_scope)
    mine = f"principalId eq '{manager.other.object_id}'"

    def names(scope: str, wanted: str | None) -> set[str | None]:
        return {one.name for one in operations.list_for_scope(scope, filter=wanted)}

    group, account = manager.config.resource_group_scope, manager.config.account_scope
    assert names(group, mine) == {at_group.name, at_account.name}
    assert names(group, f"{mine} and atScope()") == {at_group.name}
    assert names(account, f"atScope() and assignedTo('{manager.other.object_id}')") == {
        at_group.name,
        at_account.name,
    }
    assert len(names(group, None)) == 3
    assert operations.get(group, at_group.name or "").id == at_group.id
    with pytest.raises(ResourceNotFoundError, match="RoleAssignmentNotFound"):
        operations.get(account, at_group.name or "")
    with pytest.raises(HttpResponseError, match="InvalidFilter"):
        names(group, "roleName eq 'x'")


def test_permissions_are_the_callers_own_and_one_element_for_each_role(manager: Manager) -> None:
    manager.hold("Azure Batch Job Submitter")
    operations, group = manager.authorization.permissions, manager.config.resource_group
    found = list(operations.list_for_resource(group, "Microsoft.Batch", "", "batchAccounts", "demo"))
    assert [one.actions == ["*"] for one in found].count(True) == 1
    assert [f"{JOBS}/*" in (one.data_actions or []) for one in found].count(True) == 1
    assert len(list(operations.list_for_resource_group(group))) == 1


def test_principal_that_may_not_read_its_permissions_is_refused() -> None:
    with managing() as manager:
        manager.hold("Azure Batch Job Submitter")
        with pytest.raises(HttpResponseError, match="permissions/read"):
            list(manager.authorization.permissions.list_for_resource_group(manager.config.resource_group))


def test_contributor_may_read_roles_and_not_give_them() -> None:
    with managing() as manager:
        manager.hold("Contributor", manager.config.resource_group_scope)
        assert list(manager.authorization.role_definitions.list(manager.config.account_scope))
        with pytest.raises(HttpResponseError, match="roleAssignments/write"):
            assign(manager, SUBMITTER)
        with pytest.raises(HttpResponseError, match="roleDefinitions/write"):
            define(manager)


def test_deny_assignment_wins_over_every_role_and_can_be_read(manager: Manager) -> None:
    manager.hold("Azure Batch Data Contributor")
    denied = manager.azure.roles.deny(
        DenyAssignment(
            name="no jobs",
            scope=manager.config.resource_group_scope,
            permissions=(Permission(data_actions=(f"{JOBS}/*",), not_data_actions=(f"{JOBS}/read",)),),
            principals=(manager.principal.object_id,),
        )
    )
    jobs = f"{manager.azure.endpoints.batch}/jobs"
    headers = manager.token(BATCH_RESOURCE)
    assert manager.session.get(f"{jobs}?api-version=2025-06-01", headers=headers).status_code == 200
    refused = manager.session.post(f"{jobs}?api-version=2025-06-01", headers=headers, json={"id": "x"})
    assert (refused.status_code, refused.json()["code"]) == (403, "AuthorizationFailure")
    (shown,) = manager.authorization.deny_assignments.list_for_scope(manager.config.account_scope)
    assert (shown.deny_assignment_name, shown.is_system_protected) == ("no jobs", True)
    assert [one.id for one in shown.principals or []] == [manager.principal.object_id]
    assert manager.authorization.deny_assignments.get(manager.config.account_scope, denied.id).id == shown.id
    with pytest.raises(ResourceNotFoundError):
        manager.authorization.deny_assignments.get(manager.config.account_scope, str(uuid.uuid4()))
