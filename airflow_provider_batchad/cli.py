"""``airflow batchad …``, and the same as ``batchad …``, which loads no Airflow for what does not need it.

Airflow imports this module at the start of each of its commands: the work is imported when it is asked for.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.connection_form import DEFAULT_CONNECTION_ID
from airflow_provider_batchad.local.cli.arguments import add_arguments
from airflow_provider_batchad.local.cli.control_arguments import add_verbs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.cli.cli_config import GroupCommand

_GROUP_HELP = "Azure Batch with Microsoft Entra ID"
_LOCAL_HELP = "Run local Azure: Entra ID, Key Vault and Batch on loopback, for development and tests"
_ORPHANS_HELP = "Find, and end, the Batch jobs whose Airflow task is over"
_ORPHANS_ABOUT = (
    "Lists the Batch jobs of this Airflow that are not over while their task instance is finished, cleared "
    "or deleted. Asks Airflow's database: run it where the scheduler runs. The status is 0 where none are "
    "left, 1 where some are, 2 where it cannot be said."
)
_WIDEST = 10_000
_LOGIN_HELP = "Sign in as a person, for a connection whose 'sign_in' is 'integrated'"


class _Recorded:
    """Collects the arguments that a function adds to a parser, for Airflow's own kind of parser."""

    def __init__(self) -> None:
        self.arguments: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    def add_argument(self, *flags: str, **options: Any) -> None:
        self.arguments.append((flags, options))


def get_commands() -> list[GroupCommand]:
    """The commands that Airflow adds to its own (provider key ``cli``)."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

    class Verbs(Arg):
        """Lets a command have verbs below it and do something without one, as Airflow's own have not."""

        def __init__(self) -> None:
            super().__init__(("VERB",))  # type: ignore[no-untyped-call]

        def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
            add_verbs(parser)

    local = ActionCommand(
        name="local",
        help=_LOCAL_HELP,
        func=lazy_load_command(f"{__name__}.run_local"),
        args=(
            Verbs(),
            *_airflows(add_arguments),
        ),
    )
    login = ActionCommand(
        name="login",
        help=_LOGIN_HELP,
        func=lazy_load_command(f"{__name__}.run_login"),
        args=_airflows(_add_login_arguments),
    )
    orphans = ActionCommand(
        name="orphans",
        help=_ORPHANS_HELP,
        description=_ORPHANS_ABOUT,
        func=lazy_load_command(f"{__name__}.run_orphans"),
        args=_airflows(_add_orphans_arguments),
    )
    return [GroupCommand(name="batchad", help=_GROUP_HELP, subcommands=[local, login, orphans])]


def _airflows(add: Callable[[Any], None]) -> tuple[Any, ...]:
    from airflow.cli.cli_config import Arg

    recorded = _Recorded()
    add(recorded)
    return tuple(Arg(flags, **options) for flags, options in recorded.arguments)  # type: ignore[no-untyped-call]


def run_local(arguments: argparse.Namespace) -> None:
    """Run local Azure until it is told to stop, or do what a verb says to one that runs."""
    from airflow_provider_batchad.local.cli.command import run

    raise SystemExit(run(arguments))


def run_login(arguments: argparse.Namespace) -> None:
    """Let a person sign in; the status is 1 where that came to nothing."""
    _use_airflows_database()
    from airflow_provider_batchad.hooks.login import LoginFailed, log_in

    try:
        name = log_in(
            arguments.conn_id,
            by_device_code=arguments.device_code,
            show=lambda line: print(line, flush=True),
        )
    except LoginFailed as error:
        print(f"batchad login: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("batchad login: nobody has signed in.", file=sys.stderr)
        raise SystemExit(130) from None
    print(f"Signed in as {name} for the connection {arguments.conn_id!r}.")


def run_orphans(arguments: argparse.Namespace) -> None:
    """List the jobs that no task wants any more, and end them where that is asked for."""
    _use_airflows_database()
    from airflow_provider_batchad.hooks.orphans import LookFailed, end_orphan, find_orphans, looking

    left = 0
    try:
        with looking(arguments.conn_id) as hook:
            found = find_orphans(hook)
            rows = []
            for orphan in found.orphans:
                row = orphan.as_json()
                if arguments.terminate:
                    # Another one's by now, or over: either way it is no orphan any more.
                    row["terminated"] = end_orphan(hook, orphan, who=getpass.getuser())
                else:
                    left += 1
                rows.append(row)
                if arguments.json:
                    print(json.dumps(row), flush=True)
    except LookFailed as error:
        print(f"batchad orphans: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    if not arguments.json:
        _show_orphans(rows, looked_at=found.looked_at)
    if found.unknown:
        print(
            f"Left out: {len(found.unknown)} job(s) of task instances that this Airflow does not have, such "
            f"as {found.unknown[0]}: of a run that was deleted, or another Airflow's. Name this one with "
            "[batchad] deployment to tell.",
            file=sys.stderr,
        )
    raise SystemExit(1 if left else 0)


def _show_orphans(rows: Sequence[dict[str, Any]], *, looked_at: int) -> None:
    from rich.console import Console
    from rich.table import Table

    if not rows:
        print(f"No orphans among {looked_at} job(s) of this Airflow that are not over.")
        return
    # The width of a terminal is no reason to cut an id that is to be copied, or read from a log.
    table = Table("Batch job", "DAG", "run", "task", "try", "created", "why", box=None)
    for row in rows:
        task = row["task_id"] if row["map_index"] < 0 else f"{row['task_id']}[{row['map_index']}]"
        ended = ""
        if "terminated" in row:
            ended = "; terminated" if row["terminated"] else "; over by now, or another try's"
        cells = (row["job_id"], row["dag_id"], row["run_id"], task, str(row["try_number"] or ""))
        table.add_row(*cells, row["created"][:19].replace("T", " "), f"{row['why']}{ended}")
    Console(markup=False, highlight=False, width=_WIDEST).print(table)


def _use_airflows_database() -> None:
    # As Airflow's own commands on connections do: without it, those in its database are not found.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"


def _add_orphans_arguments(parser: argparse.ArgumentParser | _Recorded) -> None:
    _add_connection_argument(parser)
    parser.add_argument(
        "--terminate",
        action="store_true",
        help="end them; the reason on the job says why, and who ran this",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line for each of them")


def _add_connection_argument(parser: argparse.ArgumentParser | _Recorded) -> None:
    parser.add_argument(
        "conn_id",
        nargs="?",
        default=DEFAULT_CONNECTION_ID,
        help="the ID of the Airflow connection (default: %(default)s)",
    )


def _add_login_arguments(parser: argparse.ArgumentParser | _Recorded) -> None:
    _add_connection_argument(parser)
    parser.add_argument(
        "--device-code",
        action="store_true",
        help="show a code to type in on any machine's browser, in place of opening one here",
    )


def main(argv: Sequence[str] | None = None) -> None:
    """The console script ``batchad``."""
    parser = argparse.ArgumentParser(prog="batchad", description=_GROUP_HELP)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    local = commands.add_parser("local", help=_LOCAL_HELP, description=_LOCAL_HELP)
    add_arguments(local)
    add_verbs(local)
    local.set_defaults(run=run_local)
    login = commands.add_parser("login", help=_LOGIN_HELP, description=_LOGIN_HELP)
    _add_login_arguments(login)
    login.set_defaults(run=run_login)
    orphans = commands.add_parser("orphans", help=_ORPHANS_HELP, description=_ORPHANS_ABOUT)
    _add_orphans_arguments(orphans)
    orphans.set_defaults(run=run_orphans)
    arguments = parser.parse_args(argv)
    arguments.run(arguments)
