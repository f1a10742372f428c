"""Create the job, add its tasks, seal it: each step safe to repeat, whatever answer was lost.

Sealing sets ``onAllTasksComplete=terminatejob``. It comes last, since Batch ends a job at once that has it
and no task yet. A job that is not sealed was left half submitted: the next attempt adds what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_batchad.errors import BatchServiceError, Conflict, NotFound, TasksRejected
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.adding import add_tasks
from airflow_provider_batchad.jobs.naming import Attempt, job_id, parse_attempt
from airflow_provider_batchad.jobs.outcome import read_outcome
from airflow_provider_batchad.jobs.rest import Steps, ask
from airflow_provider_batchad.jobs.spec import JobSpec, wall_clock_limit

ALIVE = frozenset({"active", "disabling", "disabled", "enabling"})
OVER_CODES = ("JobCompleted", "JobNotActive", "JobBeingTerminated", "JobBeingDeleted")
_SELECT = "id,state,creationTime,eTag,onAllTasksComplete,metadata"
_OWNER_KEY = "airflow_task_instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Whose job it is and how long it may live.

    :param prefix: what the ids of all jobs of this task instance begin with.
    :param attempt: this try.
    :param first_try: the first try of this epoch; jobs of the tries since are this epoch's own.
    :param metadata: says on the job which task instance it belongs to; the same for all of its tries.
    :param owner: the try that the job belongs to now (``ti.id``).
    :param limit: ``maxWallClockTime``, counted from when this attempt created or attached to the job.
    :param max_failed_tasks: up to so many failed tasks, an earlier try's job has succeeded.
    """

    prefix: str
    attempt: Attempt
    first_try: int
    metadata: dict[str, str]
    owner: str
    limit: timedelta
    max_failed_tasks: int = 0

    @property
    def job_id(self) -> str:
        """The id of this try's own job."""
        return job_id(self.prefix, self.attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A job that holds all tasks and is sealed, or that was found to be over.

    :param etag: the version that this attempt wrote; ``None`` where the job was over already.
    :param attached: whether the job was there before.
    :param superseded: jobs of earlier epochs that were terminated first.
    """

    job_id: str
    etag: str | None
    attached: bool
    superseded: tuple[str, ...] = ()


def submit(spec: JobSpec, plan: Plan, now: Callable[[], datetime]) -> Steps[Submitted]:
    """Submit the job of this task instance exactly once.

    :raises TasksRejected: Batch refused a task; the job is terminated, so that nothing is half done.
    :raises BatchServiceError: any other refusal.
    """
    known = yield from _known_jobs(plan)
    superseded = yield from _supersede(plan, known)
    job = yield from _adoptable(spec, plan, known)
    attached = job is not None
    if job is None:
        job, attached = yield from _create(spec, plan)
    etag = None
    if job["state"] in ALIVE:
        try:
            if attached:
                etag = yield from _take_over(spec, plan, job, now())
            etag = (yield from _fill_and_seal(spec, job)) or etag
        except Conflict as error:
            if not error.is_code(*OVER_CODES):
                raise
    return Submitted(job_id=job["id"], etag=etag, attached=attached, superseded=superseded)


def _known_jobs(plan: Plan) -> Steps[list[tuple[Attempt, dict[str, Any]]]]:
    try:
        listing = requests.list_jobs(where=f"startswith(id,'{plan.prefix}')", select=_SELECT)
        jobs = yield from requests.all_pages(listing)
    except BatchServiceError as error:
        if not error.is_code("InvalidQueryParameterValue"):
            raise
        jobs = yield from _read_one_by_one(plan)
    attempts = ((parse_attempt(plan.prefix, job["id"]), job) for job in jobs)
    return [(attempt, job) for attempt, job in attempts if attempt is not None and _is_ours(plan, job)]


def _read_one_by_one(plan: Plan) -> Steps[list[dict[str, Any]]]:
    jobs = []
    for number in range(plan.first_try, plan.attempt.number + 1):
        id_of_try = job_id(plan.prefix, Attempt(epoch=plan.attempt.epoch, number=number))
        try:
            jobs.append((yield from ask(requests.get_job(id_of_try, select=_SELECT))).json())
        except NotFound:
            continue
    return jobs


def _is_ours(plan: Plan, job: dict[str, Any]) -> bool:
    metadata = {item["name"]: item.get("value") for item in job.get("metadata", ())}
    return all(metadata.get(name) == value for name, value in plan.metadata.items())


def _of_this_epoch(plan: Plan, attempt: Attempt) -> bool:
    return attempt.epoch == plan.attempt.epoch and plan.first_try <= attempt.number <= plan.attempt.number


def _supersede(plan: Plan, known: list[tuple[Attempt, dict[str, Any]]]) -> Steps[tuple[str, ...]]:
    superseded = []
    for attempt, job in known:
        # The number of the try only ever grows: a zombie of an earlier one never ends a later one's job.
        earlier = attempt.number < plan.attempt.number and not _of_this_epoch(plan, attempt)
        if earlier and job["state"] in ALIVE:
            yield from terminate(job["id"], f"Superseded by {plan.job_id}: the Airflow task was cleared.")
            superseded.append(job["id"])
    return tuple(superseded)


def terminate(job_id: str, reason: str, *, etag: str | None = None) -> Steps[bool]:
    """Ask for the job's end; whether it was this request that ended it.

    :param etag: leave the job alone if somebody else has written it since.
    """
    try:
        yield from ask(requests.terminate_job(job_id, reason=reason, etag=etag))
    except NotFound:
        return False
    except BatchServiceError as error:
        if error.is_code(*OVER_CODES) or error.status == 412:
            return False
        raise
    return True


def _adoptable(
    spec: JobSpec, plan: Plan, known: list[tuple[Attempt, dict[str, Any]]]
) -> Steps[dict[str, Any] | None]:
    own = [(attempt, job) for attempt, job in known if _of_this_epoch(plan, attempt)]
    for attempt, job in sorted(own, key=lambda pair: pair[0].number, reverse=True):
        if attempt == plan.attempt and job["state"] != "deleting":
            return job
        if job["state"] in ALIVE:
            return job
        if job["state"] == "completed":
            outcome = yield from read_outcome(job["id"], spec.task_ids)
            if outcome.succeeded(plan.max_failed_tasks):
                return job
    return None


def _create(spec: JobSpec, plan: Plan) -> Steps[tuple[dict[str, Any], bool]]:
    metadata = {**plan.metadata, _OWNER_KEY: plan.owner, "airflow_specification": spec.digest}
    body = {
        **spec.body,
        "id": plan.job_id,
        "onAllTasksComplete": "noaction",
        "constraints": wall_clock_limit(spec, plan.limit),
        "metadata": [*spec.body.get("metadata", ()), *_name_values(metadata)],
    }
    try:
        yield from ask(requests.create_job(body))
    except Conflict as error:
        if not error.is_code("JobExists"):
            raise
        # azure-core repeats a POST on 500, 503 and 504: only the metadata tell whether it is ours.
        job = (yield from ask(requests.get_job(plan.job_id, select=_SELECT))).json()
        if not _is_ours(plan, job):
            raise
        return job, True
    return {"id": plan.job_id, "state": "active", "onAllTasksComplete": "noaction"}, False


def _take_over(spec: JobSpec, plan: Plan, job: dict[str, Any], now: datetime) -> Steps[str | None]:
    age = now - datetime.fromisoformat(job["creationTime"])
    constraints = wall_clock_limit(spec, max(age, timedelta()) + plan.limit)
    others = [item for item in job.get("metadata", ()) if item["name"] != _OWNER_KEY]
    body = {
        "metadata": [*others, *_name_values({_OWNER_KEY: plan.owner})],
        "constraints": {"maxWallClockTime": constraints["maxWallClockTime"]},
    }
    answer = yield from ask(requests.update_job(job["id"], body))
    return answer.headers.get("etag")


def _fill_and_seal(spec: JobSpec, job: dict[str, Any]) -> Steps[str | None]:
    if str(job.get("onAllTasksComplete", "")).casefold() == "terminatejob":
        return None
    try:
        yield from add_tasks(job["id"], spec.tasks)
    except TasksRejected as error:
        yield from terminate(job["id"], f"Airflow: {error.message}"[:1000])
        raise
    answer = yield from ask(requests.update_job(job["id"], {"onAllTasksComplete": "terminatejob"}))
    return answer.headers.get("etag")


def _name_values(metadata: dict[str, str]) -> Iterator[dict[str, str]]:
    return ({"name": name, "value": value} for name, value in metadata.items())
