"""The DAGs that the tests run: one or many tasks, deferred or not, succeeding or failing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG

from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator

FAILING = "/bin/sh -c 'echo about to fail >&2; echo the last words of $AZ_BATCH_TASK_ID >&2; exit 3'"
WRITING = "/bin/sh -c 'echo $AZ_BATCH_TASK_ID > name.txt'"


def tasks(count: int, failing: int | None = None) -> list[dict[str, str]]:
    return [{"id": f"t{n}", "command_line": FAILING if n == failing else WRITING} for n in range(count)]


def made(context: Mapping[str, Any], **_: object) -> Iterator[dict[str, str]]:
    """As many as the name of the DAG says."""
    yield from tasks(int(context["dag"].dag_id.rpartition("_")[2]))


def define(dag_id: str, **arguments: object) -> DAG:
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False) as dag:
        AzureBatchSubmitJobOperator(task_id="submit", **{"pool_id": "cpu", "poll_interval": 1, **arguments})
    return dag


for deferrable in (True, False):
    mode = "deferred" if deferrable else "sync"
    for count in (1, 250):
        globals()[f"{mode}_{count}"] = define(
            f"{mode}_{count}",
            tasks=made if deferrable else tasks(count),
            outputs="name.txt",
            deferrable=deferrable,
        )
    globals()[f"{mode}_failing"] = define(f"{mode}_failing", tasks=tasks(20, 7), deferrable=deferrable)
    globals()[f"{mode}_endless"] = define(
        f"{mode}_endless", command_line="/bin/sleep 600", deferrable=deferrable, retries=0
    )
    globals()[f"{mode}_long"] = define(f"{mode}_long", command_line="/bin/sleep 20", deferrable=deferrable)

read_only = define("read_only", tasks=tasks(3), batchad_conn_id="read_only")
wrong_task = define(
    "wrong_task", tasks=[{"id": "a", "command_line": "true"}, {"id": "b", "comand_line": "x"}]
)
