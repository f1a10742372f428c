"""``airflow batchad check``: what the principal holds at the account against what the DAGs need."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.access.actions import DataAction, Need, short_name
from airflow_provider_batchad.access.preflight import Held, Preflight, RoleElement, Verdict, judge_elements
from airflow_provider_batchad.commands.dag_bag import read_bag
from airflow_provider_batchad.commands.dag_reader import AT_RUN_TIME, DagNeeds, Use, read_needs
from airflow_provider_batchad.commands.needs import need_of_uses, reasons_of
from airflow_provider_batchad.commands.report import give_up, print_table, say
from airflow_provider_batchad.commands.role_file import read_role_file
from airflow_provider_batchad.errors import BatchAdError

if TYPE_CHECKING:
    import argparse

STATUSES: Final = {Verdict.EXACT: 0, Verdict.MISSING: 1, Verdict.UNKNOWN: 2, Verdict.TOO_MUCH: 3}
_SENTENCES: Final = {
    Verdict.EXACT: "The principal holds exactly what the DAGs need.",
    Verdict.MISSING: "The principal lacks what the DAGs need.",
    Verdict.UNKNOWN: "It cannot be told whether the principal holds exactly what the DAGs need.",
    Verdict.TOO_MUCH: "The principal holds more than the DAGs need.",
}


def run_check(arguments: argparse.Namespace) -> int:
    """Look and report; the exit status: 0 exact, 1 missing, 2 cannot be told, 3 too much."""
    needs = read_needs(
        read_bag(arguments.dags_folder, arguments.dag_id, bundle_names=arguments.bundle_name, verb="check")
    )
    uses, doubts = _uses(arguments.conn_id, needs)
    need, optional = need_of_uses(uses), need_of_uses(uses, optional=True)
    if arguments.role:
        found = _judge_file(arguments.role, need, optional)
    else:
        found = _judge_principal(arguments.conn_id, need, optional)
    if arguments.json:
        print(json.dumps(_as_json(found, uses, doubts), indent=2))
    else:
        _report(found, uses)
    # What cannot be read may need more: the role may fit, and be too small.
    fits = found.verdict in {Verdict.EXACT, Verdict.TOO_MUCH}
    return STATUSES[Verdict.UNKNOWN if needs.unread and fits else found.verdict]


def _uses(conn_id: str, needs: DagNeeds) -> tuple[list[Use], list[str]]:
    """What is wanted of the connection, and what may be wanted besides."""
    doubts = [*needs.unread, *needs.unclear]
    uses = needs.uses.get(conn_id, [])
    others = [other for other in needs.uses if "{{" in other or "{%" in other or other == AT_RUN_TIME]
    if others:
        doubts.append(
            f"Not counted, since it is known only when they run which they use: {', '.join(others)}."
        )
    for sentence in doubts:
        say(sentence)
    tasks = {(use.dag_id, use.task_id) for use in uses}
    say(f"{len(tasks)} task(s) use the connection {conn_id!r}.")
    return uses, doubts


def _judge_file(file: str, need: Need, optional: Need) -> Preflight:
    role = read_role_file(file, verb="check", argument="--role")
    elements = [RoleElement(permission=one, role=role.name) for one in role.permissions]
    findings, elsewhere = judge_elements(elements, ())
    return Preflight(need=need, optional=optional, findings=findings, elsewhere=elsewhere)


def _judge_principal(conn_id: str, need: Need, optional: Need) -> Preflight:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_batchad.hooks.preflight import run_preflight

    try:
        return run_preflight(conn_id, need, optional)
    except AirflowNotFoundException:
        give_up("check", f"Airflow has no connection {conn_id!r}.")
    except BatchAdError as error:
        give_up("check", str(error))


def _report(found: Preflight, uses: list[Use]) -> None:
    reasons = reasons_of(uses)
    rows = []
    for finding in sorted(found.findings, key=lambda one: _order(found, one.action)):
        action = finding.action
        needed = _needed(found, action)
        if needed == "" and finding.held is Held.NO:
            continue
        state = _state(found, action)
        kind = "data action" if isinstance(action, DataAction) else "action"
        why = "; ".join(reasons.get(action.value, ()))
        rows.append((state, kind, short_name(action), needed, f"{finding.how}{f' ({why})' if why else ''}"))
    beside = "a role grants it; Batch does not ask for it"
    rows += [("too much", "", pattern, "", beside) for pattern in found.elsewhere]
    print_table(("", "kind", "action", "needed", "how it is known"), rows, file=sys.stdout)
    if found.unneeded and found.unneeded[0].value.endswith("listKeys/action"):
        print("It may list the account's keys: whoever may do that needs no role, and none limits them.")
    for note in found.notes:
        print(note)
    print(_SENTENCES[found.verdict])


def _order(found: Preflight, action: Any) -> tuple[int, str]:
    states = ("missing", "too much", "cannot tell", "")
    return states.index(_state(found, action)), action.value


def _state(found: Preflight, action: Any) -> str:
    if action in found.missing:
        return "missing"
    if action in found.unneeded:
        return "too much"
    return "cannot tell" if action in found.untold else ""


def _needed(found: Preflight, action: Any) -> str:
    if action in found.need.all():
        return "yes"
    return "optional" if action in found.optional.all() else ""


def _as_json(found: Preflight, uses: list[Use], doubts: list[str]) -> dict[str, Any]:
    reasons = reasons_of(uses)
    return {
        "verdict": found.verdict.value,
        "missing": [action.value for action in found.missing],
        "unneeded": [action.value for action in found.unneeded],
        "unknown": [action.value for action in found.untold],
        "elsewhere": list(found.elsewhere),
        "actions": [
            {
                "action": finding.action.value,
                "kind": "dataAction" if isinstance(finding.action, DataAction) else "action",
                "needed": _needed(found, finding.action) or "no",
                "held": finding.held.value,
                "how": finding.how,
                "reasons": reasons.get(finding.action.value, []),
            }
            for finding in found.findings
        ],
        "notes": list(found.notes),
        "doubts": doubts,
    }
