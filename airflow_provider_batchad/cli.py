"""``airflow batchad …``, and the same as ``batchad …``, which loads no Airflow for what does not need it.

Airflow imports this module at the start of each of its commands: the work is imported when it is asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.commands.arguments import (
    add_check_arguments,
    add_login_arguments,
    add_orphans_arguments,
    add_plan_arguments,
    add_role_arguments,
)
from airflow_provider_batchad.local.cli.arguments import add_arguments
from airflow_provider_batchad.local.cli.control_arguments import add_verbs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.cli.cli_config import GroupCommand

_GROUP_HELP = "Azure Batch with Microsoft Entra ID"


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

    def command(verb: _Verb) -> ActionCommand:
        recorded = _Recorded()
        verb.add_arguments(recorded)
        return ActionCommand(
            name=verb.name,
            help=verb.help,
            description=verb.about or verb.help,
            func=lazy_load_command(f"{__name__}.{verb.run.__name__}"),
            args=(
                *((Verbs(),) if verb.has_verbs else ()),
                *(Arg(flags, **options) for flags, options in recorded.arguments),  # type: ignore[no-untyped-call]
            ),
        )

    return [GroupCommand(name="batchad", help=_GROUP_HELP, subcommands=[command(verb) for verb in _verbs()])]


def main(argv: Sequence[str] | None = None) -> None:
    """The console script ``batchad``."""
    parser = argparse.ArgumentParser(prog="batchad", description=_GROUP_HELP)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for verb in _verbs():
        command = commands.add_parser(verb.name, help=verb.help, description=verb.about or verb.help)
        verb.add_arguments(command)
        if verb.has_verbs:
            add_verbs(command)
        command.set_defaults(run=verb.run)
    arguments = parser.parse_args(argv)
    arguments.run(arguments)


def run_local(arguments: argparse.Namespace) -> None:
    """Run local Azure until it is told to stop, or do what a verb says to one that runs."""
    from airflow_provider_batchad.local.cli.command import run

    raise SystemExit(run(arguments))


def run_login(arguments: argparse.Namespace) -> None:
    """Let a person sign in."""
    _use_airflows_database()
    from airflow_provider_batchad.commands import login

    raise SystemExit(login.run_login(arguments))


def run_orphans(arguments: argparse.Namespace) -> None:
    """List the jobs that no task wants any more, and end them where that is asked for."""
    _use_airflows_database()
    from airflow.utils.cli import suppress_logs_and_warning

    from airflow_provider_batchad.commands import orphans

    # Airflow logs to the standard output, where programs read rows.
    arguments.verbose = False
    suppress_logs_and_warning(lambda arguments: sys.exit(orphans.run_orphans(arguments)))(arguments)


def run_role(arguments: argparse.Namespace) -> None:
    """Print the roles that the DAGs need."""
    _use_airflows_database()
    from airflow_provider_batchad.commands import report, role

    with report.answers_alone():
        raise SystemExit(role.run_role(arguments))


def run_check(arguments: argparse.Namespace) -> None:
    """Hold what the principal may do against what the DAGs need."""
    _use_airflows_database()
    from airflow_provider_batchad.commands import check, report

    with report.answers_alone():
        raise SystemExit(check.run_check(arguments))


def run_plan(arguments: argparse.Namespace) -> None:
    """Print what the DAGs' operators would send."""
    _use_airflows_database()
    from airflow_provider_batchad.commands import plan, report

    with report.answers_alone():
        raise SystemExit(plan.run_plan(arguments))


def _use_airflows_database() -> None:
    # As Airflow's own commands on connections do: without it, those in its database are not found.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verb:
    """One command of the group.

    :param about: what its own ``--help`` says in place of ``help``.
    :param run: takes the parsed arguments; a function of this module, which Airflow loads by its name.
    :param has_verbs: whether local Azure's own verbs stand below it.
    """

    name: str
    help: str
    about: str = ""
    add_arguments: Callable[[Any], None]
    run: Callable[[argparse.Namespace], None]
    has_verbs: bool = False


def _verbs() -> tuple[_Verb, ...]:
    return (
        _Verb(
            name="local",
            help="Run local Azure: Entra ID, Key Vault and Batch on loopback, for development and tests",
            add_arguments=add_arguments,
            run=run_local,
            has_verbs=True,
        ),
        _Verb(
            name="login",
            help="Sign in as a person, for a connection whose 'sign_in' is 'integrated'",
            add_arguments=add_login_arguments,
            run=run_login,
        ),
        _Verb(
            name="orphans",
            help="Find, and end, the Batch jobs whose Airflow task is over",
            about="Lists the Batch jobs of this Airflow that are not over while their task instance is "
            "finished, cleared or deleted. Asks Airflow's database: run it where the scheduler runs. The "
            "status is 0 where none are left, 1 where some are, 2 where it cannot be said.",
            add_arguments=add_orphans_arguments,
            run=run_orphans,
        ),
        _Verb(
            name="plan",
            help="Print what the DAGs' operators would send, without sending it",
            about="Renders the operators of the DAGs, checks jobs and tasks as they are checked before they "
            "are sent, and prints them with the requests and the actions that they take. Asks nobody. The "
            "status is 0, 1 where an operator's arguments are wrong, and 2 where DAGs cannot be read.",
            add_arguments=add_plan_arguments,
            run=run_plan,
        ),
        _Verb(
            name="role",
            help="Print the smallest custom role that runs the DAGs, for each connection",
            about="Reads the DAGs, runs none of them, and prints the custom role that grants what their "
            "tasks need of Azure Batch and nothing else; the reasons go to stderr. The status is 0, with "
            "--diff 1 where the file differs, and 2 where DAGs cannot be read.",
            add_arguments=add_role_arguments,
            run=run_role,
        ),
        _Verb(
            name="check",
            help="Compare what the connection's principal may do with what the DAGs need",
            about="Reads the DAGs, and asks Resource Manager what the principal holds at the account; where "
            "it may not, Batch itself, for what is not there. Changes nothing. The status is 0 where it is "
            "exactly what is needed, 1 where something is missing, 2 where it cannot be told, 3 where it is "
            "too much.",
            add_arguments=add_check_arguments,
            run=run_check,
        ),
    )
