"""What earlier tries of the task instance left: a job to attach to, or jobs to end first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from airflow_provider_batchad.errors import BatchServiceError, NotFound, OutputUnavailable
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.kept import read_kept
from airflow_provider_batchad.jobs.naming import Attempt, job_id, parse_attempt
from airflow_provider_batchad.jobs.outcome import JobOutcome, read_outcome
from airflow_provider_batchad.jobs.outputs import read_outputs
from airflow_provider_batchad.jobs.plan import ALIVE, Plan, state_of
from airflow_provider_batchad.jobs.rejected import with_rejected
from airflow_provider_batchad.jobs.rest import Steps, ask
from airflow_provider_batchad.jobs.termination import terminate

JOB_SELECT = "id,state,creationTime,eTag,onAllTasksComplete,metadata"
# Each with the try that made it; none for a job of an earlier start of the DAG run.
KnownJobs: TypeAlias = Sequence[tuple[Attempt | None, dict[str, Any]]]


def find_jobs(plan: Plan) -> Steps[KnownJobs]:
    """Every job of this task instance, whichever try made it.

    :raises Superseded: one of them is a later try's, so that this one must not submit any more.
    """
    try:
        prefix = plan.run_prefix or plan.prefix
        listing = requests.list_jobs(where=f"startswith(id,'{prefix}')", select=JOB_SELECT)
        jobs = yield from requests.all_pages(listing)
    except BatchServiceError as error:
        # The documentation has the filter for job schedules; a service may not take it for jobs.
        if error.status != 400:
            raise
        jobs = yield from _read_one_by_one(plan)
    known: list[tuple[Attempt | None, dict[str, Any]]] = []
    for job in filter(plan.is_ours, jobs):
        attempt = parse_attempt(plan.prefix, job["id"])
        if attempt is not None:
            plan.check_not_superseded(job)
            known.append((attempt, job))
        elif plan.is_of_earlier_start(job):
            known.append((None, job))
    return known


def _read_one_by_one(plan: Plan) -> Steps[list[dict[str, Any]]]:
    jobs = []
    for attempt in _possible_attempts(plan):
        try:
            request = requests.get_job(job_id(plan.prefix, attempt), select=JOB_SELECT)
            jobs.append((yield from ask(request)).json())
        except NotFound:
            continue
    return jobs


def _possible_attempts(plan: Plan) -> Iterator[Attempt]:
    first = min(plan.first_try, plan.attempt.number)
    # A clear sets max_tries to the last try and the retries: the epoch of an earlier try is at most so much
    # above its number, unless the author changed the retries in between.
    retries = max(0, plan.attempt.epoch - first + 1)
    for number in range(1, first):
        for epoch in range(number - 1, number + retries):
            yield Attempt(epoch=epoch, number=number)
    # The next try as well: where it has a job, this process is a zombie.
    for number in range(first, plan.attempt.number + 2):
        yield Attempt(epoch=plan.attempt.epoch, number=number)


def supersede(plan: Plan, known: KnownJobs) -> Steps[tuple[str, ...]]:
    """End the jobs that a clear of the Airflow task left behind; their ids."""
    superseded = []
    for attempt, job in known:
        of_this_epoch = attempt is not None and plan.is_of_this_epoch(attempt)
        if not of_this_epoch and state_of(job) in ALIVE:
            yield from terminate(job["id"], f"Superseded by {plan.job_id}: the Airflow task was cleared.")
            superseded.append(job["id"])
    return tuple(superseded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What of the earlier tries of this epoch this one goes on with.

    :param job: the job to attach to; ``None`` where this try makes one of its own.
    :param earlier: ids of the jobs before it whose successes are kept, from the oldest to the newest.
    :param kept: task id → which of them holds its result.
    """

    job: dict[str, Any] | None
    earlier: tuple[str, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)


def look_back(plan: Plan, known: KnownJobs, task_ids: Sequence[str]) -> Steps[Found]:
    """This try's own job, or the newest of this epoch that lives, or that succeeded and left its outputs."""
    own = [(attempt, job) for attempt, job in known if attempt and plan.is_of_this_epoch(attempt)]
    own.sort(key=lambda pair: pair[0].number)
    for position, (attempt, job) in reversed(list(enumerate(own))):
        if attempt == plan.attempt or state_of(job) in ALIVE:
            return (yield from _attach(plan, job, own[:position], task_ids))
        if state_of(job) == "completed":
            found = yield from _attach(plan, job, own[:position], task_ids)
            outcome = yield from read_outcome(job["id"], task_ids, found.kept)
            if plan.runs_others:
                outcome = with_rejected(outcome, {})
            succeeded = outcome.succeeded(plan.max_failed_tasks)
            if succeeded and (yield from _left_outputs(plan, outcome, task_ids)):
                return found
            if plan.keeps_successes:
                break
    # Only the newest job can hold what the ones before it lack.
    return (yield from _attach(plan, None, own, task_ids))


def _attach(
    plan: Plan, job: dict[str, Any] | None, before: KnownJobs, task_ids: Sequence[str]
) -> Steps[Found]:
    if not plan.keeps_successes:
        return Found(job=job)
    earlier = tuple(one["id"] for _, one in before if state_of(one) == "completed")
    kept = yield from read_kept(earlier, task_ids, plan.outputs, plan.max_output_bytes)
    return Found(job=job, earlier=earlier, kept=kept)


def _left_outputs(plan: Plan, outcome: JobOutcome, task_ids: Sequence[str]) -> Steps[bool]:
    # Without them, each further try would attach to the job and fail for the same reason.
    failed = {failure.task_id for failure in outcome.failures}
    reading = read_outputs(
        outcome.job_id, task_ids, plan.outputs, plan.max_output_bytes, failed=failed, kept=outcome.kept
    )
    try:
        yield from reading
    except OutputUnavailable as error:
        return error.too_large
    return True
