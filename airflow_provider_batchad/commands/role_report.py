"""What ``airflow batchad role`` says to people, on stderr: programs read stdout."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_batchad.access.actions import AnyAction, DataAction, short_name
from airflow_provider_batchad.access.builtin_roles import JOB_SUBMITTER
from airflow_provider_batchad.access.comparison import Comparison, Fit, compare
from airflow_provider_batchad.access.permissions import matches
from airflow_provider_batchad.access.role_forms import RoleForm, role_definition_name
from airflow_provider_batchad.commands.report import print_table, say
from airflow_provider_batchad.hooks.blobs import ASSIGNMENT

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_batchad.access.actions import Need
    from airflow_provider_batchad.access.roles import CustomRole
    from airflow_provider_batchad.commands.dag_reader import Use, UseElsewhere

_SHOWN = 3


def report_role(
    conn_id: str,
    uses: Sequence[Use],
    need: Need,
    role: CustomRole,
    *,
    account: str,
    file: Path | None,
    form: RoleForm,
) -> None:
    """Why each line of the role is there, what the built-in role would add, how to make and assign it."""
    say(f"\nConnection {conn_id!r}: {role.name}" + (f", written to {file}" if file else ""))
    print_table(
        ("kind", "action", "wanted by", "for"),
        [
            (_kind(action, mine), short_name(action), _tasks(mine), "; ".join(dict.fromkeys(map(_why, mine))))
            for action, mine in _by_action(uses)
        ],
    )
    if _mixes_duties(uses):
        say(
            "Some of its tasks submit jobs and others manage pools: give the latter a connection of their "
            "own, so that who submits jobs cannot run up cost."
        )
    found = compare(JOB_SUBMITTER.permissions, need)
    beyond = ", ".join([*map(short_name, found.unneeded), *found.foreign])
    say(f"The built-in role {JOB_SUBMITTER.name!r} would grant besides: {beyond}.")
    if found.missing:
        say(f"It lacks: {', '.join(map(short_name, found.missing))}.")
    say(f"Make it:   {_making(form, role, file)}")
    say(
        "Assign it: az role assignment create --assignee-object-id <object-id> --assignee-principal-type "
        f"ServicePrincipal --role {_quoted(role.name)} --scope {_quoted(account)}"
    )


def report_elsewhere(uses: Sequence[UseElsewhere]) -> None:
    """What is wanted of other services, by the role and what it is for: no role at the account gives it."""
    by_place: dict[tuple[str, str], list[UseElsewhere]] = {}
    for use in uses:
        by_place.setdefault((use.wanted.role, use.wanted.at), []).append(use)
    for (role, at), mine in sorted(by_place.items()):
        why = f"{mine[0].operator} ({mine[0].wanted.argument}) {mine[0].wanted.why}: {_tasks(mine)}"
        say(f"Besides, outside of the account: {role!r} at {at}. {why}.\nAssign it: {ASSIGNMENT}")


def _making(form: RoleForm, role: CustomRole, file: Path | None) -> str:
    body = _quoted(f"@{file or 'role.json'}")
    match form:
        case RoleForm.AZURE_CLI:
            return f"az role definition create --role-definition {body}"
        case RoleForm.RESOURCE_MANAGER:
            # The Azure CLI's own command does not take this form.
            scope, name = role.assignable_scopes[0], role_definition_name(role)
            path = f"{scope}/providers/Microsoft.Authorization/roleDefinitions/{name}?api-version=2022-04-01"
            return f"az rest --method put --uri {_quoted(path)} --body {body}"
        case RoleForm.BICEP:
            group = _quoted(role.assignable_scopes[0].rpartition("/")[2])
            written = _quoted(str(file or "role.bicep"))
            return f"az deployment group create --resource-group {group} --template-file {written}"
        case RoleForm.TERRAFORM:
            return "terraform apply"


def _quoted(text: str) -> str:
    # Double quotes where they do: the same in a shell of Windows.
    return f'"{text}"' if not set('"$`\\!%\n') & set(text) else shlex.quote(text)


def report_drift(role: CustomRole, found: Comparison, uses: Sequence[Use]) -> None:
    """How a role file differs from what the DAGs need."""
    if found.fit is Fit.EXACT and not found.opened:
        say(f"{role.name!r} is exactly what the DAGs need.")
        return
    wanted = dict(_by_action(uses))
    rows = [("missing", short_name(one), _tasks(wanted.get(one, ()))) for one in found.missing]
    rows += [("missing", short_name(one), f"opened by {short_name(by)}") for one, by in found.opened]
    rows += [("not needed", short_name(one), _patterns(found, one)) for one in found.unneeded]
    rows += [
        ("not needed", pattern, "no action that the Batch service asks for") for pattern in found.foreign
    ]
    say(f"{role.name!r} differs from what the DAGs need:")
    print_table(("", "action", ""), rows)
    if found.opens_everything:
        say("It may list the account's keys: whoever may do that needs no role, and none limits them.")


def _mixes_duties(uses: Iterable[Use]) -> bool:
    submitting: set[tuple[str, str]] = set()
    managing: set[tuple[str, str]] = set()
    for use in uses:
        task = (use.dag_id, use.task_id)
        (submitting if isinstance(use.wanted.action, DataAction) else managing).add(task)
    return bool(submitting) and bool(managing - submitting)


def _by_action(uses: Iterable[Use]) -> list[tuple[AnyAction, list[Use]]]:
    found: dict[AnyAction, list[Use]] = {}
    for use in uses:
        found.setdefault(use.wanted.action, []).append(use)
    return sorted(found.items(), key=lambda item: (isinstance(item[0], DataAction), item[0].value))


def _kind(action: AnyAction, mine: Iterable[Use]) -> str:
    kind = "data action" if isinstance(action, DataAction) else "action"
    return f"optional {kind}" if all(use.wanted.optional for use in mine) else kind


def _tasks(uses: Iterable[Use | UseElsewhere]) -> str:
    tasks = list(dict.fromkeys(f"{use.dag_id}.{use.task_id}" for use in uses))
    more = f" and {len(tasks) - _SHOWN} more" if len(tasks) > _SHOWN else ""
    return ", ".join(tasks[:_SHOWN]) + more


def _why(use: Use) -> str:
    wanted = use.wanted
    asked = f" ({wanted.argument})" if wanted.argument else ""
    widest = ", known only at run time: its widest choice" if wanted.widest else ""
    return f"{use.operator}{asked} {wanted.why}{widest}"


def _patterns(found: Comparison, action: AnyAction) -> str:
    mine = [pattern for pattern in found.patterns if matches(pattern, action.value)]
    return "" if mine == [action.value] else f"by {', '.join(mine)}"
