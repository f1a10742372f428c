"""``airflow batchad orphans``: the jobs that no task wants any more, listed and ended."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.hooks.orphans import LookFailed, end_orphan, find_orphans, looking

if TYPE_CHECKING:
    import argparse

_WIDEST = 10_000


def run_orphans(arguments: argparse.Namespace) -> int:
    """The exit status: 0 where none are left, 1 where some are, 2 where it cannot be said."""
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
        return 2
    if not arguments.json:
        _show_orphans(rows, looked_at=found.looked_at)
    if found.unknown:
        print(
            f"Left out: {len(found.unknown)} job(s) of task instances that this Airflow does not have, such "
            f"as {found.unknown[0]}: of a run that was deleted, or another Airflow's. Name this one with "
            "[batchad] deployment to tell.",
            file=sys.stderr,
        )
    return 1 if left else 0


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
