"""From Airflow's task instance to the plan of a submission: whose job it is and how it is called."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_batchad.errors import BatchServiceError, PermissionDenied, TasksRejected
from airflow_provider_batchad.hooks.configuration import deployment
from airflow_provider_batchad.jobs.naming import Attempt, TaskInstanceName, first_try, job_prefix
from airflow_provider_batchad.jobs.submission import Plan, submit

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_batchad.hooks import AzureBatchAdHook
    from airflow_provider_batchad.jobs.spec import JobSpec
    from airflow_provider_batchad.jobs.submission import Submitted

AUTHORS_ERRORS = (
    "InvalidApplicationPackageReferences",
    "InvalidPropertyValue",
    "JobPreparationTaskNotSpecified",
    "MissingRequiredProperty",
    "PoolNotFound",
)


def plan_attempt(
    context: Context,
    *,
    limit: timedelta,
    max_failed_tasks: int,
    outputs: tuple[str, ...],
    max_output_bytes: int,
    keeps_successes: bool = False,
) -> Plan:
    """The plan for this try of the task instance that runs now.

    :param limit: how long Batch lets the job live.
    """
    ti: Any = context["ti"]
    dag_run: Any = context["dag_run"]
    name = TaskInstanceName(
        deployment=deployment(),
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        run_started=dag_run.start_date.isoformat(),
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        nonce=_process_nonce() if _is_dags_test(dag_run) else "",
    )
    return Plan(
        prefix=job_prefix(name),
        attempt=Attempt(epoch=ti.max_tries, number=ti.try_number),
        first_try=first_try(max_tries=ti.max_tries, retries=ti.task.retries or 0),
        metadata={
            **({"airflow_deployment": name.deployment} if name.deployment else {}),
            "airflow_dag": name.dag_id,
            "airflow_run": name.run_id,
            "airflow_task": name.task_id,
            "airflow_map_index": str(name.map_index),
        },
        owner=str(ti.id),
        limit=limit,
        max_failed_tasks=max_failed_tasks,
        outputs=outputs,
        max_output_bytes=max_output_bytes,
        keeps_successes=keeps_successes,
    )


def submit_once(hook: AzureBatchAdHook, spec: JobSpec, plan: Plan) -> Submitted:
    """Submit the job of this try, or attach to one that is there.

    :raises AirflowFailException: what Batch refuses would be refused again.
    """
    try:
        return hook.run(submit(spec, plan, now=lambda: datetime.now(UTC)))
    except (PermissionDenied, TasksRejected) as error:
        raise AirflowFailException(str(error)) from error
    except BatchServiceError as error:
        if error.is_code(*AUTHORS_ERRORS):
            raise AirflowFailException(str(error)) from error
        raise


def _is_dags_test(dag_run: Any) -> bool:
    # ``airflow dags test`` deletes the run of that date and makes it again, with these two equal to the
    # microsecond: nothing else tells one such run from the next.
    return bool(dag_run.start_date == (dag_run.logical_date or dag_run.run_after))


@cache
def _process_nonce() -> str:
    return f"{os.getpid()}-{uuid.uuid4().hex}"
