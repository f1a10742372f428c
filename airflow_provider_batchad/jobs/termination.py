"""Asks for the end of a job; one that is over, or somebody else's by now, is left alone."""

from __future__ import annotations

from airflow_provider_batchad.errors import BatchServiceError, NotFound
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.plan import ALIVE, OWNER_KEY, metadata_of, state_of
from airflow_provider_batchad.jobs.rest import Steps, ask

OVER_CODES = ("JobCompleted", "JobNotActive", "JobBeingTerminated", "JobBeingDeleted")
_MAX_REPEATS = 5


def terminate(job_id: str, reason: str, *, etag: str | None = None, owner: str | None = None) -> Steps[bool]:
    """Ask for the job's end; whether it was this request that ended it.

    :param etag: leave the job alone if somebody else has written it since.
    :param owner: ask again where it was written since, and still belongs to this owner (``ti.id``).
    """
    for _ in range(_MAX_REPEATS):
        try:
            yield from ask(requests.terminate_job(job_id, reason=reason, etag=etag))
        except NotFound:
            return False
        except BatchServiceError as error:
            if error.is_code(*OVER_CODES):
                return False
            if error.status == 412:
                etag = yield from _version_of(job_id, owner)
                if etag is None:
                    return False
                continue
            # Any other conflict says nothing by itself: the job does.
            if error.status != 409 or (yield from is_alive(job_id)):
                raise
            return False
        return True
    return False


def _version_of(job_id: str, owner: str | None) -> Steps[str | None]:
    if owner is None:
        return None
    try:
        job = (yield from ask(requests.get_job(job_id, select="id,eTag,metadata"))).json()
    except NotFound:
        return None
    return job.get("eTag") if metadata_of(job).get(OWNER_KEY) == owner else None


def is_alive(job_id: str) -> Steps[bool]:
    """Whether the job is there and has not begun to end."""
    try:
        job = (yield from ask(requests.get_job(job_id, select="id,state"))).json()
    except NotFound:
        return False
    return state_of(job) in ALIVE
