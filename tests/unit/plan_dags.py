"""Jobs whose plan is looked at; none is ever run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator

SIGNED = "https://a.blob.core.windows.net/c/f?sv=2024&sig=c2lnbmF0dXJlIG9mIGEgU0FT"


def make_tasks(**_: Any) -> Iterator[dict[str, str]]:
    for number in range(250):
        yield {"id": f"t{number}", "command_line": "true"}


with DAG("planned", start_date=datetime(2024, 5, 6, tzinfo=UTC), params={"pool": "cpu"}):
    AzureBatchSubmitJobOperator(
        task_id="templated",
        pool_id="{{ params.pool }}",
        tasks=[
            {
                "id": "one",
                "command_line": "run {{ ds }} {{ dag.dag_id }}",
                "resource_files": [{"http_url": SIGNED, "file_path": "f"}],
            }
        ],
    )
    AzureBatchSubmitJobOperator(
        task_id="in_container",
        batchad_conn_id="stored",
        pool_id="cpu",
        command_line="x",
        outputs={
            "container_url": "https://acc.blob.core.windows.net/results",
            "files": "r.json",
            "identity_resource_id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/i",
        },
    )
    AzureBatchSubmitJobOperator(task_id="many", pool_id="cpu", tasks=make_tasks)
    AzureBatchSubmitJobOperator(task_id="wrong", pool_id="cpu", tasks=[{"id": "a b", "command_line": "x"}])
    AzureBatchSubmitJobOperator(task_id="of_a_run", pool_id="cpu", command_line="{{ ti.try_number }}")
    AzureBatchSubmitJobOperator.partial(task_id="mapped", pool_id="cpu").expand(command_line=["a", "b"])

    @task
    def choose() -> list[str]:
        return []

    AzureBatchSubmitJobOperator.partial(task_id="unknown", pool_id="cpu").expand(command_line=choose())
