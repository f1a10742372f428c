"""How an operator ends a Batch job that must not go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowTaskTimeout

from airflow_provider_batchad.errors import BatchAdError
from airflow_provider_batchad.hooks.pool_look import look_at_pool
from airflow_provider_batchad.jobs.outcome import BLOCKED_REASON
from airflow_provider_batchad.jobs.termination import terminate
from airflow_provider_batchad.jobs.waiting import Wait, wait_for_end
from airflow_provider_batchad.operators.kill_switch import Killed, why_unwanted

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_batchad.hooks import AzureBatchAdHook
    from airflow_provider_batchad.jobs.spec import JobSpec

_LONGEST_TERMINATION = timedelta(minutes=1)
_LONGEST_REASON = 1000


@dataclass(slots=True, kw_only=True)
class OwnJob:
    """The job of a try, which that try may end as long as no later one has it.

    :param etag: the version that this try wrote; ``None`` before it wrote one.
    :param owner: this try's ``ti.id``.
    """

    job_id: str
    etag: str | None
    owner: str

    def end(self, hook: AzureBatchAdHook, log: Any, reason: str) -> bool:
        """Ask for the job's end; whether it was this request that ended it."""
        reason = reason[:_LONGEST_REASON]
        ended = hook.run(terminate(self.job_id, reason, etag=self.etag, owner=self.owner))
        if ended:
            log.info("Terminated Batch job %s: %s", self.job_id, reason)
        return ended

    def end_blocked(self, hook: AzureBatchAdHook, log: Any, message: str) -> None:
        """End a job in which nothing can go on, and wait up to a minute until it is over.

        :param message: what it waits for in vain.
        """
        log.error("Batch job %s cannot go on: %s", self.job_id, message)
        if self.end(hook, log, f"{BLOCKED_REASON}{message}"):
            wait = Wait(poll_interval_seconds=2, deadline=datetime.now(UTC) + _LONGEST_TERMINATION)
            hook.run(wait_for_end(self.job_id, wait, now=lambda: datetime.now(UTC)))


def pool_trouble(hook: AzureBatchAdHook, spec: JobSpec) -> str:
    """Why the pool can run nothing, as a further sentence of a failure; empty where nothing is known."""
    try:
        found = None if spec.pool_id is None else hook.run(look_at_pool(hook.connection, spec.pool_id))
    except BatchAdError:
        found = None
    return f" {found}" if found else ""


def event_of(event: Mapping[str, Any], job_id: str | None) -> Mapping[str, Any]:
    """What a trigger said of this job; of another one's event, that nobody knows how this one is.

    SQLite gives the id of a deleted trigger to the next one, and Airflow hands events over by that id.

    :param job_id: ``None`` where whoever deferred did not say it.
    """
    if job_id is None or event["job_id"] == job_id:
        return event
    message = f"the trigger's event was of Batch job {event['job_id']!r}"
    return {"job_id": job_id, "status": "unreachable", "message": message}


def timeout_passed(timeout: timedelta | None) -> str:
    """The reason for ending a job whose Airflow task ran out of time."""
    return f"Airflow: execution_timeout of {timeout} passed."


@contextmanager
def ends_with_its_task(
    hook: AzureBatchAdHook,
    log: Any,
    context: Context,
    own: OwnJob,
    *,
    timeout: timedelta | None,
    cancel_on_kill: bool,
) -> Iterator[None]:
    """While the worker submits and waits: end the job when the task's time is over or a person ended it.

    Where Airflow ends the process alone (an eviction, an API server out of reach), the job is left to the
    next try, which attaches to it.

    :raises AirflowException: Airflow told this process to end.
    """
    try:
        yield
    except AirflowTaskTimeout:
        own.end(hook, log, timeout_passed(timeout))
        raise
    except Killed:
        reason = why_unwanted(context) if cancel_on_kill else None
        if reason is not None:
            told = own.end(hook, log, reason)
            what = "was told to end" if told else "was never made, is over already, or is another try's"
            raise AirflowException(f"{reason} Its Batch job {own.job_id!r} {what}.") from None
        what = "is left as it is" if own.etag is None else "goes on"
        raise AirflowException(
            f"Airflow told this process to end. Batch job {own.job_id!r} {what}; a further try attaches to "
            "one that runs."
        ) from None
