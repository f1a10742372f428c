"""``airflow batchad …``, and the same as ``batchad …``, which loads no Airflow for what does not need it.

Airflow imports this module at the start of each of its commands: the work is imported when it is asked for.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.connection_form import DEFAULT_CONNECTION_ID
from airflow_provider_batchad.local.cli.arguments import add_arguments
from airflow_provider_batchad.local.cli.control_arguments import add_verbs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.cli.cli_config import GroupCommand

_GROUP_HELP = "Azure Batch with Microsoft Entra ID"
_LOCAL_HELP = "Run local Azure: Entra ID, Key Vault and Batch on loopback, for development and tests"
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

    recorded, recorded_login = _Recorded(), _Recorded()
    add_arguments(recorded)
    _add_login_arguments(recorded_login)
    local = ActionCommand(
        name="local",
        help=_LOCAL_HELP,
        func=lazy_load_command(f"{__name__}.run_local"),
        args=(
            Verbs(),
            *(Arg(flags, **options) for flags, options in recorded.arguments),  # type: ignore[no-untyped-call]
        ),
    )
    login = ActionCommand(
        name="login",
        help=_LOGIN_HELP,
        func=lazy_load_command(f"{__name__}.run_login"),
        args=tuple(
            Arg(flags, **options)  # type: ignore[no-untyped-call]
            for flags, options in recorded_login.arguments
        ),
    )
    return [GroupCommand(name="batchad", help=_GROUP_HELP, subcommands=[local, login])]


def run_local(arguments: argparse.Namespace) -> None:
    """Run local Azure until it is told to stop, or do what a verb says to one that runs."""
    from airflow_provider_batchad.local.cli.command import run

    raise SystemExit(run(arguments))


def run_login(arguments: argparse.Namespace) -> None:
    """Let a person sign in; the status is 1 where that came to nothing."""
    # As Airflow's own commands on connections do: without it, those in its database are not found.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
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


def _add_login_arguments(parser: argparse.ArgumentParser | _Recorded) -> None:
    parser.add_argument(
        "conn_id",
        nargs="?",
        default=DEFAULT_CONNECTION_ID,
        help="the ID of the Airflow connection (default: %(default)s)",
    )
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
    arguments = parser.parse_args(argv)
    arguments.run(arguments)
