"""Custom roles, in the forms of Azure's tools, and what a role makes of a need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.access.actions import ACTIONS, Action, AnyAction, DataAction, Need
from airflow_provider_batchad.access.builtin_roles import JOB_SUBMITTER
from airflow_provider_batchad.access.comparison import Fit, compare
from airflow_provider_batchad.access.permissions import Permission, matches
from airflow_provider_batchad.access.roles import CustomRole
from airflow_provider_batchad.errors import RoleFileError
from airflow_provider_batchad.local.builtin_roles import BUILTIN_ROLES

READ, WRITE, DELETE = DataAction.JOBS_READ, DataAction.JOBS_WRITE, DataAction.JOBS_DELETE
SUBMIT = Need.of(READ, WRITE)
EXAMPLE = Path(__file__).parents[1] / "contract" / "microsoft-example-role.json"


def role(need: Need = SUBMIT) -> CustomRole:
    return CustomRole.smallest(need, name="batch", description="d", assignable_scopes=["/subscriptions/s"])


def test_the_smallest_role_grants_what_is_needed_and_nothing_else() -> None:
    for action in ACTIONS:
        need = Need.of(action)
        assert compare(role(need).permissions, need).fit is Fit.EXACT
        assert compare(role(need).permissions, Need()).unneeded == (action,)


def test_a_role_goes_to_each_form_and_back() -> None:
    made = role(Need.of(READ, Action.POOLS_WRITE))
    listed = {"roleName": "batch", "description": "d", "assignableScopes": ["/subscriptions/s"]}
    listed |= {"permissions": made.for_resource_manager()["properties"]["permissions"]}
    for form in (made.for_azure_cli(), made.for_resource_manager(), listed, [listed]):
        assert CustomRole.parse(json.loads(json.dumps(form))) == made


@pytest.mark.parametrize(
    ("found", "named"),
    [
        ([], "the role"),
        ("x", "the role"),
        ({}, "no name"),
        ({"Name": 7}, "no name"),
        ({"properties": []}, "properties"),
        ({"Name": "x", "Actions": "*"}, "actions"),
        ({"Name": "x", "DataActions": [7]}, "dataActions"),
        ({"Name": "x", "AssignableScopes": {}}, "assignableScopes"),
        ({"Name": "x", "permissions": []}, "permissions"),
        ({"Name": "x", "permissions": ["*"]}, "permissions"),
    ],
)
def test_what_is_no_role_is_refused_by_name(found: Any, named: str) -> None:
    with pytest.raises(RoleFileError, match=named):
        CustomRole.parse(found)


def test_microsofts_example_is_more_than_submitting_needs() -> None:
    example = CustomRole.parse(json.loads(EXAMPLE.read_text()))
    found = compare(example.permissions, SUBMIT)
    assert found.fit is Fit.TOO_MUCH
    assert DataAction.JOB_SCHEDULES_WRITE in found.unneeded
    assert "Microsoft.Support/*" in found.foreign
    assert "Microsoft.Batch/*/read" in found.patterns


def test_the_built_in_role_is_azures() -> None:
    (local,) = (one for one in BUILTIN_ROLES if one.name == JOB_SUBMITTER.name)
    (theirs,), (ours,) = local.permissions, JOB_SUBMITTER.permissions
    assert (set(theirs.actions), set(theirs.data_actions)) == (set(ours.actions), set(ours.data_actions))


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [
        ("*", {*ACTIONS}),
        ("*/read", {one for one in ACTIONS if one.value.endswith("/read")}),
        ("Microsoft.Batch/*/read", {one for one in ACTIONS if one.value.endswith("/read")}),
        ("microsoft.batch/batchaccounts/JOBS/*", {READ, WRITE, DELETE}),
        ("Microsoft.Batch/batchAccounts/*/write", {one for one in ACTIONS if one.value.endswith("/write")}),
        ("Microsoft.Batch/batchAccounts/job*/de*e", {DELETE, DataAction.JOB_SCHEDULES_DELETE}),
        ("Microsoft.Batch/batchAccounts/jobs", set()),
        ("Microsoft.Batch/batchAccounts/jobs/rea?", set()),
        ("Microsoft.Batch.batchAccounts/jobs/read", set()),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_does(pattern: str, covers: set[AnyAction]) -> None:
    assert {action for action in ACTIONS if matches(pattern, action.value)} == covers


@pytest.mark.parametrize(
    ("elements", "fit", "missing"),
    [
        ([Permission(data_actions=("Microsoft.Batch/*",))], Fit.TOO_MUCH, ()),
        ([Permission(actions=("Microsoft.Batch/batchAccounts/jobs/*",))], Fit.MISSING, (READ, WRITE)),
        ([Permission(actions=("*",))], Fit.TOO_MUCH, ()),
        ([Permission(actions=("*",), not_actions=("*/listKeys/action",))], Fit.MISSING, (WRITE,)),
        ([Permission(data_actions=("*",), not_data_actions=(WRITE.value,))], Fit.MISSING, (WRITE,)),
        (
            [
                Permission(data_actions=("*",), not_data_actions=(WRITE.value,)),
                Permission(data_actions=(WRITE.value,)),
            ],
            Fit.TOO_MUCH,
            (),
        ),
        ([Permission(data_actions=(READ.value,)), Permission(data_actions=(WRITE.value,))], Fit.EXACT, ()),
        ([Permission(actions=(Action.ACCOUNT_READ.value,))], Fit.MISSING, (WRITE,)),
        ([Permission(actions=(Action.LIST_KEYS.value,))], Fit.TOO_MUCH, ()),
        ([], Fit.MISSING, (READ, WRITE)),
    ],
)
def test_what_roles_make_of_submitting(
    elements: list[Permission], fit: Fit, missing: tuple[AnyAction, ...]
) -> None:
    found = compare(elements, SUBMIT)
    assert (found.fit, found.missing) == (fit, missing)


def test_who_may_list_the_keys_may_do_everything() -> None:
    found = compare([Permission(actions=("Microsoft.Batch/batchAccounts/listkeys/action",))], SUBMIT)
    assert found.opens_everything
    assert found.opened == ((READ, Action.LIST_KEYS), (WRITE, Action.LIST_KEYS))


def test_what_is_optional_is_not_too_much() -> None:
    held = [Permission(actions=(Action.POOLS_READ.value,), data_actions=(READ.value, WRITE.value))]
    assert compare(held, SUBMIT).fit is Fit.TOO_MUCH
    assert compare(held, SUBMIT, Need.of(Action.POOLS_READ)).fit is Fit.EXACT
