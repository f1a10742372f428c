"""From an operator's arguments, rendered by then, to what ``jobs/`` takes; each error names its argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_batchad.clouds import MICROSOFT_CLOUDS
from airflow_provider_batchad.endpoints import EndpointError, check_container_url
from airflow_provider_batchad.hooks.configuration import max_job_duration
from airflow_provider_batchad.jobs.output_container import OutputContainer
from airflow_provider_batchad.jobs.output_names import check_names
from airflow_provider_batchad.jobs.output_values import json_bytes
from airflow_provider_batchad.jobs.schema import SpecificationError
from airflow_provider_batchad.jobs.spec import build_job
from airflow_provider_batchad.jobs.verdict import Policy, exit_codes
from airflow_provider_batchad.jobs.waiting import Wait

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_batchad.clouds import AzureCloud
    from airflow_provider_batchad.jobs.spec import JobSpec
    from airflow_provider_batchad.operators.submit_job import AzureBatchSubmitJobOperator

DEADLINE_MARGIN = timedelta(minutes=10)


def specification_of(operator: AzureBatchSubmitJobOperator, context: Context | None = None) -> JobSpec:
    """The job and its tasks.

    :param context: of the task instance that runs; ``None`` where a plan is made without one.
    :raises AirflowFailException: names the path of what is wrong.
    """
    tasks = operator.tasks
    if isinstance(tasks, Iterator):
        raise AirflowFailException(
            "tasks: an iterator can be read only once, and a retry would find it empty: give a list, or a "
            "function that makes a new iterator each time, such as tasks=make_tasks"
        )
    command_line, container = operator.command_line, container_of(operator, context)
    if container is not None and tasks is None and command_line is not None:
        tasks, command_line = [{"id": "task", "command_line": command_line}], None
    if container is not None and isinstance(tasks, Iterable) and not isinstance(tasks, str | Mapping):
        tasks = container.with_output_files(tasks)
    try:
        spec = build_job(pool_id=operator.pool_id, tasks=tasks, command_line=command_line, job=operator.job)
    except SpecificationError as error:
        raise AirflowFailException(str(error)) from error
    if container is None or container.read_back:
        return spec
    if json_bytes(container.urls(spec.task_ids)) > operator.max_output_bytes:
        raise AirflowFailException(
            f"outputs: the URLs of {len(spec.task_ids)} task(s) are more than max_output_bytes "
            f"({operator.max_output_bytes}): raise it, or give output_files to the tasks and return nothing"
        )
    return spec


def container_of(
    operator: AzureBatchSubmitJobOperator, context: Context | None = None
) -> OutputContainer | None:
    """Where the tasks leave their outputs; ``None`` where they are read from their nodes.

    :raises AirflowFailException: names the key of ``outputs`` that is wrong.
    """
    if not isinstance(operator.outputs, Mapping):
        return None
    folder = "planned"
    if context is not None:
        from airflow_provider_batchad.operators.attempt import plan_attempt

        plan = plan_attempt(operator, context)
        folder = f"{plan.prefix}{plan.attempt.epoch}"
    try:
        return OutputContainer.of(operator.outputs, folder)
    except ValueError as error:
        raise AirflowFailException(str(error)) from error


def check_container(operator: AzureBatchSubmitJobOperator, cloud: AzureCloud) -> None:
    """Nothing where no container is to be read back, or one of the connection's cloud.

    :raises AirflowFailException: a token for it would have to go to another host.
    """
    container = container_of(operator)
    if container is None or not container.read_back:
        return
    try:
        check_container_url(container.url, cloud, (*MICROSOFT_CLOUDS.values(), cloud))
    except EndpointError as error:
        raise AirflowFailException(f"outputs.container_url {error}") from error


def policy_of(operator: AzureBatchSubmitJobOperator) -> Policy:
    """What failing tasks mean.

    :raises AirflowFailException: names the argument that is wrong.
    """
    try:
        return Policy(
            max_failed_tasks=operator.max_failed_tasks,
            skip_on_exit_code=exit_codes("skip_on_exit_code", operator.skip_on_exit_code),
            fail_on_exit_code=exit_codes("fail_on_exit_code", operator.fail_on_exit_code),
        )
    except ValueError as error:
        raise AirflowFailException(str(error)) from error


def output_names_of(operator: AzureBatchSubmitJobOperator) -> tuple[str, ...]:
    """What is read back of each task; empty for nothing, and for what goes to a container.

    :raises AirflowFailException: names the argument that is wrong.
    """
    outputs = None if isinstance(operator.outputs, Mapping) else operator.outputs
    most: object = operator.max_output_bytes
    try:
        check_names(outputs)
    except ValueError as error:
        raise AirflowFailException(str(error)) from error
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise AirflowFailException(f"max_output_bytes: expected a number of bytes, not {most!r}")
    return (outputs,) if isinstance(outputs, str) else tuple(outputs or ())


def wait_of(operator: AzureBatchSubmitJobOperator, spec: JobSpec) -> Wait:
    """How to wait.

    :raises AirflowFailException: ``poll_interval`` has no length.
    """
    try:
        return Wait(poll_interval_seconds=float(operator.poll_interval), can_block=spec.can_block)
    except ValueError as error:
        raise AirflowFailException(str(error)) from error


def limit_of(operator: AzureBatchSubmitJobOperator) -> timedelta:
    """How long Batch lets the job live."""
    timeout: timedelta | None = operator.execution_timeout
    # Without waiting, the timeout is that of the submission, not of the job.
    if timeout is None or not operator.wait_for_completion:
        return max_job_duration()
    return timeout + DEADLINE_MARGIN
