"""How an operator waits for a place among the account's active jobs: in the worker, or deferred."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_batchad.errors import BatchAdError, BatchServiceError, JobFailed
from airflow_provider_batchad.jobs.quota import waits_for_place
from airflow_provider_batchad.jobs.watch_lists import list_unfinished
from airflow_provider_batchad.operators.arguments import check_container
from airflow_provider_batchad.operators.attempt import plan_attempt, submit_attempt

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_batchad.hooks import AzureBatchAdHook
    from airflow_provider_batchad.jobs.spec import JobSpec
    from airflow_provider_batchad.jobs.submission import Plan, Submitted
    from airflow_provider_batchad.operators.submit_job import AzureBatchSubmitJobOperator

_FIRST_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What a try keeps through its waits for a place.

    :param begun: when it began to want one: the one refused first is let go first.
    :param until: how long it waits for a place.
    :param deadline: when its ``execution_timeout`` passes, whatever it waits for.
    """

    begun: datetime
    until: datetime
    deadline: datetime | None

    @classmethod
    def of(cls, operator: AzureBatchSubmitJobOperator) -> Times:
        """Of a try that begins at this moment.

        :raises AirflowFailException: ``quota_timeout`` is no length of time.
        """
        begun, given = datetime.now(UTC), operator.quota_timeout
        try:
            bound = given if isinstance(given, timedelta) else timedelta(seconds=float(given))
            until = begun + bound
        except (TypeError, ValueError, OverflowError) as error:
            raise AirflowFailException(f"quota_timeout: not a length of time: {given!r}: {error}") from error
        if until < begun:
            raise AirflowFailException(f"quota_timeout: not a length of time: {given!r}: it is negative")
        timeout: timedelta | None = operator.execution_timeout
        deadline = None if timeout is None else begun + timeout
        return cls(begun=begun, until=until if deadline is None else min(until, deadline), deadline=deadline)

    @classmethod
    def read(cls, stored: Mapping[str, str | None]) -> Times:
        """Of what was stored with a deferred task."""
        times = {name: datetime.fromisoformat(text) for name, text in stored.items() if text}
        return cls(begun=times["begun"], until=times["until"], deadline=times.get("deadline"))

    def stored(self) -> dict[str, str | None]:
        """As Airflow keeps it with a deferred task."""
        deadline = self.deadline.isoformat() if self.deadline else None
        return {"begun": self.begun.isoformat(), "until": self.until.isoformat(), "deadline": deadline}

    def passed(self, job_id: str, timeout: timedelta | None) -> JobFailed:
        """The error of one who waited in vain.

        :param timeout: the task's ``execution_timeout``.
        """
        waited = timedelta(seconds=round((datetime.now(UTC) - self.begun).total_seconds()))
        over = "quota_timeout" if self.deadline != self.until else f"execution_timeout of {timeout}"
        return JobFailed(
            f"The Batch account had no place for another active job or schedule for {waited}, until the "
            f"{over} passed (ActiveJobAndScheduleQuotaReached). Nothing was submitted. End jobs that nobody "
            "needs (airflow batchad orphans), or have the account's quota raised.",
            job_id=job_id,
        )


def submit_in_a_place(
    operator: AzureBatchSubmitJobOperator,
    hook: AzureBatchAdHook,
    spec: JobSpec,
    plan: Plan,
    times: Times,
    *,
    context: Context,
    pause: Callable[[float], object],
) -> Submitted:
    """Submit the job of this try as soon as the account has a place for it.

    :raises AirflowFailException: ``outputs`` name a container where this connection's tokens do not go.
    :raises JobFailed: none came free in time.
    """
    check_container(operator, hook.connection.cloud)
    seconds = min(_FIRST_PAUSE_SECONDS, float(operator.poll_interval))
    while True:
        try:
            return submit_attempt(operator, hook, spec, plan, context=context, pause=pause)
        except BatchServiceError as error:
            if not waits_for_place(error):
                raise
            left = (times.until - datetime.now(UTC)).total_seconds()
            if left <= 0:
                raise times.passed(plan.job_id, operator.execution_timeout) from error
        operator.log.info("The account's quota of active jobs is reached; waiting until %s.", times.until)
        if operator.deferrable:
            unfinished = _unfinished(hook, pause)
            # Where the answer to a first request was lost, the second one is refused by the job of the first.
            if plan.job_id.casefold() not in unfinished:
                defer_for_place(operator, times, room=len(unfinished))
        pause(min(left, seconds * random.uniform(0.7, 1.0)))  # noqa: S311 - spreads the tries, guards nothing
        seconds = min(seconds * 1.5, float(operator.poll_interval))


def _unfinished(hook: AzureBatchAdHook, pause: Callable[[float], object]) -> Collection[str]:
    try:
        return hook.run(list_unfinished(), pause)
    except BatchAdError:
        # The trigger asks again, and says it where that does not help.
        return ()


def after_waiting(
    operator: AzureBatchSubmitJobOperator,
    context: Context,
    event: Mapping[str, Any],
    times: Times,
    *,
    room: int,
) -> None:
    """Look at why the wait is over: return where it is to be tried again.

    :param room: how many unfinished jobs there were when it was refused last.
    :raises JobFailed: the time is over, or asking was refused.
    """
    status, message = event["status"], event["message"]
    if status == "unreachable":
        operator.log.warning("Batch could not be asked for a while; waiting on: %s", message)
        defer_for_place(operator, times, room=room)
    job_id = plan_attempt(operator, context).job_id
    if status == "deadline":
        raise times.passed(job_id, operator.execution_timeout)
    if status != "free":
        raise JobFailed(
            f"Waiting for a place among the account's active jobs failed: {message}", job_id=job_id
        )


def defer_for_place(operator: AzureBatchSubmitJobOperator, times: Times, *, room: int) -> None:
    """Wait in the triggerer; the operator resumes in ``execute_in_a_place``.

    :param room: how many unfinished jobs there were when it was refused last.
    """
    from airflow_provider_batchad.triggers import AzureBatchQuotaTrigger

    trigger = AzureBatchQuotaTrigger(
        operator.batchad_conn_id,
        times.begun.isoformat(),
        times.until.isoformat(),
        room,
        float(operator.poll_interval),
    )
    resume_with = {"times": times.stored(), "room": room}
    operator.defer(trigger=trigger, method_name="execute_in_a_place", kwargs=resume_with)
