"""The verbs below ``batchad local``, ``faults``, ``clock`` and ``ledger``, of a local Azure that runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, Final

from airflow_provider_batchad.local.cli.arguments import add_arguments
from airflow_provider_batchad.local.cli.control_client import ControlClient, ControlFailed
from airflow_provider_batchad.local.cli.fault_verbs import run_faults
from airflow_provider_batchad.local.cli.ledger_verb import run_ledger

# Of both uses of the command.
_SHARED: Final = ("json", "state_dir")


def run_verb(args: argparse.Namespace) -> int:
    """Do what the verb says.

    :return: the exit status: 0 done, 1 not found or refused, 2 wrong arguments; the reason is on standard
        error.
    """
    try:
        _check_arguments(args)
        with ControlClient.open(args) as control:
            _VERBS[args.verb](control, args)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # Whoever read has seen enough; what is left would be written once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ControlFailed, ValueError) as error:
        print(f"batchad local {_name(args)}: {error}", file=sys.stderr)
        return 1 if isinstance(error, ControlFailed) else 2
    return 0


def _name(args: argparse.Namespace) -> str:
    return " ".join(filter(None, (args.verb, getattr(args, "action", None))))


def _check_arguments(args: argparse.Namespace) -> None:
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    # Converted, unlike those of the actions: some come from the environment.
    defaults = parser.parse_args([])
    for one in parser._actions:  # noqa: SLF001 - argparse has no other list of them
        default = getattr(defaults, one.dest, None)
        if one.dest not in _SHARED and getattr(args, one.dest, default) != default:
            raise ValueError(
                f"{one.option_strings[-1]} is for starting a local Azure: leave it out with {args.verb}"
            )


def _run_clock(control: ControlClient, args: argparse.Namespace) -> None:
    change: dict[str, Any] | None
    match args.action:
        case "show":
            change = None
        case "set":
            change = {"set": args.moment.isoformat()}
        case "advance":
            change = {"advance_seconds": args.by}
        case action:
            change = {action: True}
    clock = control.ask("GET" if change is None else "PUT", "/clock", body=change, has="is_frozen")
    kind = "frozen" if clock["is_frozen"] else "real" if clock["is_real"] else "ticking"
    print(json.dumps(clock) if args.json else f"{clock['now']} {kind}")


_VERBS: Final = {"faults": run_faults, "clock": _run_clock, "ledger": run_ledger}
