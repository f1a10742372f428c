"""A task that signs in as a person, which Airflow cannot do by itself."""

from __future__ import annotations

from airflow.sdk import dag, task

from airflow_provider_batchad.hooks import AzureBatchAdHook


@dag(schedule=None)
def as_person() -> None:
    @task(task_id="submit", retries=0)
    def ask() -> None:
        with AzureBatchAdHook("as_myself") as hook:
            hook.get_conn()

    ask()


as_person()
