"""Jobs whose Airflow task is over: which they are, as far as Airflow and the jobs' metadata tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_provider_batchad.errors import BatchServiceError
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.plan import (
    ALIVE,
    DAG_KEY,
    DEPLOYMENT_KEY,
    EPOCH_KEY,
    MAP_INDEX_KEY,
    OUTLIVES_KEY,
    OWNER_KEY,
    RUN_KEY,
    TASK_KEY,
    TRY_KEY,
    metadata_of,
    state_of,
)

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.rest import Steps

# A worker submits while Airflow's database still writes, copies or restores what it belongs to.
YOUNG: Final = timedelta(minutes=5)
FINISHED: Final = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
_AT_WORK: Final = frozenset({"running", "deferred"})
_SELECT: Final = "id,state,creationTime,eTag,metadata"

# DAG, run, task, map index.
TaskInstanceKey: TypeAlias = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedJob:
    """A job that is not over, and what it says of the Airflow task that made it.

    :param owner: the ``ti.id`` of the try that wrote it last.
    :param epoch: that try's ``max_tries``.
    :param outlives_task: its author wants it to go on without its task.
    """

    job_id: str
    etag: str | None
    created: datetime
    deployment: str
    key: TaskInstanceKey
    owner: str
    epoch: str
    number: str
    outlives_task: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTaskInstance:
    """What Airflow says of a task instance.

    :param id: ``ti.id`` of its present try.
    :param prefix: what the ids of its jobs begin with; ``None`` where that cannot be told.
    :param named_job: the job that its XCom names.
    """

    id: str
    state: str | None
    number: int
    max_tries: int
    prefix: str | None
    named_job: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is to become of a job.

    :param why: the reason why nobody wants it; ``None`` for a job that is left alone.
    :param unknown: it is left alone since nobody can tell whose it is.
    """

    why: str | None = None
    unknown: bool = False


def list_owned_jobs() -> Steps[list[OwnedJob]]:
    """Every job of the account that is not over and was made by an Airflow task of any deployment."""
    try:
        jobs = yield from requests.all_pages(requests.list_jobs(where="state ne 'completed'", select=_SELECT))
    except BatchServiceError as error:
        # The documentation names the property, and not this operator for it.
        if error.status != 400:
            raise
        jobs = yield from requests.all_pages(requests.list_jobs(select=_SELECT))
    return list(_owned(job for job in jobs if state_of(job) in ALIVE))


def _owned(jobs: Iterable[Mapping[str, Any]]) -> Iterable[OwnedJob]:
    for job in jobs:
        said = metadata_of(job)
        map_index = said.get(MAP_INDEX_KEY, "")
        if all(said.get(name) for name in (DAG_KEY, RUN_KEY, TASK_KEY, OWNER_KEY)) and _is_number(map_index):
            yield OwnedJob(
                job_id=job["id"],
                etag=job.get("eTag"),
                created=datetime.fromisoformat(job["creationTime"]),
                deployment=said.get(DEPLOYMENT_KEY, ""),
                key=(said[DAG_KEY], said[RUN_KEY], said[TASK_KEY], int(map_index)),
                owner=said[OWNER_KEY],
                epoch=said.get(EPOCH_KEY, ""),
                number=said.get(TRY_KEY, ""),
                outlives_task=said.get(OUTLIVES_KEY) == "true",
            )


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def judge(job: OwnedJob, known: KnownTaskInstance | None, *, deployment: str, now: datetime) -> Judgement:
    """Whether anybody still wants this job of ours.

    A job of a try before is wanted as long as a further try of its epoch may attach to it. Airflow is asked
    after the job was read: a try that began in between is known, and has written the job by the time that
    its end is asked for.

    :param job: of this deployment.
    :param known: what Airflow says of its task instance; ``None`` where it has none.
    :param deployment: the name of this deployment; without one, a job that this Airflow does not know may be
        another's.
    """
    if job.outlives_task:
        return Judgement()
    if known is not None and job.owner == known.id:
        return Judgement(why=_why_finished(known))
    of_this_run = known is not None and _is_of_run(job, known)
    if not deployment and not (known is not None and known.prefix is not None and of_this_run):
        return Judgement(unknown=True)
    if known is None:
        is_young = now - job.created < YOUNG
        return Judgement(why=None if is_young else "there is no such task instance any more")
    if not of_this_run:
        return Judgement(why="its DAG run was made or started anew")
    return Judgement(why=_why_finished(known) or _why_passed_over(job, known))


def _is_of_run(job: OwnedJob, known: KnownTaskInstance) -> bool:
    return known.prefix is None or job.job_id.casefold().startswith(known.prefix.casefold())


def _why_finished(known: KnownTaskInstance) -> str | None:
    return f"the task instance is {known.state}" if known.state in FINISHED else None


def _why_passed_over(job: OwnedJob, known: KnownTaskInstance) -> str | None:
    if job.epoch != str(known.max_tries):
        return "the task was cleared"
    if known.state in _AT_WORK and known.named_job not in (None, job.job_id):
        return f"try {known.number} has another job, {known.named_job}"
    return None
