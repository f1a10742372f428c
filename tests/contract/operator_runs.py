"""The operator run by hand against local Azure: without a scheduler, in a context made of plain objects."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator
from tests.contract.batch_fixtures import eventually


class Pushed(dict[str, Any]):
    def xcom_push(self, key: str, value: Any) -> None:
        self[key] = value


def context_of(operator: AzureBatchSubmitJobOperator, *, number: int = 1) -> Any:
    """What Airflow hands over, as far as the operator reads it."""
    pushed = Pushed()
    ti = SimpleNamespace(
        id=uuid.uuid4(),
        dag_id="d",
        run_id="r",
        task_id=operator.task_id,
        map_index=-1,
        max_tries=2,
        try_number=number,
        task=operator,
        xcom_push=pushed.xcom_push,
    )
    started = datetime(2026, 1, 1, tzinfo=UTC)
    run = SimpleNamespace(start_date=started, logical_date=None, run_after=started - timedelta(seconds=1))
    return {"ti": ti, "dag_run": run}


def operator_of(**arguments: Any) -> AzureBatchSubmitJobOperator:
    given = {"command_line": "true", "pool_id": "cpu", "poll_interval": 0.2, "retries": 2, **arguments}
    return AzureBatchSubmitJobOperator(task_id="t", **given)


def submit(operator: AzureBatchSubmitJobOperator, context: Any) -> dict[str, Any]:
    """Defer, and hand over what the operator resumes with: the job's id, and its own keywords."""
    operator.deferrable = True
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    _, arguments = deferred.value.trigger.serialize()
    return {"job_id": arguments["job_id"], **(deferred.value.kwargs or {})}


def resume(operator: AzureBatchSubmitJobOperator, context: Any, status: str, job: Any) -> Any:
    event = {"status": status, "job_id": job["job_id"], "message": "told so"}
    return operator.execute_complete(
        context,
        event,
        job_id=job["job_id"],
        deadline=job["deadline"],
        etag=job["etag"],
        earlier=job["earlier"],
    )


def wait_for_the_end() -> None:
    with AzureBatchAdHook() as hook:
        client = hook.get_conn()
        eventually(lambda: all(job.state == "completed" for job in client.list_jobs()))
