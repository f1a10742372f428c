"""The preflight and the scopes of assignments: those below the account, and denials that do not reach it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_batchad.access.actions import DataAction, Need
from airflow_provider_batchad.access.preflight import Held
from airflow_provider_batchad.errors import AccountRefusedToken
from airflow_provider_batchad.hooks.preflight import run_preflight
from airflow_provider_batchad.local.access import DenyAssignment, Permission, Role
from airflow_provider_batchad.local.config import LocalAzureConfig, stable_id
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.signing_in import SigningIn, connected

WRITE = Permission(data_actions=("Microsoft.Batch/batchAccounts/jobs/write",))
READ_ROLES = Permission(actions=("Microsoft.Authorization/*/read",))
NEED = Need.of(DataAction.JOBS_WRITE)


@pytest.fixture(scope="module")
def signing_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningIn]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        config = LocalAzureConfig(port=0, state_dir=tmp_path_factory.mktemp("azure"))
        with connected(monkeypatch, config) as signing_in:
            yield signing_in


@pytest.fixture(autouse=True)
def only_reads_roles(signing_in: SigningIn) -> None:
    book, config = signing_in.azure.roles, signing_in.azure.config
    for assignment in book.assignments(principal_id=config.applications[0].object_id):
        if assignment.scope != config.vault_scope:
            book.unassign(assignment.id)
    assign(signing_in, "reads roles", READ_ROLES, config.account_scope)


def assign(signing_in: SigningIn, name: str, permission: Permission, scope: str) -> None:
    book = signing_in.azure.roles
    book.define(Role(id=stable_id(name), name=name, permissions=(permission,), custom=True))
    book.assign(principal_id=signing_in.azure.config.applications[0].object_id, role=name, scope=scope)


def held() -> Held:
    return run_preflight("batchad_default", NEED, Need()).held(DataAction.JOBS_WRITE)


def test_a_role_below_the_account_is_none_at_the_account(signing_in: SigningIn) -> None:
    account = signing_in.azure.config.account_scope
    assign(signing_in, "writes jobs", WRITE, f"{account}/pools/p")
    assert held() is Held.NO
    assign(signing_in, "writes jobs", WRITE, account)
    assert held() is Held.YES


@pytest.mark.parametrize(
    ("scope", "below", "found"),
    [
        ("resource_group", True, Held.NO),
        ("resource_group", False, Held.YES),
        ("batch", False, Held.NO),
        ("pools/p", True, Held.YES),
    ],
)
def test_a_denial_counts_where_it_reaches_the_account(
    scope: str, below: bool, found: Held, signing_in: SigningIn
) -> None:
    config = signing_in.azure.config
    assign(signing_in, "writes jobs", WRITE, config.account_scope)
    where = f"{config.account_scope}/{scope}" if "/" in scope else config.scope_of(scope)  # type: ignore[arg-type]
    denial = signing_in.azure.roles.deny(
        DenyAssignment(name="d", scope=where, permissions=(WRITE,), below=below)
    )
    try:
        assert held() is found
    finally:
        signing_in.azure.roles.remove_denial(denial.id)


def test_an_account_that_refuses_the_token_denies_no_action(signing_in: SigningIn) -> None:
    book = signing_in.azure.roles
    for assignment in book.assignments(principal_id=signing_in.azure.config.applications[0].object_id):
        if assignment.scope != signing_in.azure.config.vault_scope:
            book.unassign(assignment.id)
    rule = signing_in.azure.faults.add(
        FaultRule(service="batch", operation="List Jobs", status=403, code="AuthenticationFailed")
    )
    try:
        with pytest.raises(AccountRefusedToken):
            held()
    finally:
        signing_in.azure.faults.remove(rule.id)
    rule = signing_in.azure.faults.add(
        FaultRule(service="batch", operation="Terminate Job", status=403, code="AccountIsDisabled")
    )
    try:
        assert held() is Held.UNKNOWN
    finally:
        signing_in.azure.faults.remove(rule.id)
