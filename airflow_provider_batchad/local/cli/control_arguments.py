"""The verbs below ``batchad local``, for a local Azure that runs: their arguments, and nothing heavy.

Options that the command itself has too have no default here: argparse would overwrite with it what was given
before the verb.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.cli.fault_arguments import add_fault_arguments
from airflow_provider_batchad.local.cli.moments import parse_length, parse_moment
from airflow_provider_batchad.local.config import SERVICES

if TYPE_CHECKING:
    # Its name at runtime is argparse's own affair.
    from argparse import _SubParsersAction

    Verbs = _SubParsersAction[argparse.ArgumentParser]

DEFAULT_ENTRIES: Final = 50
_FINDING: Final = (
    "The local Azure is the one whose export lines are set in this shell (BATCHAD_LOCAL_CONTROL and "
    "BATCHAD_LOCAL_CA_FILE), unless --state-dir or --control says another. Exit status: 0 done, 1 not found "
    "or refused, 2 wrong arguments."
)
_ADD: Final = (
    "Break requests from now on: say which (--service, --operation, --principal), what happens to them (one "
    "of --status, --broken, --delay, --hold at least), and how many (--skip, --times, --probability). Prints "
    "the fault's id. For instance, throttle the next three requests that create tasks: --service batch "
    "--operation 'Create Task*' --status 429 --header 'Retry-After: 5' --times 3. Lose the answer to a job's "
    "creation: --service batch --operation 'Create Job' --when after --broken reset --times 1."
)


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """The verbs; without one, the command starts a local Azure."""
    verbs = parser.add_subparsers(
        dest="verb",
        metavar="VERB",
        title="verbs, for a local Azure that runs",
        description="without one, start a local Azure",
    )
    _add_faults(verbs)
    _add_clock(verbs)
    _add_ledger(verbs)


def _add_faults(verbs: Verbs) -> None:
    text = "Make requests go wrong: throttled, refused, slow, cut off"
    faults = verbs.add_parser("faults", help=text, description=text)
    kinds = faults.add_subparsers(dest="action", metavar="VERB", required=True)
    add = kinds.add_parser("add", help="break requests from now on", description=_ADD, epilog=_FINDING)
    add_fault_arguments(add)
    shown = "Show the faults, and how many requests each has broken."
    listing = kinds.add_parser("list", help="show them", description=shown, epilog=_FINDING)
    removal = kinds.add_parser(
        "remove",
        help="take some away",
        description="Take faults away. What one of them held is answered.",
        epilog=_FINDING,
    )
    removal.add_argument("id", nargs="+", metavar="ID", help="of a fault, or the beginning of one")
    every = "Take all faults away. What they held is answered."
    clear = kinds.add_parser("clear", help="take all away", description=every, epilog=_FINDING)
    for one in (add, listing, removal, clear):
        _add_finding(one)


def _add_clock(verbs: Verbs) -> None:
    text = "The clock that tokens, secrets, schedules, retention and time limits go by"
    clock = verbs.add_parser("clock", help=text, description=text)
    kinds = clock.add_subparsers(dest="action", metavar="VERB", required=True)
    for name, help_text in (
        ("show", "the time, and whether it ticks"),
        ("set", "go on from a moment; a frozen clock stays frozen"),
        ("advance", "jump by a length of time"),
        ("freeze", "stand still"),
        ("run", "tick on, after freeze"),
        ("real", "back to the machine's own time"),
    ):
        description = f"{help_text[0].upper()}{help_text[1:]}."
        one = kinds.add_parser(name, help=help_text, description=description, epilog=_FINDING)
        if name == "set":
            one.add_argument(
                "moment",
                type=parse_moment,
                metavar="TIME",
                help="with its zone, such as 2026-01-01T00:00:00Z",
            )
        if name == "advance":
            one.add_argument(
                "by",
                type=parse_length,
                metavar="LENGTH",
                help="seconds, or such as 5m, 2h, 1d12h; to go back: -- -2h",
            )
        _add_finding(one)


def _add_ledger(verbs: Verbs) -> None:
    text = "Every request that local Azure answered, in order, without its secrets"
    ledger = verbs.add_parser("ledger", help=text, description=f"{text}.", epilog=_FINDING)
    mode = ledger.add_mutually_exclusive_group()
    mode.add_argument("--follow", action="store_true", help="go on showing new ones, until Ctrl-C")
    mode.add_argument("--counts", action="store_true", help="how many, by service and operation")
    mode.add_argument("--clear", action="store_true", help="forget them all, and their counts")
    ledger.add_argument(
        "--service",
        choices=SERVICES,
        action="append",
        help="of this service; may be repeated (default: all but control, which answers this command)",
    )
    ledger.add_argument(
        "--operation", metavar="NAME", help="Azure's name of it, such as 'Create Job' or '*Job'"
    )
    ledger.add_argument("--principal", metavar="NAME", help="of who asked, such as airflow-batch")
    ledger.add_argument("--status", type=_parse_number, metavar="N", help="answered with this HTTP status")
    ledger.add_argument("--after", type=_parse_number, metavar="N", help="only those with a higher number")
    ledger.add_argument(
        "--last",
        type=_parse_number,
        default=DEFAULT_ENTRIES,
        metavar="N",
        help="the newest N of what fits (default: %(default)s)",
    )
    _add_finding(ledger)


def _add_finding(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which local Azure, and how to answer")
    group.add_argument("--control", metavar="URL", help="its control port, such as https://localhost:10448")
    group.add_argument(
        "--ca-file", type=Path, metavar="PATH", help="its certificate authority, with --control"
    )
    group.add_argument(
        "--state-dir",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="the one that was started with this --state-dir",
    )
    group.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="JSON for programs, one object a line",
    )


def _parse_number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)
