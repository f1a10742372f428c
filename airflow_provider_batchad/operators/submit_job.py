"""``AzureBatchSubmitJobOperator``: a Batch job of one task or of many, on an existing pool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowTaskTimeout,
    BaseOperator,
    conf,
)

from airflow_provider_batchad.errors import (
    BatchServiceError,
    JobFailed,
    OutputUnavailable,
    PermissionDenied,
    ServiceUnavailable,
    TasksRejected,
    Unreachable,
)
from airflow_provider_batchad.links import JOB_ID_XCOM_KEY, JOB_URL_XCOM_KEY, AzureBatchJobLink, job_url

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_batchad.hooks import AzureBatchAdHook
    from airflow_provider_batchad.jobs.spec import JobSpec
    from airflow_provider_batchad.jobs.submission import Submitted
    from airflow_provider_batchad.jobs.waiting import Wait

DEFAULT_MAX_OUTPUT_BYTES = 48 * 1024
DEADLINE_MARGIN = timedelta(minutes=10)
AUTHORS_ERRORS = (
    "InvalidApplicationPackageReferences",
    "InvalidPropertyValue",
    "JobPreparationTaskNotSpecified",
    "MissingRequiredProperty",
    "PoolNotFound",
)


class AzureBatchSubmitJobOperator(BaseOperator):
    """Submit a Batch job exactly once, wait for its end, and bring back what it says.

    Source: `Create Job <https://learn.microsoft.com/rest/api/batchservice/jobs/create-job>`__ and `Create
    Task Collection <https://learn.microsoft.com/rest/api/batchservice/tasks/create-task-collection>`__.

    The job's id is the same for every repetition of one try, so that a lost answer or a killed worker never
    makes a second job: a job of an earlier try that is still active, or has succeeded, is attached to.

    Returns ``outputs`` by XCom, one result a task in the order of ``tasks``; without ``outputs`` a summary:
    the job's id, how many tasks succeeded and failed, their exit codes, and the times.

    Batch itself ends a job (``maxWallClockTime``) ten minutes after the ``execution_timeout`` of a task that
    waits for it, and else after ``[batchad] max_job_duration``, seven days unless told.

    :param batchad_conn_id: id of an Airflow connection of type ``azure_batch_ad``.
    :param pool_id: an existing pool. Leave it out where ``job["pool_info"]`` says it. (templated)
    :param tasks: the tasks; dicts with the fields of ``Create Task`` in snake case, which are templated, or
        azure-batch's models, which are not. A task without ``id`` is called ``task-<n>``, from 0.
    :param command_line: in place of ``tasks``: a job of this one task. Batch runs no shell: write
        ``/bin/bash -c '…'`` where one is wanted. (templated)
    :param job: whatever else ``Create Job`` takes, in snake case. (templated)
    :param outputs: file or files below each task's working directory to return; ``*.json`` is parsed. One
        that cannot be read fails the Airflow task. (templated)
    :param max_output_bytes: the most bytes of all outputs together; 48 KiB unless told.
    :param max_failed_tasks: more failed Batch tasks than this fail the Airflow task; 0 unless told. For a
        failure that is let pass, ``outputs`` has ``None`` where the task did not write its file.
    :param wait_for_completion: ``False``: end as soon as the job is submitted, and return its id.
    :param poll_interval: the most seconds between two looks at the job; 30 unless told.
    :param deferrable: wait in the triggerer; unless told, ``[operators] default_deferrable``.
    :raises AirflowFailException: the arguments are wrong, the outputs are too large, or the principal's role
        lacks an action: a retry would not help.
    :raises JobFailed: the job did not end as it should.
    :raises SignInError: no token could be had; says at which step.
    """

    template_fields: Sequence[str] = ("batchad_conn_id", "pool_id", "tasks", "command_line", "job", "outputs")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "tasks": "json",
        "job": "json",
        "command_line": "bash",
    }
    operator_extra_links = (AzureBatchJobLink(),)
    ui_color = "#e3effa"

    def __init__(
        self,
        *,
        batchad_conn_id: str = "batchad_default",
        pool_id: str | None = None,
        tasks: Iterable[Any] | None = None,
        command_line: str | None = None,
        job: Mapping[str, Any] | None = None,
        outputs: str | Sequence[str] | None = None,
        max_output_bytes: int = DEFAULT_MAX_OUTPUT_BYTES,
        max_failed_tasks: int = 0,
        wait_for_completion: bool = True,
        poll_interval: float = 30.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batchad_conn_id = batchad_conn_id
        self.pool_id = pool_id
        self.tasks = tasks
        self.command_line = command_line
        self.job = job
        self.outputs = outputs
        self.max_output_bytes = max_output_bytes
        self.max_failed_tasks = max_failed_tasks
        self.wait_for_completion = wait_for_completion
        self.poll_interval = poll_interval
        self.deferrable = deferrable

    def execute(self, context: Context) -> Any:
        """Submit, and wait unless told not to."""
        from airflow_provider_batchad.hooks import AzureBatchAdHook

        spec, wait = self._specification(), self._wait()
        deadline = None if self.execution_timeout is None else datetime.now(UTC) + self.execution_timeout
        with AzureBatchAdHook(self.batchad_conn_id) as hook:
            job = self._submit(hook, spec, context)
            if not self.wait_for_completion:
                return job.job_id
            if self.deferrable:
                self._defer(job.job_id, job.etag, deadline)
            return self._wait_and_finish(hook, spec, job, wait, context)

    def execute_complete(
        self,
        context: Context,
        event: Mapping[str, Any],
        deadline: str | None = None,
        etag: str | None = None,
    ) -> Any:
        """Resume after the trigger fired.

        :param deadline: the trigger's, to go on waiting with.
        :param etag: the version of the job that this try wrote; another one may be somebody else's by now.
        """
        from airflow_provider_batchad.hooks import AzureBatchAdHook

        job_id, status = event["job_id"], event["status"]
        if status == "failed":
            raise JobFailed(f"Waiting for Batch job {job_id!r} failed: {event['message']}", job_id=job_id)
        with AzureBatchAdHook(self.batchad_conn_id) as hook:
            if status == "unreachable" and not self._is_over(hook, job_id):
                self.log.warning("Batch could not be asked for a while; waiting on: %s", event["message"])
                self._defer(job_id, etag, datetime.fromisoformat(deadline) if deadline else None)
            # One that ended just then, or is another try's by now, is judged as any other.
            if status == "deadline" and self._terminate(hook, job_id, etag, context):
                raise JobFailed(
                    f"Batch job {job_id!r} did not end within the execution_timeout of "
                    f"{self.execution_timeout}; it was terminated.",
                    job_id=job_id,
                )
            return self._finish(hook, self._specification(), job_id)

    def _is_over(self, hook: AzureBatchAdHook, job_id: str) -> bool:
        from airflow_provider_batchad.jobs.waiting import look_once

        try:
            return hook.run(look_once(job_id)) is not None
        except (ServiceUnavailable, Unreachable):
            return False

    def _specification(self) -> JobSpec:
        from airflow_provider_batchad.jobs.schema import SpecificationError
        from airflow_provider_batchad.jobs.spec import build_job

        if isinstance(self.tasks, Iterator):
            raise AirflowFailException(
                "tasks: an iterator can be read only once, and is not templated: give a list"
            )
        try:
            return build_job(
                pool_id=self.pool_id, tasks=self.tasks, command_line=self.command_line, job=self.job
            )
        except SpecificationError as error:
            raise AirflowFailException(str(error)) from error

    def _wait(self) -> Wait:
        from airflow_provider_batchad.jobs.waiting import Wait

        try:
            return Wait(poll_interval_seconds=float(self.poll_interval))
        except ValueError as error:
            raise AirflowFailException(str(error)) from error

    def _submit(self, hook: AzureBatchAdHook, spec: JobSpec, context: Context) -> Submitted:
        from airflow_provider_batchad.jobs.submission import submit
        from airflow_provider_batchad.operators.attempt import plan_attempt

        outputs = (self.outputs,) if isinstance(self.outputs, str) else tuple(self.outputs or ())
        plan = plan_attempt(
            context,
            limit=self._limit(),
            max_failed_tasks=self.max_failed_tasks,
            outputs=outputs,
            max_output_bytes=self.max_output_bytes,
        )
        try:
            done = hook.run(submit(spec, plan, now=lambda: datetime.now(UTC)))
        except (PermissionDenied, TasksRejected) as error:
            raise AirflowFailException(str(error)) from error
        except BatchServiceError as error:
            if error.is_code(*AUTHORS_ERRORS):
                raise AirflowFailException(str(error)) from error
            raise
        self._announce(hook, spec, done, context)
        return done

    def _announce(self, hook: AzureBatchAdHook, spec: JobSpec, done: Submitted, context: Context) -> None:
        connection = hook.connection
        url = job_url(
            connection.account_url, done.job_id, connection.cloud.portal, connection.account_resource_id
        )
        context["ti"].xcom_push(JOB_ID_XCOM_KEY, done.job_id)
        context["ti"].xcom_push(JOB_URL_XCOM_KEY, url)
        for job_id in done.superseded:
            self.log.info("Terminated Batch job %s of before the task was cleared.", job_id)
        doing = "Attached to" if done.attached else "Submitted"
        self.log.info("%s Batch job %s with %d task(s): %s", doing, done.job_id, len(spec.tasks), url)
        if done.specification_changed:
            self.log.warning(
                "Batch job %s was submitted by an earlier try with other arguments than this try has; it "
                "runs with those.",
                done.job_id,
            )

    def _limit(self) -> timedelta:
        from airflow_provider_batchad.hooks.configuration import max_job_duration

        timeout = self.execution_timeout
        # Without waiting, the timeout is that of the submission, not of the job.
        if timeout is None or not self.wait_for_completion:
            return max_job_duration()
        return timeout + DEADLINE_MARGIN

    def _defer(self, job_id: str, etag: str | None, deadline: datetime | None) -> NoReturn:
        from airflow_provider_batchad.triggers import AzureBatchJobTrigger

        text = deadline.isoformat() if deadline else None
        trigger = AzureBatchJobTrigger(self.batchad_conn_id, job_id, float(self.poll_interval), text)
        resume_with = {"deadline": text, "etag": etag}
        self.defer(trigger=trigger, method_name="execute_complete", kwargs=resume_with)
        raise AssertionError("defer() does not return")

    def _wait_and_finish(
        self, hook: AzureBatchAdHook, spec: JobSpec, job: Submitted, wait: Wait, context: Context
    ) -> Any:
        from airflow_provider_batchad.jobs.waiting import wait_for_end

        try:
            hook.run(wait_for_end(job.job_id, wait, now=lambda: datetime.now(UTC)))
        except AirflowTaskTimeout:
            self._terminate(hook, job.job_id, job.etag, context)
            raise
        return self._finish(hook, spec, job.job_id)

    def _finish(self, hook: AzureBatchAdHook, spec: JobSpec, job_id: str) -> Any:
        from airflow_provider_batchad.jobs.outcome import read_outcome, with_stderr
        from airflow_provider_batchad.jobs.outputs import read_outputs
        from airflow_provider_batchad.operators.report import check_outcome, log_outcome

        try:
            outcome = hook.run(read_outcome(job_id, spec.task_ids))
            outcome = hook.run(with_stderr(outcome, most=10))
            log_outcome(self.log, outcome)
            check_outcome(outcome, self.max_failed_tasks)
            if not self.outputs:
                return outcome.summary()
            failed = {failure.task_id for failure in outcome.failures}
            return hook.run(
                read_outputs(job_id, spec.task_ids, self.outputs, self.max_output_bytes, failed=failed)
            )
        except PermissionDenied as error:
            raise AirflowFailException(str(error)) from error
        except OutputUnavailable as error:
            if error.too_large:
                raise AirflowFailException(str(error)) from error
            raise

    def _terminate(self, hook: AzureBatchAdHook, job_id: str, etag: str | None, context: Context) -> bool:
        from airflow_provider_batchad.jobs.submission import terminate

        reason = f"Airflow: execution_timeout of {self.execution_timeout} passed."
        ended = hook.run(terminate(job_id, reason, etag=etag, owner=str(context["ti"].id)))
        if ended:
            self.log.info("Terminated Batch job %s.", job_id)
        return ended
