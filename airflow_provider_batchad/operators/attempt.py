"""From Airflow's task instance to the plan of a submission: whose job it is and how it is called."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_batchad.errors import BatchServiceError, PermissionDenied, TasksRejected
from airflow_provider_batchad.hooks.configuration import deployment
from airflow_provider_batchad.hooks.masking import holds_masked_value
from airflow_provider_batchad.hooks.task_instances import is_dags_test
from airflow_provider_batchad.jobs.known_secrets import check_for_secrets
from airflow_provider_batchad.jobs.naming import Attempt, TaskInstanceName, first_try, job_prefix, run_prefix
from airflow_provider_batchad.jobs.plan import DAG_KEY, DEPLOYMENT_KEY, MAP_INDEX_KEY, RUN_KEY, TASK_KEY
from airflow_provider_batchad.jobs.schema import SpecificationError
from airflow_provider_batchad.jobs.service_codes import is_authors_error
from airflow_provider_batchad.jobs.submission import Plan, submit
from airflow_provider_batchad.links import job_url
from airflow_provider_batchad.operators.arguments import limit_of, output_names_of
from airflow_provider_batchad.operators.report import log_submission
from airflow_provider_batchad.xcom_keys import JOB_ID_XCOM_KEY, JOB_URL_XCOM_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_batchad.hooks import AzureBatchAdHook
    from airflow_provider_batchad.jobs.spec import JobSpec
    from airflow_provider_batchad.jobs.submission import Submitted
    from airflow_provider_batchad.operators.submit_job import AzureBatchSubmitJobOperator


def plan_attempt(operator: AzureBatchSubmitJobOperator, context: Context) -> Plan:
    """The plan for this try of the task instance that runs now."""
    ti: Any = context["ti"]
    dag_run: Any = context["dag_run"]
    name = TaskInstanceName(
        deployment=deployment(),
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        run_started=dag_run.start_date.isoformat(),
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        run_after=dag_run.run_after.isoformat(),
        nonce=_process_nonce() if is_dags_test(dag_run) else "",
    )
    return Plan(
        prefix=job_prefix(name),
        run_prefix=run_prefix(name) if _is_one_airflows(name, dag_run) else None,
        run_started=dag_run.start_date,
        attempt=Attempt(epoch=ti.max_tries, number=ti.try_number),
        first_try=first_try(max_tries=ti.max_tries, retries=ti.task.retries or 0),
        metadata={
            **({DEPLOYMENT_KEY: name.deployment} if name.deployment else {}),
            DAG_KEY: name.dag_id,
            RUN_KEY: name.run_id,
            TASK_KEY: name.task_id,
            MAP_INDEX_KEY: str(name.map_index),
        },
        owner=str(ti.id),
        limit=limit_of(operator),
        max_failed_tasks=operator.max_failed_tasks,
        outputs=output_names_of(operator),
        max_output_bytes=operator.max_output_bytes,
        keeps_successes=operator.retry == "failed_tasks",
        runs_others=operator.on_rejected_task == "run_others",
        outlives_task=not (operator.wait_for_completion and operator.cancel_on_kill),
    )


def submit_attempt(
    operator: AzureBatchSubmitJobOperator,
    hook: AzureBatchAdHook,
    spec: JobSpec,
    plan: Plan,
    *,
    context: Context,
    pause: Callable[[float], object],
) -> Submitted:
    """Submit the job of this try, or attach to one that is there, and tell Airflow which it is.

    :param pause: waits so many seconds between two requests; may raise to stop.
    :raises AirflowFailException: the job says a secret, and nothing is sent; or Batch refuses it, and would
        again.
    """
    connection = hook.connection
    if not operator.allow_secrets_in_job:
        # Only before submitting: later the masker knows what it learnt meanwhile, and the job is there.
        _refuse_secrets(spec)
    try:
        done = hook.run(submit(spec, plan, now=lambda: datetime.now(UTC)), pause)
    except (PermissionDenied, TasksRejected) as error:
        raise AirflowFailException(str(error)) from error
    except BatchServiceError as error:
        if is_authors_error(error.code):
            raise AirflowFailException(str(error)) from error
        raise
    url = job_url(
        connection.account_url, done.job_id, connection.cloud.portal, connection.account_resource_id
    )
    context["ti"].xcom_push(JOB_ID_XCOM_KEY, done.job_id)
    context["ti"].xcom_push(JOB_URL_XCOM_KEY, url)
    log_submission(operator.log, done, tasks=len(spec.task_ids), url=url)
    return done


def _refuse_secrets(spec: JobSpec) -> None:
    try:
        check_for_secrets(spec, holds_masked_value)
    except SpecificationError as error:
        raise AirflowFailException(str(error)) from error


def _is_one_airflows(name: TaskInstanceName, dag_run: Any) -> bool:
    # Without a name, another Airflow may have the same run, except one that was started by hand: at a
    # microsecond of its own. What ``airflow dags test`` makes belongs to its process.
    return not name.nonce and bool(name.deployment or dag_run.run_after.microsecond)


@cache
def _process_nonce() -> str:
    return f"{os.getpid()}-{uuid.uuid4().hex}"
