"""Each operator under exactly the role that ``airflow batchad role`` prints for it, and less each line."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_batchad.access.actions import AnyAction, parse_action, short_name
from airflow_provider_batchad.access.operations import BY_NAME
from airflow_provider_batchad.cli import main
from airflow_provider_batchad.errors import JobFailed, UndeclaredRequest
from airflow_provider_batchad.local.client_settings import describe_connection
from airflow_provider_batchad.local.management.role_json import role_from_json
from airflow_provider_batchad.triggers import job as trigger_module
from tests.contract.blob_storage import READS, WRITES, config_with, container_url
from tests.contract.operator_runs import context_of
from tests.contract.role_cases import CASES, POOLS, TABLES, Case
from tests.contract.signing_in import SigningIn, connected
from tests.role_table import ENOUGH, LESS_ONE

DAGS = Path(__file__).with_name("role_case_dags.py")
KINDS = ("Actions", "DataActions")
Record = Callable[[str, object], None]
Roles = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory) -> Roles:
    """What the verb prints for each case's connection."""
    folder = tmp_path_factory.mktemp("roles")
    with pytest.raises(SystemExit) as ended:
        main(["role", "--dags-folder", str(DAGS), "--output-dir", str(folder)])
    assert ended.value.code == 0
    return {file.stem: json.loads(file.read_text()) for file in folder.iterdir()}


@pytest.fixture(scope="module")
def signing_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigningIn]:
    # Roles for storage are none of what the verb prints: they are there in all cases.
    config = config_with(WRITES, READS, state_dir=tmp_path_factory.mktemp("azure"), pools=POOLS)
    with pytest.MonkeyPatch.context() as patch, connected(patch, config) as signing_in:
        patch.setenv("STORAGE", container_url(signing_in.azure).rpartition("/")[0])
        patch.setattr(trigger_module, "SETTLE_SECONDS", 0.0)
        yield signing_in


@pytest.fixture(autouse=True)
def connections(signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case's own connection, which leaves refusing to Batch."""
    for case in CASES:
        give_connection(monkeypatch, signing_in, case, "off")


def give_connection(
    patch: pytest.MonkeyPatch, signing_in: SigningIn, case: Case, least_privilege: str
) -> None:
    given = describe_connection(signing_in.azure)
    given["extra"]["least_privilege"] = least_privilege
    patch.setenv(f"AIRFLOW_CONN_{case.conn_id.upper()}", json.dumps(given))


def give_role(signing_in: SigningIn, printed: dict[str, Any], *, less: AnyAction | None = None) -> None:
    """The principal holds exactly what was printed, less one line."""
    book, config = signing_in.azure.roles, signing_in.azure.config
    for assignment in book.assignments():
        if assignment.scope == config.account_scope:
            book.unassign(assignment.id)
    left = {kind: [line for line in printed[kind] if line != less] for kind in KINDS}
    if not any(left.values()):
        return
    role = role_from_json({**printed, **left})
    book.define(role)
    book.assign(principal_id=config.applications[0].object_id, role=role.id, scope=config.account_scope)


def needed_by(case: Case) -> tuple[AnyAction, ...]:
    return tuple(one.action for one in case.kind.required_actions(case.arguments))


def run(case: Case, kind: Any = None) -> Any:
    """Each try as Airflow makes it, the triggerer's part included."""
    operator = (kind or case.kind)(task_id="t", **case.arguments)
    context = context_of(operator)
    context["ti"].run_id = str(context["ti"].id)
    context["storage"] = os.environ["STORAGE"]
    operator.render_template_fields(context)
    tries = max((value.tries for value in case.values), default=1)
    for number in range(1, tries + 1):
        context["ti"].try_number = number
        try:
            return finish(operator, context)
        except JobFailed:
            if number == tries:
                raise
    return None


def finish(operator: Any, context: Any) -> Any:
    method = operator.execute
    arguments: dict[str, Any] = {}
    while True:
        try:
            return method(context, **arguments)
        except TaskDeferred as deferred:
            event = asyncio.run(first_event(deferred.trigger))
            method = getattr(operator, deferred.method_name)
            arguments = {"event": event, **(deferred.kwargs or {})}


async def first_event(trigger: Any) -> Any:
    return (await anext(aiter(trigger.run()))).payload


def refused(signing_in: SigningIn, case: Case, since: int) -> list[str]:
    """What was answered with 401 or 403, besides what the operator does without."""
    optional = {one.action for one in case.kind.optional_actions(case.arguments)}
    return [
        str(entry.operation)
        for entry in signing_in.azure.ledger.entries(service="batch")[since:]
        if entry.status in {401, 403} and not set(BY_NAME[str(entry.operation)].need.all()) <= optional
    ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_printed_role_is_enough(
    case: Case, roles: Roles, signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch, record_property: Record
) -> None:
    give_connection(monkeypatch, signing_in, case, "enforce")
    give_role(signing_in, roles[case.conn_id])
    since = len(signing_in.azure.ledger.entries(service="batch"))
    ends = next((value.ends for value in case.values if value.ends), None)
    if ends is None:
        run(case)
    else:
        with pytest.raises(ends):
            run(case)
    assert refused(signing_in, case, since) == []
    lines = [line for kind in KINDS for line in roles[case.conn_id][kind]]
    assert {parse_action(line) for line in lines} == set(needed_by(case))
    record_property(
        ENOUGH, (case.operator, case.name, ", ".join(short_name(parse_action(one)) for one in lines))
    )


MUTATIONS = [
    pytest.param(case, action, id=f"{case}, less {short_name(action)}")
    for case in CASES
    for action in needed_by(case)
]


@pytest.mark.parametrize(("case", "action"), MUTATIONS)
def test_less_one_line_of_it_is_not(
    case: Case,
    action: AnyAction,
    roles: Roles,
    signing_in: SigningIn,
    capsys: pytest.CaptureFixture[str],
    record_property: Record,
) -> None:
    give_role(signing_in, roles[case.conn_id], less=action)
    since = len(signing_in.azure.ledger.entries(service="batch"))
    said = refusal_of(case, action, capsys)
    assert "HTTP 403" in said
    assert action.value in said
    operations = sorted(set(refused(signing_in, case, since)))
    assert operations
    record_property(
        LESS_ONE, (case.operator, case.name, f"less {short_name(action)}: {', '.join(operations)} refused")
    )


def refusal_of(case: Case, action: AnyAction, capsys: pytest.CaptureFixture[str]) -> str:
    if short_name(action) == "jobs/delete":
        # Clean-up never changes the verdict: the log says it.
        run(case)
        return " ".join("".join(capsys.readouterr()).split())
    with pytest.raises(AirflowFailException) as failed:
        run(case)
    return str(failed.value)


WIDEST = [
    max((one for one in CASES if one.operator == operator), key=lambda one: len(needed_by(one)))
    for operator in TABLES
]


@pytest.mark.parametrize(
    ("case", "action"), [(case, action) for case in WIDEST for action in needed_by(case)], ids=str
)
def test_what_an_operator_does_not_declare_the_guard_names_and_does_not_send(
    case: Case,
    action: AnyAction,
    roles: Roles,
    signing_in: SigningIn,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def wanted(_: Any, arguments: Any) -> list[Any]:
        return [one for one in case.kind.wanted_actions(arguments) if one.action != action]

    less = type("Less", (case.kind,), {"wanted_actions": classmethod(wanted)})
    give_connection(monkeypatch, signing_in, case, "enforce")
    give_role(signing_in, roles[case.conn_id])
    since = len(signing_in.azure.ledger.entries(service="batch"))
    try:
        run(case, less)
    except UndeclaredRequest as error:
        said = str(error)
    else:
        said = " ".join("".join(capsys.readouterr()).split())
    assert f"needs {short_name(action)}, which Less does not declare" in said
    assert refused(signing_in, case, since) == []
