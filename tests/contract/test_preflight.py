"""What the preflight says of many roles, asked of Resource Manager and of Batch itself on local Azure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.access.actions import DataAction, Need, short_name
from airflow_provider_batchad.access.preflight import Held, Preflight, Verdict
from airflow_provider_batchad.cli import main
from airflow_provider_batchad.errors import BatchAdError
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.hooks.preflight import run_preflight
from airflow_provider_batchad.local.access import DenyAssignment, Permission, Role
from airflow_provider_batchad.local.client_settings import client_environment, describe_connection
from airflow_provider_batchad.local.config import LocalAzureConfig, stable_id
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.signing_in import SigningIn, running

ACCOUNT = "Microsoft.Batch/batchAccounts"
SUBMIT = Need.of(DataAction.JOBS_READ, DataAction.JOBS_WRITE)
EXAMPLE = json.loads((Path(__file__).parent / "microsoft-example-role.json").read_text())["properties"]
READ_ROLES = ("Microsoft.Authorization/*/read",)


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a principal is given, and what is said of it.

    :param by_manager: the verdict where it may read what it holds.
    :param by_probes: the verdict where Batch alone is asked; ``None`` for the same.
    """

    by_manager: Verdict
    by_probes: Verdict | None = None
    roles: tuple[str, ...] = ()
    permissions: tuple[Permission, ...] = ()
    scope: str = "batch"
    denied: tuple[Permission, ...] = ()
    missing: frozenset[str] = frozenset()
    unneeded: frozenset[str] = field(default_factory=frozenset)


def custom(
    *actions: str, data: tuple[str, ...] = (), no: tuple[str, ...] = (), no_data: tuple[str, ...] = ()
) -> Permission:
    return Permission(actions=actions, not_actions=no, data_actions=data, not_data_actions=no_data)


READ, WRITE = f"{ACCOUNT}/jobs/read", f"{ACCOUNT}/jobs/write"
BOTH = frozenset({"jobs/read", "jobs/write"})
MISSING, TOO_MUCH, EXACT = Verdict.MISSING, Verdict.TOO_MUCH, Verdict.EXACT
CASES: dict[str, Case] = {
    "exact": Case(by_manager=EXACT, permissions=(custom(data=(READ, WRITE)),)),
    "none": Case(by_manager=MISSING, missing=BOTH),
    "Azure Batch Job Submitter": Case(by_manager=TOO_MUCH, roles=("Azure Batch Job Submitter",)),
    "Azure Batch Data Contributor": Case(by_manager=TOO_MUCH, roles=("Azure Batch Data Contributor",)),
    "Azure Batch Account Contributor": Case(
        by_manager=TOO_MUCH,
        roles=("Azure Batch Account Contributor",),
        unneeded=frozenset({"listKeys/action", "pools/write", "jobs/delete"}),
    ),
    "Azure Batch Account Reader": Case(
        by_manager=MISSING, roles=("Azure Batch Account Reader",), missing=frozenset({"jobs/write"})
    ),
    "Reader": Case(by_manager=MISSING, roles=("Reader",), missing=frozenset({"jobs/write"})),
    "Contributor": Case(
        by_manager=TOO_MUCH, roles=("Contributor",), unneeded=frozenset({"listKeys/action", "pools/delete"})
    ),
    "Owner": Case(by_manager=TOO_MUCH, roles=("Owner",), unneeded=frozenset({"listKeys/action"})),
    "Microsoft's example": Case(
        by_manager=TOO_MUCH,
        permissions=(
            custom(
                *EXAMPLE["permissions"][0]["actions"], data=tuple(EXAMPLE["permissions"][0]["dataActions"])
            ),
        ),
        unneeded=frozenset({"jobs/delete", "jobSchedules/write", "pools/read"}),
    ),
    "wildcards in the middle": Case(
        by_manager=TOO_MUCH,
        permissions=(custom(data=("Microsoft.Batch/*/write", "Microsoft.*/jobs/read")),),
        unneeded=frozenset({"jobSchedules/write"}),
    ),
    "notDataActions": Case(
        by_manager=MISSING,
        permissions=(custom(data=(f"{ACCOUNT}/jobs/*",), no_data=(WRITE,)),),
        missing=frozenset({"jobs/write"}),
    ),
    "notActions": Case(
        by_manager=TOO_MUCH,
        permissions=(custom(f"{ACCOUNT}/pools/*", no=(f"{ACCOUNT}/pools/delete",), data=(READ, WRITE)),),
        unneeded=frozenset({"pools/read", "pools/write"}),
    ),
    "two roles that add up": Case(
        by_manager=EXACT, permissions=(custom(data=(READ,)), custom(data=(f"{ACCOUNT}/jobs/w*",)))
    ),
    "what one takes out the other grants": Case(
        by_manager=EXACT,
        permissions=(custom(data=(READ, WRITE), no_data=(WRITE,)), custom(data=(WRITE,))),
    ),
    "a deny assignment": Case(
        by_manager=MISSING,
        permissions=(custom(data=(READ, WRITE)),),
        denied=(custom(data=(WRITE,)),),
        missing=frozenset({"jobs/write"}),
    ),
    "at the resource group": Case(
        by_manager=EXACT, permissions=(custom(data=(READ, WRITE)),), scope="resource_group"
    ),
    "a built-in role at a management group": Case(
        by_manager=TOO_MUCH, roles=("Azure Batch Job Submitter",), scope="management_group"
    ),
    "listKeys only": Case(
        by_manager=TOO_MUCH,
        permissions=(custom(f"{ACCOUNT}/listKeys/action"),),
        unneeded=frozenset({"listKeys/action", "jobs/delete"}),
    ),
    "actions in place of data actions": Case(
        by_manager=MISSING, permissions=(custom(f"{ACCOUNT}/jobs/*"),), missing=BOTH
    ),
}


@pytest.fixture(scope="module")
def signing_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningIn]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        config = LocalAzureConfig(port=0, state_dir=tmp_path_factory.mktemp("azure"))
        with running(monkeypatch, config) as signing_in:
            for name, value in client_environment(signing_in.azure).items():
                monkeypatch.setenv(name, value)
            unnamed = describe_connection(signing_in.azure)
            unnamed["extra"]["account_resource_id"] = None
            monkeypatch.setenv("AIRFLOW_CONN_UNNAMED", json.dumps(unnamed))
            yield signing_in


@pytest.fixture
def give(signing_in: SigningIn) -> Iterator[Callable[..., None]]:
    """Has the principal hold what a case says, and nothing else at the account."""
    book, config = signing_in.azure.roles, signing_in.azure.config
    principal = config.applications[0].object_id
    denials: list[str] = []

    def give(case: Case, *, reads_roles: bool) -> None:
        for assignment in book.assignments():
            if assignment.scope != config.vault_scope and assignment.principal_id == principal:
                book.unassign(assignment.id)
        names = list(case.roles)
        for number, permission in enumerate(case.permissions):
            names.append(f"custom {number}")
            book.define(Role(id=stable_id(names[-1]), name=names[-1], permissions=(permission,), custom=True))
        for name in names:
            book.assign(principal_id=principal, role=name, scope=config.scope_of(case.scope))
        if reads_roles:
            reader = Role(
                id=stable_id("reader of roles"),
                name="reader of roles",
                permissions=(Permission(actions=READ_ROLES),),
                custom=True,
            )
            book.define(reader)
            book.assign(principal_id=principal, role=reader.name, scope=config.account_scope)
        if case.denied:
            denial = DenyAssignment(name="d", scope=config.account_scope, permissions=case.denied)
            denials.append(book.deny(denial).id)

    yield give
    for denial in denials:
        book.remove_denial(denial)


def changes(signing_in: SigningIn) -> list[Any]:
    """What was asked of Batch that had an effect, and every listing of keys."""
    entries = signing_in.azure.ledger.entries()
    return [
        entry
        for entry in entries
        if (entry.service == "batch" and entry.method not in {"GET", "HEAD"} and entry.status < 300)
        or "listkeys" in entry.path.casefold()
    ]


def judged(found: Preflight) -> tuple[Verdict, set[str], set[str]]:
    return found.verdict, set(map(short_name, found.missing)), set(map(short_name, found.unneeded))


@pytest.mark.parametrize("name", CASES)
def test_what_resource_manager_says(name: str, signing_in: SigningIn, give: Callable[..., None]) -> None:
    case = CASES[name]
    give(case, reads_roles=True)
    found = run_preflight("batchad_default", SUBMIT, Need())
    # The right to read roles is none that Batch asks for: without it, it could not be told.
    assert found.elsewhere[-1:] == READ_ROLES or READ_ROLES[0] in found.elsewhere
    bare = Preflight(need=found.need, optional=found.optional, findings=found.findings, notes=found.notes)
    verdict, missing, unneeded = judged(bare)
    assert (verdict, missing) == (case.by_manager, case.missing)
    assert case.unneeded <= unneeded
    assert changes(signing_in) == []


@pytest.mark.parametrize("name", CASES)
def test_what_batch_itself_says(name: str, signing_in: SigningIn, give: Callable[..., None]) -> None:
    case = CASES[name]
    give(case, reads_roles=False)
    found = run_preflight("unnamed", SUBMIT, Need())
    verdict, missing, unneeded = judged(found)
    assert (verdict, missing) == (case.by_probes or case.by_manager, case.missing)
    assert case.unneeded - {"listKeys/action"} <= unneeded
    assert "account_resource_id" in found.notes[0]
    assert changes(signing_in) == []


def test_the_keys_are_told_of_first(signing_in: SigningIn, give: Callable[..., None]) -> None:
    give(CASES["Contributor"], reads_roles=True)
    found = run_preflight("batchad_default", SUBMIT, Need())
    assert short_name(found.unneeded[0]) == "listKeys/action"


def test_where_roles_cannot_be_read_batch_is_asked(signing_in: SigningIn, give: Callable[..., None]) -> None:
    give(CASES["exact"], reads_roles=False)
    found = run_preflight("batchad_default", SUBMIT, Need())
    assert found.verdict is Verdict.EXACT
    assert "AuthorizationFailed" in found.notes[0]


def test_what_is_not_answered_is_not_denied(signing_in: SigningIn, give: Callable[..., None]) -> None:
    give(CASES["exact"], reads_roles=False)
    rule = signing_in.azure.faults.add(
        FaultRule(service="batch", operation="Terminate Job", status=500, code="InternalError")
    )
    try:
        found = run_preflight("unnamed", SUBMIT, Need())
    finally:
        signing_in.azure.faults.remove(rule.id)
    assert found.held(DataAction.JOBS_WRITE) is Held.UNKNOWN
    assert found.verdict is Verdict.UNKNOWN


def test_an_outage_of_resource_manager_is_not_a_denial(
    signing_in: SigningIn, give: Callable[..., None]
) -> None:
    give(CASES["exact"], reads_roles=True)
    rule = signing_in.azure.faults.add(FaultRule(service="management", broken="reset"))
    try:
        found = run_preflight("batchad_default", SUBMIT, Need())
    finally:
        signing_in.azure.faults.remove(rule.id)
    assert found.verdict is Verdict.EXACT
    assert "could not be reached" in found.notes[0]


def test_testing_the_connection_warns_of_the_keys(signing_in: SigningIn, give: Callable[..., None]) -> None:
    give(CASES["Contributor"], reads_roles=False)
    passed, message = AzureBatchAdHook().test_connection()
    assert passed
    assert "may list the account's keys" in message
    give(CASES["exact"], reads_roles=True)
    assert "keys" not in AzureBatchAdHook().test_connection()[1]


DAG = """
from airflow.sdk import DAG
from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator

with DAG("d"):
    AzureBatchSubmitJobOperator(task_id="t", pool_id="cpu", command_line="true")
"""


@pytest.mark.parametrize(
    ("name", "status"),
    [("exact", 3), ("none", 1), ("Contributor", 3)],
)
def test_the_command_has_a_status_and_a_report(
    name: str,
    status: int,
    signing_in: SigningIn,
    give: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "d.py").write_text(DAG)
    give(CASES[name], reads_roles=True)
    for flags in ((), ("--json",)):
        with pytest.raises(SystemExit) as ended:
            main(["check", "--dags-folder", str(tmp_path), *flags])
        # Reading roles is itself more than the DAGs need.
        assert ended.value.code == status
    said = capsys.readouterr().out
    report, found = said.split("{", 1)
    assert json.loads("{" + found)["missing"] == sorted(f"{ACCOUNT}/{one}" for one in CASES[name].missing)
    assert "d.t" in report


def test_a_role_file_is_judged_without_asking_anyone(
    signing_in: SigningIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "d.py").write_text(DAG)
    before = len(signing_in.azure.ledger.entries())
    example = str(Path(__file__).parent / "microsoft-example-role.json")
    with pytest.raises(SystemExit) as ended:
        main(["check", "--dags-folder", str(tmp_path), "--role", example])
    assert ended.value.code == 3
    assert "The principal holds more than the DAGs need." in capsys.readouterr().out
    assert len(signing_in.azure.ledger.entries()) == before


def test_a_connection_that_cannot_sign_in_says_so(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = describe_connection(signing_in.azure)
    wrong["extra"]["vault_credential_name"] = "absent"
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(wrong))
    with pytest.raises(BatchAdError, match="vault_credential_name"):
        run_preflight("wrong", SUBMIT, Need())
