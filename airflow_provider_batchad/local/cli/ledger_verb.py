"""``batchad local ledger``: what a local Azure that runs has answered, and what it answers next."""

from __future__ import annotations

import json
import signal
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.cli.table import format_row, print_rows
from airflow_provider_batchad.local.config import SERVICES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from airflow_provider_batchad.local.cli.control_client import ControlClient

_FOLLOW_SECONDS: Final = 0.5
_COLUMNS: Final = ("#", "TIME (UTC)", "SERVICE", "STATUS", "OPERATION", "PRINCIPAL", "BYTES", "NEEDS OR CODE")
_WIDTHS: Final = (6, 12, 10, 6, 28, 16, 8, 1)


def run_ledger(control: ControlClient, args: argparse.Namespace) -> None:
    """Show it, count it, or forget it."""
    services = args.service or [one for one in SERVICES if one != "control"]
    if args.clear:
        control.ask("DELETE", "/ledger")
    elif args.counts:
        _print_counts(args, control.ask("GET", "/ledger/counts"), services)
    else:
        _show_ledger(control, args, services)


def _print_counts(args: argparse.Namespace, counts: dict[str, Any], services: list[str]) -> None:
    rows = [
        {"service": service, "operation": operation, "requests": number}
        for service, operations in counts.items()
        if service in services
        for operation, number in operations.items()
    ]
    headings = ("SERVICE", "OPERATION", "REQUESTS")
    print_rows(rows, headings=headings, cells=lambda row: tuple(row.values()), as_json=args.json)


def _show_ledger(control: ControlClient, args: argparse.Namespace, services: list[str]) -> None:
    wanted = {
        "service": services,
        "operation": args.operation,
        "principal": args.principal,
        "status": args.status,
    }
    answer = control.ask(
        "GET", "/ledger", params={**wanted, "after": args.after, "newest": args.last}, has="entries"
    )
    if not args.json:
        print(format_row(_COLUMNS, _WIDTHS))
    _print_entries(args, answer["entries"])
    if args.follow:
        stop = _at_control_c()
        while not stop.wait(_FOLLOW_SECONDS):
            answer = control.ask("GET", "/ledger", params={**wanted, "after": answer["last"]}, has="entries")
            _print_entries(args, answer["entries"])


def _at_control_c() -> threading.Event:
    """What is set by the first Ctrl-C; the next one has its usual effect.

    A ``KeyboardInterrupt`` that comes while an object is being finalized is lost.
    """
    stop = threading.Event()
    usual = signal.getsignal(signal.SIGINT)

    def on_interrupt(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, on_interrupt)
    return stop


def _print_entries(args: argparse.Namespace, entries: Iterable[dict[str, Any]]) -> None:
    for one in entries:
        if args.json:
            print(json.dumps(one))
            continue
        cells = (
            one["sequence"],
            datetime.fromtimestamp(one["time"], UTC).strftime("%H:%M:%S.%f")[:-3],
            one["service"],
            one["status"],
            one["operation"] or f"{one['method']} {one['path']}",
            one["principal"] or "-",
            one["response_bytes"],
            one["code"] or " ".join(one["actions"]) or "-",
        )
        print(format_row(cells, _WIDTHS) + (" (broken by a fault)" if one["fault"] else ""))
    sys.stdout.flush()
