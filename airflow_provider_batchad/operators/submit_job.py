"""``AzureBatchSubmitJobOperator``: a Batch job of one task or of many, on an existing pool."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, get_args

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_batchad.errors import JobFailed, ServiceUnavailable, Unreachable
from airflow_provider_batchad.links import AzureBatchJobLink
from airflow_provider_batchad.operators.declaring import DeclaresActions, declaring
from airflow_provider_batchad.operators.rendering import PlainDataTemplates

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_batchad.access.wanted import RoleElsewhere, Wanted
    from airflow_provider_batchad.hooks import AzureBatchAdHook
    from airflow_provider_batchad.jobs.spec import JobSpec
    from airflow_provider_batchad.operators.ending import OwnJob
    from airflow_provider_batchad.operators.kill_switch import KillSwitch
    from airflow_provider_batchad.operators.place import Times

DEFAULT_MAX_OUTPUT_BYTES = 48 * 1024
DEFAULT_QUOTA_TIMEOUT = timedelta(days=1)
Retry = Literal["all_tasks", "failed_tasks"]
Cleanup = Literal["keep", "delete", "delete_on_success"]
OnRejectedTask = Literal["fail", "run_others"]


class AzureBatchSubmitJobOperator(DeclaresActions, PlainDataTemplates, BaseOperator):
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
    :param tasks: the tasks: dicts with the fields of ``Create Task`` in snake case, dataclasses with such
        fields, or azure-batch's models; templated. A task without ``id`` is called ``task-<n>``, from 0. Or a
        function that is called as ``f(context=…, jinja_env=…)`` and yields them: a hundred thousand are never
        held whole. Each process that looks at the job calls it, so it is to yield the same each time.
    :param command_line: in place of ``tasks``: a job of this one task. Batch runs no shell: write
        ``/bin/bash -c '…'`` where one is wanted. (templated)
    :param job: whatever else ``Create Job`` takes, in snake case. (templated)
    :param outputs: file or files below each task's working directory to return; ``*.json`` is parsed, any
        other is text. ``"::stdout::"`` (or ``"::stderr::"``) stands for the lines ``::{"outputs": {…}}::`` of
        that log together. What cannot be read, or is none of that, fails the Airflow task. Or a dict with
        ``container_url``, ``files`` and ``identity_resource_id``: each task that succeeds has Batch upload
        these files, and they are read from there; with ``"read_back": False`` the return value says where
        they are. (templated)
    :param max_output_bytes: the most bytes that the return value takes as JSON, and that are read of one
        file; 48 KiB unless told.
    :param max_failed_tasks: more failed Batch tasks than this fail the Airflow task; 0 unless told. For a
        failure that is let pass, ``outputs`` has ``None`` where the task did not write its file.
    :param retry: what an Airflow retry runs again: ``"all_tasks"``, or ``"failed_tasks"``: a job of those
        tasks alone that did not succeed in the jobs of the tries before, without their dependencies on
        tasks that did; the results of both are returned. A clear runs all tasks in either case.
    :param on_rejected_task: what becomes of the others where Batch refuses a task for what it says:
        ``"fail"`` ends the job and fails for good; ``"run_others"`` runs them, and counts the refused one
        among the failed.
    :param cleanup: what becomes of the job after its end: ``"keep"``, ``"delete"``, or
        ``"delete_on_success"``. Never changes the verdict; a job that further tries need is kept for them.
    :param skip_on_exit_code: exit code or codes that mean *skip*: the Airflow task is skipped if every failed
        Batch task ended with one of these.
    :param fail_on_exit_code: exit code or codes that mean *do not retry*.
    :param allow_secrets_in_job: ``True`` submits a job that holds a value which Airflow masks as a secret,
        such as a connection's password, for all to read who may read jobs. Else that is refused.
    :param wait_for_completion: ``False``: end as soon as the job is submitted, and return its id.
    :param poll_interval: the most seconds between two looks at the job; 30 unless told.
    :param quota_timeout: how long to wait, a ``timedelta`` or seconds, where the account has as many active
        jobs and schedules as it may; one day unless told, and never longer than ``execution_timeout``.
    :param cancel_on_kill: end the Batch job when a person marks or clears the Airflow task, and when its DAG
        run runs out of time. ``False`` leaves the job to its end.
    :param deferrable: wait in the triggerer; unless told, ``[operators] default_deferrable``.
    :raises ValueError: ``retry``, ``on_rejected_task`` or ``cleanup`` is none of its choices.
    :raises AirflowFailException: the arguments are wrong or hold a secret, the outputs are too large, or the
        principal's role lacks an action: a retry would not help.
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
        tasks: Iterable[Any] | Callable[..., Iterable[Any]] | None = None,
        command_line: str | None = None,
        job: Mapping[str, Any] | None = None,
        outputs: str | Sequence[str] | Mapping[str, Any] | None = None,
        max_output_bytes: int = DEFAULT_MAX_OUTPUT_BYTES,
        max_failed_tasks: int = 0,
        retry: Retry = "all_tasks",
        on_rejected_task: OnRejectedTask = "fail",
        cleanup: Cleanup = "keep",
        skip_on_exit_code: int | Collection[int] | None = None,
        fail_on_exit_code: int | Collection[int] | None = None,
        allow_secrets_in_job: bool = False,
        wait_for_completion: bool = True,
        poll_interval: float = 30.0,
        quota_timeout: timedelta | float = DEFAULT_QUOTA_TIMEOUT,
        cancel_on_kill: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check_choice("retry", retry, Retry)
        _check_choice("on_rejected_task", on_rejected_task, OnRejectedTask)
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
        self.on_rejected_task = on_rejected_task
        self.cleanup = cleanup
        self.skip_on_exit_code = skip_on_exit_code
        self.fail_on_exit_code = fail_on_exit_code
        self.allow_secrets_in_job = allow_secrets_in_job
        self.wait_for_completion = wait_for_completion
        self.poll_interval = poll_interval
        self.quota_timeout = quota_timeout
        self.cancel_on_kill = cancel_on_kill
        self.deferrable = deferrable
        self._kill_switch: KillSwitch | None = None

    @classmethod
    def wanted_actions(cls, arguments: Mapping[str, Any]) -> Iterable[Wanted]:
        """Reading and writing jobs; deleting them for a ``cleanup``, and writing pools for an auto pool."""
        from airflow_provider_batchad.operators.submit_job_actions import wanted_by_submit_job

        return wanted_by_submit_job(arguments)

    @classmethod
    def roles_elsewhere(cls, _arguments: Mapping[str, Any]) -> Iterable[RoleElsewhere]:
        """Reading blobs, of a container that ``outputs`` are read back from."""
        from airflow_provider_batchad.operators.submit_job_actions import elsewhere_by_submit_job

        return elsewhere_by_submit_job(_arguments)

    @declaring
    def execute(self, context: Context) -> Any:
        """Submit, and wait unless told not to."""
        from airflow_provider_batchad.operators.place import Times

        return self._submit_and_wait(context, Times.of(self))

    @declaring
    def execute_in_a_place(
        self, context: Context, event: Mapping[str, Any], *, times: Mapping[str, str | None], room: int = 0
    ) -> Any:
        """Resume after a wait for a place among the account's active jobs.

        :param times: when the try began, and until when it may wait.
        :param room: how many unfinished jobs there were when it was refused last.
        """
        from airflow_provider_batchad.operators.place import Times, after_waiting

        kept = Times.read(times)
        after_waiting(self, context, event, kept, room=room)
        return self._submit_and_wait(context, kept)

    def _submit_and_wait(self, context: Context, times: Times) -> Any:
        from airflow_provider_batchad.hooks import AzureBatchAdHook
        from airflow_provider_batchad.hooks.pool_look import look_at_pool
        from airflow_provider_batchad.jobs.following import Follower, followed
        from airflow_provider_batchad.jobs.waiting import WaitResult, wait_for_end
        from airflow_provider_batchad.operators.arguments import policy_of, specification_of, wait_of
        from airflow_provider_batchad.operators.attempt import plan_attempt
        from airflow_provider_batchad.operators.ending import OwnJob, ends_with_its_task
        from airflow_provider_batchad.operators.kill_switch import KillSwitch
        from airflow_provider_batchad.operators.place import submit_in_a_place
        from airflow_provider_batchad.operators.results import Ended, finish

        spec, policy = specification_of(self, context), policy_of(self)
        wait, plan = wait_of(self, spec), plan_attempt(self, context)
        switch = self._kill_switch = KillSwitch()
        own = OwnJob(job_id=plan.job_id, etag=None, owner=plan.owner)
        with (
            AzureBatchAdHook(self.batchad_conn_id) as hook,
            ends_with_its_task(
                hook,
                self.log,
                context,
                own,
                timeout=self.execution_timeout,
                cancel_on_kill=self.cancel_on_kill,
            ),
        ):
            job = submit_in_a_place(self, hook, spec, plan, times, context=context, pause=switch.pause)
            own.job_id, own.etag = job.job_id, job.etag
            if not self.wait_for_completion:
                return job.job_id
            if self.deferrable:
                self._defer(own, times.deadline, job.earlier, job.rejected, spec)
            waiting = wait_for_end(own.job_id, wait, now=lambda: datetime.now(UTC))
            submitted = [task_id for task_id in spec.task_ids if task_id not in job.kept]
            look = None if spec.pool_id is None else partial(look_at_pool, hook.connection, spec.pool_id)
            follower = Follower(own.job_id, submitted, self.log.info, look)
            waited = hook.run(followed(waiting, follower), switch.pause)
            if waited.result is WaitResult.BLOCKED:
                own.end_blocked(hook, self.log, waited.message)
            ended = Ended.of(
                self,
                context,
                spec,
                policy,
                job_id=own.job_id,
                earlier=job.earlier,
                rejected=job.rejected,
            )
            return finish(hook, self.log, ended)

    @declaring
    def execute_complete(
        self,
        context: Context,
        event: Mapping[str, Any],
        *,
        job_id: str | None = None,
        deadline: str | None = None,
        etag: str | None = None,
        earlier: Sequence[str] = (),
        rejected: Mapping[str, str] | None = None,
    ) -> Any:
        """Resume after the trigger fired.

        :param job_id: the job that is waited for; unless told, the event's.
        :param deadline: the trigger's, to go on waiting with.
        :param etag: the version of the job that this try wrote; another one may be somebody else's by now.
        :param earlier: jobs of earlier tries whose successes count.
        :param rejected: tasks that Batch refused while all others run: id → why.
        """
        from airflow_provider_batchad.hooks import AzureBatchAdHook
        from airflow_provider_batchad.operators.arguments import policy_of, specification_of
        from airflow_provider_batchad.operators.ending import (
            OwnJob,
            event_of,
            pool_trouble,
            timeout_passed,
        )
        from airflow_provider_batchad.operators.results import Ended, finish

        event = event_of(event, job_id)
        job_id, status = event["job_id"], event["status"]
        if status == "failed":
            raise JobFailed(f"Waiting for Batch job {job_id!r} failed: {event['message']}", job_id=job_id)
        spec = specification_of(self, context)
        own = OwnJob(job_id=job_id, etag=etag, owner=str(context["ti"].id))
        with AzureBatchAdHook(self.batchad_conn_id) as hook:
            if status == "unreachable" and not self._is_over(hook, job_id):
                self.log.warning("It is not known how the job is; waiting on: %s", event["message"])
                until = datetime.fromisoformat(deadline) if deadline else None
                self._defer(own, until, earlier, rejected or {}, spec)
            if status == "blocked":
                own.end_blocked(hook, self.log, event["message"])
            # One that ended just then, or is another try's by now, is judged as any other.
            if status == "deadline" and own.end(hook, self.log, timeout_passed(self.execution_timeout)):
                raise JobFailed(
                    f"Batch job {job_id!r} did not end within the execution_timeout of "
                    f"{self.execution_timeout}; it was terminated.{pool_trouble(hook, spec)}",
                    job_id=job_id,
                )
            ended = Ended.of(
                self, context, spec, policy_of(self), job_id=job_id, earlier=earlier, rejected=rejected
            )
            return finish(hook, self.log, ended)

    def on_kill(self) -> None:
        """Let the thread that waits find out why Airflow ends the task, and end the Batch job if it must."""
        # In a signal handler: neither Airflow nor a log may be touched here.
        if self._kill_switch is not None:
            self._kill_switch.flip()

    def _is_over(self, hook: AzureBatchAdHook, job_id: str) -> bool:
        from airflow_provider_batchad.jobs.waiting import look_once

        try:
            return hook.run(look_once(job_id)) is not None
        except (ServiceUnavailable, Unreachable):
            return False

    def _defer(
        self,
        own: OwnJob,
        deadline: datetime | None,
        earlier: Sequence[str],
        rejected: Mapping[str, str],
        spec: JobSpec,
    ) -> NoReturn:
        from airflow_provider_batchad.jobs.rejected import to_remember
        from airflow_provider_batchad.triggers import AzureBatchJobTrigger

        text = deadline.isoformat() if deadline else None
        trigger = AzureBatchJobTrigger(
            self.batchad_conn_id,
            own.job_id,
            float(self.poll_interval),
            text,
            can_block=spec.can_block,
            cancel_on_kill=self.cancel_on_kill,
            etag=own.etag,
            pool_id=spec.pool_id,
        )
        resume_with: dict[str, Any] = {
            "job_id": own.job_id,
            "deadline": text,
            "etag": own.etag,
            "earlier": list(earlier),
        }
        if rejected:
            resume_with["rejected"] = to_remember(rejected)
        self.defer(trigger=trigger, method_name="execute_complete", kwargs=resume_with)
        raise AssertionError("defer() does not return")


def _check_choice(name: str, given: object, choices: object) -> None:
    if given not in get_args(choices):
        expected = ", ".join(repr(choice) for choice in get_args(choices))
        raise ValueError(f"{name}: expected one of {expected}, not {given!r}")
