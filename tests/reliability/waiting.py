"""DAGs whose tasks begin in the triggerer and end there, so that hundreds of them wait without any worker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import StartTriggerArgs, TaskFailedEvent, TaskSuccessEvent, TriggerEvent

from airflow_provider_batchad.triggers import AzureBatchJobTrigger

# Airflow sends a task's whole DAG along with a trigger that starts it: many small DAGs, not one of hundreds
# of tasks. More than the socket holds at once, while the triggers log, and its two processes wait for each
# other for ever.
DAG_COUNT = 250
TASKS_OF_EACH = 2
TRIGGERS_AT_ONCE = 10


def dag_ids(name: str) -> list[str]:
    return [f"{name}_{number:03}" for number in range(DAG_COUNT)]


def job_ids(name: str) -> list[str]:
    return [f"{dag_id}-{number:02}" for dag_id in dag_ids(name) for number in range(TASKS_OF_EACH)]


class EndingTrigger(AzureBatchJobTrigger):
    """Ends its task itself where the provider's trigger wakes a worker for that."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "tests.reliability.waiting.EndingTrigger", super().serialize()[1]

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async for event in super().run():
            yield TaskSuccessEvent() if event.payload["status"] == "completed" else TaskFailedEvent()


class WaitingOperator(BaseOperator):
    """Waits for a Batch job that is there already."""

    def __init__(self, *, connection: str, job_id: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.start_from_trigger = True
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="tests.reliability.waiting.EndingTrigger",
            trigger_kwargs={"batchad_conn_id": connection, "job_id": job_id, "poll_interval": 10.0},
            next_method="execute_complete",
        )

    def execute(self, context: Any) -> None:
        raise RuntimeError("it begins in the triggerer")


def define(name: str) -> dict[str, DAG]:
    """The DAGs of one connection, which has the same name."""
    dags = {}
    for dag_id in dag_ids(name):
        with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False) as dags[
            dag_id
        ]:
            for number in range(TASKS_OF_EACH):
                WaitingOperator(task_id=f"t{number:02}", connection=name, job_id=f"{dag_id}-{number:02}")
    return dags
