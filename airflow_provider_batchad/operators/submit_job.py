"""``AzureBatchSubmitJobOperator``: a Batch job of one task or of many, on an existing pool."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, get_args

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowTaskTimeout,
    BaseOperator,
    conf,
)

from airflow_provider_batchad.errors import (
    JobFailed,
    ServiceUnavailable,
    Unreachable,
)
from airflow_provider_batchad.links import JOB_ID_XCOM_KEY, JOB_URL_XCOM_KEY, AzureBatchJobLink, job_url

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_batchad.hooks import AzureBatchAdHook
    from airflow_provider_batchad.jobs.spec import JobSpec
    from airflow_provider_batchad.jobs.submission import Submitted
    from airflow_provider_batchad.jobs.verdict import Policy
    from airflow_provider_batchad.jobs.waiting import Wait
    from airflow_provider_batchad.operators.ending import OwnJob
    from airflow_provider_batchad.operators.results import Ended

DEFAULT_MAX_OUTPUT_BYTES = 48 * 1024
Retry = Literal["all_tasks", "failed_tasks"]
Cleanup = Literal["keep", "delete", "delete_on_success"]
DEADLINE_MARGIN = timedelta(minutes=10)


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
    :param retry: what an Airflow retry runs again: ``"all_tasks"``, or ``"failed_tasks"``: a job of those
        tasks alone that did not succeed in the jobs of the tries before, without their dependencies on
        tasks that did; the results of both are returned. A clear runs all tasks in either case.
    :param cleanup: what becomes of the job after its end: ``"keep"``, ``"delete"``, or
        ``"delete_on_success"``. Never changes the verdict; a job that further tries need is kept for them.
    :param skip_on_exit_code: exit code or codes that mean *skip*: the Airflow task is skipped if every failed
        Batch task ended with one of these.
    :param fail_on_exit_code: exit code or codes that mean *do not retry*.
    :param wait_for_completion: ``False``: end as soon as the job is submitted, and return its id.
    :param poll_interval: the most seconds between two looks at the job; 30 unless told.
    :param deferrable: wait in the triggerer; unless told, ``[operators] default_deferrable``.
    :raises ValueError: ``retry`` or ``cleanup`` is none of its choices.
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
        retry: Retry = "all_tasks",
        cleanup: Cleanup = "keep",
        skip_on_exit_code: int | Collection[int] | None = None,
        fail_on_exit_code: int | Collection[int] | None = None,
        wait_for_completion: bool = True,
        poll_interval: float = 30.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_choice("retry", retry, Retry)
        _check_choice("cleanup", cleanup, Cleanup)
        self.batchad_conn_id = batchad_conn_id
        self.pool_id = pool_id
        self.tasks = tasks
        self.command_line = command_line
        self.job = job
        self.outputs = outputs
        self.max_output_bytes = max_output_bytes
        self.max_failed_tasks = max_failed_tasks
        self.retry = retry
        self.cleanup = cleanup
        self.skip_on_exit_code = skip_on_exit_code
        self.fail_on_exit_code = fail_on_exit_code
        self.wait_for_completion = wait_for_completion
        self.poll_interval = poll_interval
        self.deferrable = deferrable

    def execute(self, context: Context) -> Any:
        """Submit, and wait unless told not to."""
        from airflow_provider_batchad.hooks import AzureBatchAdHook
        from airflow_provider_batchad.operators.results import finish

        spec, policy = self._specification(), self._policy()
        wait = self._wait(can_block=spec.can_block)
        deadline = None if self.execution_timeout is None else datetime.now(UTC) + self.execution_timeout
        with AzureBatchAdHook(self.batchad_conn_id) as hook:
            job = self._submit(hook, spec, context)
            if not self.wait_for_completion:
                return job.job_id
            if self.deferrable:
                self._defer(job.job_id, job.etag, deadline, job.earlier, can_block=spec.can_block)
            self._wait_for_end(hook, job, wait, context)
            return finish(hook, self.log, self._ended(spec, job.job_id, job.earlier, policy, context))

    def execute_complete(
        self,
        context: Context,
        event: Mapping[str, Any],
        deadline: str | None = None,
        etag: str | None = None,
        earlier: Sequence[str] = (),
    ) -> Any:
        """Resume after the trigger fired.

        :param deadline: the trigger's, to go on waiting with.
        :param etag: the version of the job that this try wrote; another one may be somebody else's by now.
        :param earlier: jobs of earlier tries whose successes count.
        """
        from airflow_provider_batchad.hooks import AzureBatchAdHook
        from airflow_provider_batchad.operators.results import finish

        job_id, status = event["job_id"], event["status"]
        if status == "failed":
            raise JobFailed(f"Waiting for Batch job {job_id!r} failed: {event['message']}", job_id=job_id)
        with AzureBatchAdHook(self.batchad_conn_id) as hook:
            if status == "unreachable" and not self._is_over(hook, job_id):
                self.log.warning("Batch could not be asked for a while; waiting on: %s", event["message"])
                until = datetime.fromisoformat(deadline) if deadline else None
                self._defer(job_id, etag, until, earlier, can_block=self._specification().can_block)
            own = self._own_job(job_id, etag, context)
            if status == "blocked":
                own.end_blocked(hook, self.log, event["message"])
            # One that ended just then, or is another try's by now, is judged as any other.
            if status == "deadline" and own.end(hook, self.log, self._passed):
                raise JobFailed(
                    f"Batch job {job_id!r} did not end within the execution_timeout of "
                    f"{self.execution_timeout}; it was terminated.",
                    job_id=job_id,
                )
            ended = self._ended(self._specification(), job_id, tuple(earlier), self._policy(), context)
            return finish(hook, self.log, ended)

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

    def _policy(self) -> Policy:
        from airflow_provider_batchad.jobs.verdict import Policy, exit_codes

        try:
            return Policy(
                max_failed_tasks=self.max_failed_tasks,
                skip_on_exit_code=exit_codes("skip_on_exit_code", self.skip_on_exit_code),
                fail_on_exit_code=exit_codes("fail_on_exit_code", self.fail_on_exit_code),
            )
        except ValueError as error:
            raise AirflowFailException(str(error)) from error

    def _wait(self, *, can_block: bool) -> Wait:
        from airflow_provider_batchad.jobs.waiting import Wait

        try:
            return Wait(poll_interval_seconds=float(self.poll_interval), can_block=can_block)
        except ValueError as error:
            raise AirflowFailException(str(error)) from error

    def _submit(self, hook: AzureBatchAdHook, spec: JobSpec, context: Context) -> Submitted:
        from airflow_provider_batchad.operators.attempt import plan_attempt, submit_once

        outputs = (self.outputs,) if isinstance(self.outputs, str) else tuple(self.outputs or ())
        plan = plan_attempt(
            context,
            limit=self._limit(),
            max_failed_tasks=self.max_failed_tasks,
            outputs=outputs,
            max_output_bytes=self.max_output_bytes,
            keeps_successes=self.retry == "failed_tasks",
        )
        done = submit_once(hook, spec, plan)
        self._announce(hook, spec, done, context)
        return done

    def _announce(self, hook: AzureBatchAdHook, spec: JobSpec, done: Submitted, context: Context) -> None:
        from airflow_provider_batchad.operators.report import log_submission

        connection = hook.connection
        url = job_url(
            connection.account_url, done.job_id, connection.cloud.portal, connection.account_resource_id
        )
        context["ti"].xcom_push(JOB_ID_XCOM_KEY, done.job_id)
        context["ti"].xcom_push(JOB_URL_XCOM_KEY, url)
        log_submission(self.log, done, tasks=len(spec.tasks), url=url)

    def _limit(self) -> timedelta:
        from airflow_provider_batchad.hooks.configuration import max_job_duration

        timeout = self.execution_timeout
        # Without waiting, the timeout is that of the submission, not of the job.
        if timeout is None or not self.wait_for_completion:
            return max_job_duration()
        return timeout + DEADLINE_MARGIN

    def _defer(
        self,
        job_id: str,
        etag: str | None,
        deadline: datetime | None,
        earlier: Sequence[str],
        *,
        can_block: bool,
    ) -> NoReturn:
        from airflow_provider_batchad.triggers import AzureBatchJobTrigger

        text = deadline.isoformat() if deadline else None
        interval = float(self.poll_interval)
        trigger = AzureBatchJobTrigger(self.batchad_conn_id, job_id, interval, text, can_block)
        resume_with = {"deadline": text, "etag": etag, "earlier": list(earlier)}
        self.defer(trigger=trigger, method_name="execute_complete", kwargs=resume_with)
        raise AssertionError("defer() does not return")

    def _wait_for_end(self, hook: AzureBatchAdHook, job: Submitted, wait: Wait, context: Context) -> None:
        from airflow_provider_batchad.jobs.waiting import WaitResult, wait_for_end

        own = self._own_job(job.job_id, job.etag, context)
        try:
            waited = hook.run(wait_for_end(job.job_id, wait, now=lambda: datetime.now(UTC)))
            if waited.result is WaitResult.BLOCKED:
                own.end_blocked(hook, self.log, waited.message)
        except AirflowTaskTimeout:
            own.end(hook, self.log, self._passed)
            raise

    @property
    def _passed(self) -> str:
        return f"Airflow: execution_timeout of {self.execution_timeout} passed."

    def _own_job(self, job_id: str, etag: str | None, context: Context) -> OwnJob:
        from airflow_provider_batchad.operators.ending import OwnJob

        return OwnJob(job_id=job_id, etag=etag, owner=str(context["ti"].id))

    def _ended(
        self, spec: JobSpec, job_id: str, earlier: tuple[str, ...], policy: Policy, context: Context
    ) -> Ended:
        from airflow_provider_batchad.operators.results import Ended

        ti: Any = context["ti"]
        return Ended(
            spec=spec,
            job_id=job_id,
            earlier=earlier,
            policy=policy,
            outputs=self.outputs,
            max_output_bytes=self.max_output_bytes,
            cleanup=self.cleanup,
            number=ti.try_number,
            needed_by_a_retry=self.retry == "failed_tasks" and ti.try_number <= ti.max_tries,
        )


def _check_choice(name: str, given: object, choices: object) -> None:
    if given not in get_args(choices):
        expected = ", ".join(repr(choice) for choice in get_args(choices))
        raise ValueError(f"{name}: expected one of {expected}, not {given!r}")
