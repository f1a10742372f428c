"""What an operator does with a job that is over: verdict, report, outputs, clean-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_batchad.errors import JobFailed, OutputUnavailable, PermissionDenied
from airflow_provider_batchad.hooks.blobs import read_blobs
from airflow_provider_batchad.jobs.cleanup import delete_jobs
from airflow_provider_batchad.jobs.kept import read_kept
from airflow_provider_batchad.jobs.logs import with_logs
from airflow_provider_batchad.jobs.outcome import JobOutcome, read_outcome
from airflow_provider_batchad.jobs.outputs import read_outputs
from airflow_provider_batchad.jobs.rejected import with_rejected
from airflow_provider_batchad.jobs.verdict import Policy, Verdict
from airflow_provider_batchad.operators.arguments import container_of
from airflow_provider_batchad.operators.report import SHOWN, log_outcome, raise_verdict

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_batchad.hooks import AzureBatchAdHook
    from airflow_provider_batchad.jobs.output_container import OutputContainer
    from airflow_provider_batchad.jobs.spec import JobSpec
    from airflow_provider_batchad.operators.submit_job import AzureBatchSubmitJobOperator


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job that is over, and what to make of it.

    :param earlier: jobs of earlier tries whose successes count, from the oldest to the newest.
    :param rejected: tasks that Batch refused while all others ran: id → why; ``None`` where the author does
        not let them run.
    :param outputs: what the author wants back, as the author gave it.
    :param container: where the tasks left them instead.
    :param max_output_bytes: the most bytes of all outputs together.
    :param cleanup: ``keep``, ``delete`` or ``delete_on_success``.
    :param number: this try's.
    :param needed_by_a_retry: whether a further try would keep the successes of these jobs.
    """

    spec: JobSpec
    job_id: str
    earlier: tuple[str, ...]
    policy: Policy
    rejected: Mapping[str, str] | None
    outputs: str | Sequence[str] | Mapping[str, Any] | None
    container: OutputContainer | None
    max_output_bytes: int
    cleanup: str
    number: int
    needed_by_a_retry: bool

    @classmethod
    def of(
        cls,
        operator: AzureBatchSubmitJobOperator,
        context: Context,
        spec: JobSpec,
        policy: Policy,
        *,
        job_id: str,
        earlier: Sequence[str],
        rejected: Mapping[str, str] | None = None,
    ) -> Self:
        """The job that this try of the operator submitted or attached to."""
        ti: Any = context["ti"]
        return cls(
            spec=spec,
            job_id=job_id,
            earlier=tuple(earlier),
            policy=policy,
            rejected=(rejected or {}) if operator.on_rejected_task == "run_others" else None,
            outputs=operator.outputs,
            container=container_of(operator, context),
            max_output_bytes=operator.max_output_bytes,
            cleanup=operator.cleanup,
            number=ti.try_number,
            needed_by_a_retry=operator.retry == "failed_tasks" and ti.try_number <= ti.max_tries,
        )


def finish(hook: AzureBatchAdHook, log: Any, ended: Ended) -> Any:
    """The Airflow task's return value.

    :raises JobFailed: the job did not end as it should.
    :raises AirflowSkipException: every failure ended with an exit code that means *skip*.
    :raises AirflowFailException: another try would not help.
    :raises OutputUnavailable: a demanded output cannot be read.
    """
    kept = hook.run(read_kept(ended.earlier, ended.spec.task_ids)) if ended.earlier else {}
    outcome = hook.run(read_outcome(ended.job_id, ended.spec.task_ids, kept))
    missing = len(outcome.missing)
    if ended.rejected is not None:
        outcome = with_rejected(outcome, ended.rejected)
    verdict = ended.policy.judge(outcome)
    done = final = False
    try:
        outcome = hook.run(with_logs(outcome, most=SHOWN))
        log_outcome(log, outcome)
        try:
            raise_verdict(verdict, outcome, ended.policy)
        except JobFailed as error:
            if ended.rejected and missing == len(outcome.failures):
                raise AirflowFailException(f"{error} Batch would refuse the same again.") from error
            raise
        result = _outputs(hook, ended, outcome) if ended.outputs else outcome.summary()
        done = True
    except AirflowFailException:
        final = True
        raise
    except PermissionDenied as error:
        final = True
        raise AirflowFailException(str(error)) from error
    finally:
        final = final or verdict is Verdict.SKIPPED
        if outcome.state == "completed" and _is_to_go(ended, done=done, final=final):
            _clean_up(hook, log, ended)
    return result


def _outputs(hook: AzureBatchAdHook, ended: Ended, outcome: JobOutcome) -> Any:
    failed = {failure.task_id for failure in outcome.failures}
    container = ended.container
    if container is not None and not container.read_back:
        return container.urls(ended.spec.task_ids, failed)
    reading = read_outputs(
        ended.job_id,
        ended.spec.task_ids,
        cast("str | Sequence[str]", ended.outputs) if container is None else container.names,
        ended.max_output_bytes,
        failed=failed,
        kept=outcome.kept,
        source=container,
    )
    try:
        return hook.run(reading) if container is None else read_blobs(hook, container.url, reading)
    except OutputUnavailable as error:
        if error.too_large:
            raise AirflowFailException(str(error)) from error
        raise


def _is_to_go(ended: Ended, *, done: bool, final: bool) -> bool:
    if done:
        return ended.cleanup != "keep"
    return ended.cleanup == "delete" and (final or not ended.needed_by_a_retry)


def _clean_up(hook: AzureBatchAdHook, log: Any, ended: Ended) -> None:
    job_ids = (*ended.earlier, ended.job_id)
    left = hook.run(delete_jobs(job_ids, number=ended.number))
    for job_id, problem in left.items():
        log.warning("Batch job %s was not deleted: %s", job_id, problem)
    if len(left) < len(job_ids):
        log.info("Asked for the deletion of %s.", ", ".join(one for one in job_ids if one not in left))
