"""DAGs whose workers are killed at a named point: one for each mode and for what comes after the kill.

A run's ``conf`` says which connection it uses (and so which faults of local Azure are for it), how many Batch
tasks it has, and the folder in which the Batch tasks write down that they ran and in which files open gates.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from airflow.sdk import DAG

from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator

# What comes after the kill: a retry, a clear while one is due, a clear when none is left.
NEXT = {
    "retry": {"retries": 3, "retry_delay": timedelta(seconds=1)},
    "clear": {"retries": 1, "retry_delay": timedelta(hours=1)},
    "last": {"retries": 0},
}
# Each task says that it runs, and goes on when the gate is opened, or nobody wants it any more.
COMMAND = """/bin/sh -c 'cd {folder} && echo "$AZ_BATCH_JOB_ID $AZ_BATCH_TASK_ID" >> ran
until [ -e gate ]; do sleep 0.5; done; echo done > "$AZ_BATCH_TASK_WORKING_DIR/out.txt"'"""


class Gated(AzureBatchSubmitJobOperator):
    """Takes its tasks from the run, and can be made to wait before it defers."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(
            batchad_conn_id="{{ dag_run.conf.connection }}",
            pool_id="cpu",
            tasks=[],
            poll_interval=1,
            **arguments,
        )

    def execute(self, context: Any) -> Any:
        self._take(context)
        return super().execute(context)

    def execute_complete(self, context: Any, *arguments: Any, **keywords: Any) -> Any:
        self._take(context)
        return super().execute_complete(context, *arguments, **keywords)

    def _take(self, context: Any) -> None:
        conf = context["dag_run"].conf
        self._folder = Path(conf["folder"])
        command = COMMAND.format(folder=conf["folder"])
        self.tasks = [{"id": f"t{number}", "command_line": command} for number in range(conf["tasks"])]
        self.outputs = "out.txt" if conf["outputs"] else None

    def defer(self, **keywords: Any) -> NoReturn:
        while (self._folder / "wait-before-deferring").exists():
            (self._folder / "waits-before-deferring").touch()
            time.sleep(0.2)
        super().defer(**keywords)


for mode in ("sync", "deferred"):
    for what, arguments in NEXT.items():
        with DAG(
            f"killed_{mode}_{what}",
            schedule=None,
            start_date=datetime(2026, 1, 1, tzinfo=UTC),
            catchup=False,
            max_active_runs=100,
            max_active_tasks=100,
        ) as dag:
            Gated(task_id="submit", deferrable=mode == "deferred", **arguments)
        globals()[dag.dag_id] = dag
