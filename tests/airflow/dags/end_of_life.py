"""The DAGs whose tasks run out of time, or are meant to be left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator

# Long enough for a worker to begin and to submit on a busy machine.
TASK_SECONDS = 20
RUN_SECONDS = 60
# Longer than an outage of the API server.
RETRY_DELAY_SECONDS = 150


def define(dag_id: str, run_timeout: timedelta | None = None, **arguments: object) -> DAG:
    with DAG(
        dag_id,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        dagrun_timeout=run_timeout,
    ) as dag:
        AzureBatchSubmitJobOperator(
            task_id="submit", pool_id="cpu", poll_interval=1, command_line="/bin/sleep 600", **arguments
        )
    return dag


for deferrable in (True, False):
    mode = "deferred" if deferrable else "sync"
    globals()[f"{mode}_short"] = define(
        f"{mode}_short",
        deferrable=deferrable,
        retries=0,
        execution_timeout=timedelta(seconds=TASK_SECONDS),
    )
    globals()[f"{mode}_short_run"] = define(
        f"{mode}_short_run",
        timedelta(seconds=RUN_SECONDS),
        deferrable=deferrable,
        retries=0,
    )
    globals()[f"{mode}_retried"] = define(
        f"{mode}_retried", deferrable=deferrable, retries=5, retry_delay=timedelta(seconds=1)
    )
sync_retried_late = define(
    "sync_retried_late", deferrable=False, retries=2, retry_delay=timedelta(seconds=RETRY_DELAY_SECONDS)
)
