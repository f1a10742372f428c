"""Many task instances with one connection: each asks Batch once, or waits deferred for a job."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, task

from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator

COUNT = 20
UNTIL_THE_GATE_OPENS = "/bin/sh -c 'until [ -e {{ dag_run.conf.gate }} ]; do sleep 0.2; done'"
START = datetime(2026, 1, 1, tzinfo=UTC)


@task
def ask(number: int) -> None:
    from airflow_provider_batchad.hooks import AzureBatchAdHook
    from airflow_provider_batchad.jobs import requests

    with AzureBatchAdHook("crowd") as hook:
        hook.send(requests.list_jobs(select="id", page_size=1))


with DAG("shared_token", schedule=None, start_date=START, catchup=False):
    ask.expand(number=list(range(COUNT)))

with DAG("rotation", schedule=None, start_date=START, catchup=False, max_active_tasks=COUNT):
    AzureBatchSubmitJobOperator.partial(
        task_id="wait", batchad_conn_id="crowd", pool_id="cpu", poll_interval=1, deferrable=True
    ).expand(command_line=[UNTIL_THE_GATE_OPENS] * COUNT)
