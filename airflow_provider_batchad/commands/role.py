"""``airflow batchad role``: the smallest custom role that runs the DAGs, for each connection."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.access.comparison import Fit, compare
from airflow_provider_batchad.access.role_forms import RoleForm, write_role
from airflow_provider_batchad.access.roles import CustomRole
from airflow_provider_batchad.commands.dag_bag import read_bag
from airflow_provider_batchad.commands.dag_reader import Use, read_needs
from airflow_provider_batchad.commands.needs import need_of_uses, reasons_of
from airflow_provider_batchad.commands.report import give_up, plain, say
from airflow_provider_batchad.commands.role_file import read_role_file
from airflow_provider_batchad.commands.role_report import report_drift, report_elsewhere, report_role

if TYPE_CHECKING:
    import argparse

DRIFT, UNREADABLE = 1, 2
_LONGEST_NAME: Final = 512  # of a custom role, by Azure's documentation
_LONGEST_STEM: Final = 100
_GROUP_OF_ACCOUNT: Final = re.compile(
    r"(/subscriptions/[^/]+/resourceGroups/[^/]+)/providers/Microsoft\.Batch/batchAccounts/[^/]+",
    re.IGNORECASE,
)
_SUFFIXES: Final = {RoleForm.BICEP: "bicep", RoleForm.TERRAFORM: "tf"}
PLACEHOLDER_ACCOUNT: Final = (
    "/subscriptions/<subscription-id>/resourceGroups/<resource-group>/providers/Microsoft.Batch/batchAccounts/"
    "<account>"
)


def run_role(arguments: argparse.Namespace) -> int:
    """Print the roles; the exit status: 1 for a role file that differs, 2 for DAGs that cannot be read."""
    needs = read_needs(
        read_bag(arguments.dags_folder, arguments.dag_id, bundle_names=arguments.bundle_name, verb="role")
    )
    chosen = arguments.conn_id or needs.uses
    wanted = {conn_id: uses for conn_id, uses in sorted(needs.uses.items()) if conn_id in chosen}
    for sentence in (*needs.unread, *needs.unclear):
        say(sentence)
    say(f"{needs.dags} DAG(s) read; {needs.tasks} of their tasks use Azure Batch.")
    if not wanted:
        on = f" on {', '.join(arguments.conn_id)}" if arguments.conn_id else ""
        say(f"No task wants anything of a Batch account{on}.")
        return UNREADABLE
    if arguments.name and len(wanted) > 1 and not arguments.diff:
        give_up(
            "role", f"--name: there are {len(wanted)} roles, and a name is for one; choose with --conn-id"
        )
    if arguments.diff:
        status = _diff(arguments.diff, wanted)
    else:
        status = 0
        if len(wanted) > 1 and not arguments.output_dir:
            say(f"{len(wanted)} roles follow one another; --output-dir writes a file for each.")
        files = _files(arguments.output_dir, RoleForm(arguments.form), wanted) if arguments.output_dir else {}
        for conn_id, uses in wanted.items():
            _print_role(arguments, conn_id, uses, files.get(conn_id))
            report_elsewhere(needs.elsewhere.get(conn_id, ()))
    return UNREADABLE if needs.unread else status


def _diff(file: str, wanted: Mapping[str, list[Use]]) -> int:
    role = read_role_file(file, verb="role", argument="--diff")
    if len(wanted) > 1:
        say(f"Compared with what {len(wanted)} connections need together: {', '.join(wanted)}.")
    uses = [use for one in wanted.values() for use in one]
    found = compare(role.permissions, need_of_uses(uses), need_of_uses(uses, optional=True))
    report_drift(role, found, uses)
    return 0 if found.fit is Fit.EXACT and not found.opened else DRIFT


def _files(folder: str, form: RoleForm, conn_ids: Iterable[str]) -> dict[str, Path]:
    """A file for each connection; two whose IDs are alike have a part of the ID's hash in their names."""
    plain = {
        one: re.sub(r"[^A-Za-z0-9_.-]+", "-", one).strip("-.")[:_LONGEST_STEM] or "role" for one in conn_ids
    }
    # Some file systems take upper and lower case for the same.
    often = Counter(stem.casefold() for stem in plain.values())
    suffix = _SUFFIXES.get(form, "json")
    return {
        conn_id: Path(folder)
        / f"{stem if often[stem.casefold()] == 1 else f'{stem}-{_mark(conn_id)}'}.{suffix}"
        for conn_id, stem in plain.items()
    }


def _mark(conn_id: str) -> str:
    return hashlib.sha256(conn_id.encode()).hexdigest()[:8]


def _print_role(arguments: argparse.Namespace, conn_id: str, uses: list[Use], file: Path | None) -> None:
    account = arguments.account_resource_id or _account_of(conn_id) or PLACEHOLDER_ACCOUNT
    group = _GROUP_OF_ACCOUNT.fullmatch(account)
    if group is None:
        give_up("role", f"--account-resource-id: expected {PLACEHOLDER_ACCOUNT}")
    need = need_of_uses(uses)
    named = plain(" ".join(conn_id.split()))
    role = CustomRole.smallest(
        need,
        name=arguments.name or f"Airflow Batch {named}",
        description=f"What Airflow's DAGs need of Azure Batch on the connection {named}, and nothing else",
        assignable_scopes=[group[1]],
    )
    if not role.name.isprintable():
        give_up("role", "--name: expected one line, without signs that are not printed")
    if len(role.name) > _LONGEST_NAME:
        give_up("role", f"--name: Azure takes at most {_LONGEST_NAME} characters, not {len(role.name)}")
    form = RoleForm(arguments.form)
    text = write_role(role, form, reasons_of(uses), reasons_of(uses, optional=True))
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            give_up("role", f"--output-dir: {error}")
    report_role(conn_id, uses, need, role, account=account, file=file, form=form)
    if file is None:
        print(text, end="")


def _account_of(conn_id: str) -> str | None:
    """The account's resource ID, where the connection can be looked up and names it."""
    from airflow.providers.common.compat.sdk import AirflowException, BaseHook

    from airflow_provider_batchad.errors import BatchAdError
    from airflow_provider_batchad.hooks.resolve import resolve_connection

    try:
        return resolve_connection(BaseHook.get_connection(conn_id)).account_resource_id
    except AirflowException:
        return None
    except BatchAdError as error:
        say(f"The connection {conn_id!r} is not read: {error}")
    except Exception as error:  # noqa: BLE001 - in CI there need be no database, nor a secrets backend
        say(f"The connection {conn_id!r} cannot be looked up: {type(error).__name__}")
    return None
