from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchad.local.access import DenyAssignment, Permission, Requirement, Role, RoleBook
from airflow_provider_batchad.local.builtin_roles import BUILTIN_ROLES

SUBSCRIPTION = "/subscriptions/s"
GROUP = f"{SUBSCRIPTION}/resourceGroups/airflow"
ACCOUNT = f"{GROUP}/providers/Microsoft.Batch/batchAccounts/demo"
BATCH = "Microsoft.Batch/batchAccounts"
WHO = "principal"

READ = Requirement(data_actions=(f"{BATCH}/jobs/read",))
WRITE = Requirement(data_actions=(f"{BATCH}/jobs/write",))
READ_POOL = Requirement(actions=(f"{BATCH}/pools/read",))
WRITE_POOL = Requirement(actions=(f"{BATCH}/pools/write",))


def book(*roles: str | Permission, scope: str = ACCOUNT) -> RoleBook:
    """A book in which the principal holds these roles, or custom ones of these permissions."""
    made = RoleBook(BUILTIN_ROLES)
    for number, role in enumerate(roles):
        if isinstance(role, Permission):
            made.define(Role(id=f"r{number}", name=f"custom {number}", permissions=(role,), custom=True))
        name = role if isinstance(role, str) else f"custom {number}"
        made.assign(principal_id=WHO, role=name, scope=scope)
    return made


def lacks(made: RoleBook, requirement: Requirement, scope: str = ACCOUNT) -> tuple[str, ...]:
    return made.at(scope).missing(WHO, requirement)


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("Azure Batch Job Submitter", [READ, WRITE, READ_POOL], [WRITE_POOL]),
        ("Azure Batch Data Contributor", [READ, WRITE, READ_POOL, WRITE_POOL], []),
        ("Azure Batch Account Contributor", [READ, WRITE, READ_POOL, WRITE_POOL], []),
        ("Azure Batch Account Reader", [READ, READ_POOL], [WRITE, WRITE_POOL]),
        ("Contributor", [READ, WRITE, READ_POOL, WRITE_POOL], []),
        ("Owner", [READ, WRITE, READ_POOL, WRITE_POOL], []),
        ("Reader", [READ, READ_POOL], [WRITE, WRITE_POOL]),
        ("Key Vault Secrets User", [], [READ, WRITE, READ_POOL, WRITE_POOL]),
    ],
)
def test_built_in_role_allows_what_azure_documents(
    role: str, may: list[Requirement], may_not: list[Requirement]
) -> None:
    made = book(role)
    assert [lacks(made, requirement) for requirement in may] == [()] * len(may)
    assert all(lacks(made, requirement) for requirement in may_not)


def test_what_is_missing_is_named() -> None:
    both = Requirement(actions=WRITE_POOL.actions, data_actions=WRITE.data_actions)
    assert lacks(book("Azure Batch Account Reader"), both) == (f"{BATCH}/pools/write", f"{BATCH}/jobs/write")
    assert lacks(RoleBook(BUILTIN_ROLES), READ) == READ.data_actions


def test_wildcard_of_actions_covers_no_data_action() -> None:
    made = book(Permission(actions=("Microsoft.KeyVault/*",)))
    secret = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    assert lacks(made, Requirement(actions=(secret,))) == ()
    assert lacks(made, Requirement(data_actions=(secret,))) == (secret,)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("Microsoft.Batch/batchAccounts/jobs/*", True),
        ("microsoft.batch/BATCHACCOUNTS/jobs/READ", True),
        ("Microsoft.Batch/*/read", True),
        ("*/read", True),
        ("*", True),
        ("Micro*Batch/*jobs*", True),
        ("Microsoft.Batch/*/write", False),
        ("MicrosoftXBatch/batchAccounts/jobs/read", False),
        ("Microsoft.Batch/batchAccounts/jobs", False),
    ],
)
def test_star_matches_across_slashes_and_nothing_else_is_special(pattern: str, matches: bool) -> None:
    assert (lacks(book(Permission(data_actions=(pattern,))), READ) == ()) is matches


def test_not_data_actions_narrow_their_own_role_only() -> None:
    narrowed = Permission(data_actions=(f"{BATCH}/jobs/*",), not_data_actions=(f"{BATCH}/jobs/write",))
    assert lacks(book(narrowed), WRITE) == WRITE.data_actions
    assert lacks(book(narrowed), READ) == ()
    assert lacks(book(narrowed, Permission(data_actions=(f"{BATCH}/jobs/write",))), WRITE) == ()


def test_list_keys_opens_everything_and_account_read_any_read() -> None:
    keys = book(Permission(actions=(f"{BATCH}/listKeys/action",)))
    assert [lacks(keys, one) for one in (READ, WRITE, WRITE_POOL)] == [(), (), ()]
    read = book(Permission(actions=(f"{BATCH}/read",)))
    assert [lacks(read, one) for one in (READ, READ_POOL)] == [(), ()]
    assert lacks(read, WRITE) == WRITE.data_actions


@pytest.mark.parametrize(
    ("scope", "counts"),
    [
        ("/", True),
        (SUBSCRIPTION, True),
        (GROUP, True),
        (GROUP.upper() + "/", True),
        (ACCOUNT, True),
        (GROUP[:-1], False),
        (ACCOUNT + "/x", False),
        (f"{SUBSCRIPTION}/resourceGroups/airflow2", False),
    ],
)
def test_assignment_counts_at_its_scope_and_below(scope: str, counts: bool) -> None:
    assert (lacks(book("Azure Batch Job Submitter", scope=scope), WRITE) == ()) is counts


def test_change_of_assignments_and_definitions_counts_at_once() -> None:
    made = RoleBook(BUILTIN_ROLES)
    assert lacks(made, WRITE)
    given = made.assign(principal_id=WHO, role="azure batch job submitter", scope=ACCOUNT)
    assert not lacks(made, WRITE)
    made.unassign(given.id)
    assert lacks(made, WRITE)
    mine = Role(id="mine", name="Mine", permissions=(Permission(data_actions=("Microsoft.Batch/*",)),))
    made.define(mine)
    made.assign(principal_id=WHO, role="mine", scope=ACCOUNT)
    assert not lacks(made, WRITE)
    made.define(Role(id="mine", name="Mine", permissions=(Permission(actions=("Microsoft.X/*",)),)))
    assert lacks(made, WRITE)


@pytest.mark.parametrize(
    ("denied", "refused", "allowed"),
    [
        (Permission(data_actions=(f"{BATCH}/jobs/write",)), [WRITE], [READ, READ_POOL, WRITE_POOL]),
        (Permission(actions=("Microsoft.Batch/*/write",)), [WRITE_POOL], [READ, WRITE, READ_POOL]),
        (
            Permission(data_actions=("*",), not_data_actions=(f"{BATCH}/jobs/read",)),
            [WRITE],
            [READ, READ_POOL, WRITE_POOL],
        ),
    ],
)
def test_deny_assignment_wins_over_every_role(
    denied: Permission, refused: list[Requirement], allowed: list[Requirement]
) -> None:
    made = book("Owner", "Azure Batch Data Contributor")
    made.deny(DenyAssignment(name="no", scope=GROUP, permissions=(denied,)))
    assert all(lacks(made, one) for one in refused)
    assert not any(lacks(made, one) for one in allowed)


def test_denied_key_listing_opens_nothing() -> None:
    made = book("Contributor")
    assert not lacks(made, WRITE)
    made.deny(
        DenyAssignment(
            name="no keys", scope=ACCOUNT, permissions=(Permission(actions=(f"{BATCH}/listKeys/action",)),)
        )
    )
    assert lacks(made, WRITE) == WRITE.data_actions
    assert not lacks(made, READ)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"principals": (WHO,)}, True),
        ({"principals": ("somebody else",)}, False),
        ({"excluded": (WHO,)}, False),
        ({"scope": GROUP, "below": False}, False),
        ({"below": False}, True),
        ({"scope": f"{ACCOUNT}x"}, False),
    ],
)
def test_deny_assignment_concerns_its_principals_at_its_scope(changes: dict[str, Any], counts: bool) -> None:
    made = book("Owner")
    given: dict[str, Any] = {"scope": ACCOUNT, **changes}
    denial = made.deny(DenyAssignment(name="no", permissions=(Permission(actions=("*",)),), **given))
    assert bool(lacks(made, WRITE_POOL)) is counts
    assert made.denials() == (denial,)
    made.remove_denial(denial.id)
    assert not lacks(made, WRITE_POOL)


def test_management_group_is_above_every_subscription() -> None:
    top = "/providers/Microsoft.Management/managementGroups/contoso"
    assert not lacks(book("Azure Batch Job Submitter", scope=top), WRITE)
    assert lacks(book("Azure Batch Job Submitter", scope=top), WRITE, scope=f"{top}x")


def test_unknown_role_lists_those_there_are() -> None:
    with pytest.raises(KeyError, match="Azure Batch Job Submitter"):
        RoleBook(BUILTIN_ROLES).assign(principal_id=WHO, role="Submitter", scope=ACCOUNT)
