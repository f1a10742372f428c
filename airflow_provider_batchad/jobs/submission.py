"""Create the job, add its tasks, seal it: each step safe to repeat, whatever answer was lost.

Sealing sets ``onAllTasksComplete=terminatejob``. It comes last, since Batch ends a job at once that has it
and no task yet. A job that is not sealed was left half submitted: the next attempt adds what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_batchad.errors import (
    BatchServiceError,
    Conflict,
    NotFound,
    Superseded,
    TasksRejected,
)
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.adding import add_tasks
from airflow_provider_batchad.jobs.adoption import JOB_SELECT, find_jobs, look_back, supersede
from airflow_provider_batchad.jobs.kept import without_kept
from airflow_provider_batchad.jobs.plan import ALIVE, DIGEST_KEY, Plan, metadata_of, state_of
from airflow_provider_batchad.jobs.rest import Steps, ask
from airflow_provider_batchad.jobs.spec import JobSpec, wall_clock_limit
from airflow_provider_batchad.jobs.termination import OVER_CODES, is_alive, terminate

__all__ = ["Plan", "Submitted", "submit", "terminate"]

_MAX_REPEATS = 5
_STALE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A job that holds all tasks and is sealed, or that was found to be over.

    :param etag: the version that this attempt wrote; ``None`` where the job was over already.
    :param attached: whether the job was there before.
    :param superseded: jobs of earlier epochs that were terminated first.
    :param earlier: jobs of earlier tries whose successes are kept, from the oldest to the newest.
    :param kept: task id → which of them holds its result.
    :param rejected: tasks that Batch refused while all others run: id → why.
    :param specification_changed: whether the job was made from another specification than this attempt's.
    """

    job_id: str
    etag: str | None
    attached: bool
    superseded: tuple[str, ...] = ()
    earlier: tuple[str, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    specification_changed: bool = False


def submit(spec: JobSpec, plan: Plan, now: Callable[[], datetime]) -> Steps[Submitted]:
    """Submit the job of this task instance exactly once.

    :raises Superseded: a later try has the job: this process is a zombie, and changes nothing.
    :raises TasksRejected: Batch refused a task, or all of them where the plan runs the others; the job is
        terminated, so that nothing is half done.
    :raises BatchServiceError: any other refusal.
    """
    looked = now()
    known = yield from find_jobs(plan)
    superseded = yield from supersede(plan, known)
    found = yield from look_back(plan, known, spec.task_ids)
    job = found.job
    attached = job is not None
    if job is None:
        job, attached = yield from _create(spec, plan)
        if now() - looked > _STALE:
            yield from _look_again(plan, job)
    etag, rejected = None, dict[str, str]()
    if state_of(job) in ALIVE:
        try:
            left = without_kept(spec, found.kept)
            etag, rejected = yield from _complete(left, plan, job, attached, now)
        except (Conflict, NotFound) as error:
            # It ended, or somebody ended or deleted it, in the meantime: the verdict looks at what is left.
            if not error.is_code(*OVER_CODES) and (yield from is_alive(job["id"])):
                raise
    return Submitted(
        job_id=job["id"],
        etag=etag,
        attached=attached,
        superseded=superseded,
        earlier=found.earlier,
        kept=found.kept,
        rejected=rejected,
        specification_changed=attached and metadata_of(job).get(DIGEST_KEY) != spec.digest,
    )


def _create(spec: JobSpec, plan: Plan) -> Steps[tuple[dict[str, Any], bool]]:
    metadata = {**plan.metadata, **plan.ownership, DIGEST_KEY: spec.digest}
    body = {
        **spec.body,
        "id": plan.job_id,
        "onAllTasksComplete": "noaction",
        "constraints": wall_clock_limit(spec, plan.limit),
        "metadata": [*spec.body.get("metadata", ()), *_name_values(metadata)],
    }
    try:
        answer = yield from ask(requests.create_job(body))
    except Conflict as error:
        return (yield from _read_instead(plan, error)), True
    created = {"id": plan.job_id, "state": "active", "eTag": answer.headers.get("etag")}
    return created, False


def _look_again(plan: Plan, created: Mapping[str, Any]) -> Steps[None]:
    # Airflow gives a silent process up after minutes: one that hung between its look and its creation made
    # the job beside the one of the try that has replaced it.
    try:
        yield from find_jobs(plan)
    except Superseded as error:
        reason = f"Airflow: {error.message}"[:1000]
        yield from terminate(created["id"], reason, etag=created.get("eTag"), owner=plan.owner)
        raise


def _read_instead(plan: Plan, refused: Conflict) -> Steps[dict[str, Any]]:
    # azure-core repeats a POST on 500, 503 and 504: only the metadata tell whether the job is ours.
    try:
        job: dict[str, Any] = (yield from ask(requests.get_job(plan.job_id, select=JOB_SELECT))).json()
    except NotFound:
        raise refused from None
    if plan.is_ours(job):
        plan.check_not_superseded(job)
        return job
    if not refused.is_code("JobExists"):
        raise refused
    raise Conflict(
        f"{refused.message} The id {plan.job_id!r} is taken by a job that is not this Airflow task's.",
        operation=refused.operation,
        status=refused.status,
        code=refused.code,
        request_id=refused.request_id,
        details=refused.details,
        remedy="Look at the job's metadata for who made it; delete it, or give it another id.",
    )


def _complete(
    spec: JobSpec, plan: Plan, job: dict[str, Any], attached: bool, now: Callable[[], datetime]
) -> Steps[tuple[str | None, dict[str, str]]]:
    etag = job.get("eTag")
    if attached:
        etag = yield from _write(plan, job, etag, lambda current: _take_over(spec, plan, current, now()))
    if str(job.get("onAllTasksComplete", "")).casefold() == "terminatejob":
        return etag, {}
    try:
        rejected = yield from add_tasks(job["id"], spec.tasks, run_others=plan.runs_others)
    except TasksRejected as error:
        reason = f"Airflow: {error.message}"[:1000]
        yield from terminate(job["id"], reason, etag=etag, owner=plan.owner)
        raise
    sealed = yield from _write(plan, job, etag, lambda _: {"onAllTasksComplete": "terminatejob"})
    return sealed, rejected


def _take_over(spec: JobSpec, plan: Plan, job: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    age = now - datetime.fromisoformat(job["creationTime"])
    others = [item for item in job.get("metadata") or () if item["name"] not in plan.ownership]
    return {
        "metadata": [*others, *_name_values(plan.ownership)],
        # Whole, since Batch sets what a given constraint leaves out to its default.
        "constraints": wall_clock_limit(spec, max(age, timedelta()) + plan.limit),
    }


def _write(
    plan: Plan,
    job: Mapping[str, Any],
    etag: str | None,
    body: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> Steps[str]:
    """Write the job unless a later try has; its new ETag.

    A refused ``If-Match`` may also come from a repeat of this very write whose answer was lost, or from a
    person who changed the priority: then the job is read, and written again. So it is where a success has no
    ETag: what answered may be something on the way, and a job that is not sealed would never end.
    """
    for repeat in range(_MAX_REPEATS):
        is_last = repeat == _MAX_REPEATS - 1
        try:
            answer = yield from ask(requests.update_job(job["id"], body(job), etag=etag))
        except BatchServiceError as error:
            if error.status != 412 or is_last:
                raise
        else:
            written = answer.headers.get("etag")
            if written:
                return written
            if is_last:
                raise answer.not_batch("it has no header etag")
        job = (yield from ask(requests.get_job(job["id"], select=JOB_SELECT))).json()
        plan.check_not_superseded(job)
        etag = job.get("eTag")
    raise AssertionError("the last repeat returns or raises")


def _name_values(metadata: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in metadata.items()]
