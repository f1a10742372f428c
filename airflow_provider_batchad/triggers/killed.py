"""Finds out why Airflow cancels a trigger: it also does so where nobody wants the Batch job to end.

``on_kill`` is called after a person's action and after a timeout of the DAG run, but as well when another
triggerer takes the trigger over, and when the generator lives on while a worker resumes the task.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from airflow_provider_batchad.triggers.states import state_in, why_unwanted_in
from airflow_provider_batchad.xcom_keys import JOB_ID_XCOM_KEY

# Airflow gives ``on_kill`` 30 s, and the first question to it may take a third of that.
LONGEST_LOOK_SECONDS: Final = 20.0
_BETWEEN_LOOKS_SECONDS: Final = 1.0
_CLEARED: Final = "Airflow: the task was cleared."


async def why_killed(task_instance: Any, job_id: str) -> str | None:
    """Why the job is to be ended; ``None`` to leave it to whoever waits for it.

    :param task_instance: the trigger's; Airflow's ``dag.test`` has none.
    """
    from asgiref.sync import sync_to_async

    if task_instance is None:
        return None
    until = time.monotonic() + LONGEST_LOOK_SECONDS
    while True:
        # Airflow's channel belongs to the loop's own thread; asgiref brings its messages back to it.
        state, named = await sync_to_async(ask_airflow)(task_instance)
        unwanted = why_unwanted_in(state)
        if unwanted is not None:
            return unwanted
        # A new try of a cleared task wipes the name, and names its own job before it defers.
        settled = state == "deferred" or (state == "running" and named is not None)
        if settled or time.monotonic() >= until:
            return None if named == job_id or named is None else _CLEARED
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)


def ask_airflow(task_instance: Any) -> tuple[str | None, str | None]:
    """The state of the task instance, and the job that its XCom names."""
    from airflow.providers.common.compat.sdk import XCom
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    ti = task_instance
    map_index = -1 if ti.map_index is None else ti.map_index
    where = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": map_index}
    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=map_index
    )
    return state_in(states, ti.run_id, ti.task_id, map_index), XCom.get_one(key=JOB_ID_XCOM_KEY, **where)
