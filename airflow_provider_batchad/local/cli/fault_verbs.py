"""``batchad local faults``: rules are added to a local Azure that runs, shown and taken away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.cli.control_client import ControlFailed
from airflow_provider_batchad.local.cli.fault_arguments import fault_fields
from airflow_provider_batchad.local.cli.table import print_rows

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from airflow_provider_batchad.local.cli.control_client import ControlClient

_SHOWN_ID: Final = 8
_HEADINGS: Final = ("ID", "SERVICE", "OPERATION", "PRINCIPAL", "WHEN", "WHAT HAPPENS", "HOW MANY", "BROKEN")


def run_faults(control: ControlClient, args: argparse.Namespace) -> None:
    """Do what ``faults`` and the verb below it say."""
    match args.action:
        case "add":
            added = control.ask("POST", "/faults", body=fault_fields(args), has="id")
            print(json.dumps(added) if args.json else added["id"])
        case "list":
            faults = control.ask("GET", "/faults", has="faults")["faults"]
            print_rows(faults, headings=_HEADINGS, cells=_cells, as_json=args.json)
        case "remove":
            for fault_id in [_find_fault(control, given) for given in args.id]:
                control.ask("DELETE", f"/faults/{fault_id}")
        case _:
            control.ask("DELETE", "/faults")


def _find_fault(control: ControlClient, given: str) -> str:
    known = [one["id"] for one in control.ask("GET", "/faults", has="faults")["faults"]]
    found = [one for one in known if one.startswith(given)]
    if len(found) != 1:
        many = "no fault's id begins" if not found else f"the ids of {len(found)} faults begin"
        raise ControlFailed(f"{many} with {given!r}; batchad local faults list shows them")
    return str(found[0])


def _cells(fault: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        fault["id"][:_SHOWN_ID],
        fault["service"] or "any",
        fault["operation"] or "any",
        fault["principal"] or "anybody",
        fault["when"],
        _describe_effect(fault),
        _describe_number(fault),
        fault["hits"],
    )


def _describe_effect(fault: Mapping[str, Any]) -> str:
    status = f"status {fault['status']}" if fault["status"] is not None else None
    delay = f"delay {fault['delay_seconds']:g} s" if fault["delay_seconds"] else None
    headers = (f"{name}: {value}" for name, value in fault["headers"].items())
    parts = (delay, "hold" if fault["hold"] else None, status, fault["code"], *headers, fault["broken"])
    return ", ".join(filter(None, parts))


def _describe_number(fault: Mapping[str, Any]) -> str:
    parts = (
        f"after {fault['skip']}" if fault["skip"] else None,
        f"{fault['times']} times" if fault["times"] is not None else "all",
        f"with probability {fault['probability']:g}" if fault["probability"] < 1 else None,
    )
    return ", ".join(filter(None, parts))
