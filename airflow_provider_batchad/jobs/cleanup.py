"""Deletes jobs that were seen at their end; what cannot be deleted is told, and changes no verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_batchad.errors import BatchAdError, BatchServiceError, NotFound
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.plan import TRY_KEY, metadata_of, state_of
from airflow_provider_batchad.jobs.rest import Steps, ask

_SELECT = "id,state,eTag,metadata"


def delete_jobs(job_ids: Iterable[str], *, number: int) -> Steps[dict[str, str]]:
    """Ask for the deletion of each job; job id → why it was left, for those that were.

    :param number: this try's; a job that a later try has attached to is left to that one.
    """
    left = {}
    for job_id in job_ids:
        problem = yield from _delete(job_id, number)
        if problem:
            left[job_id] = problem
    return left


def _delete(job_id: str, number: int) -> Steps[str | None]:
    try:
        job = (yield from ask(requests.get_job(job_id, select=_SELECT))).json()
        problem = _why_not(job, number)
        if problem is None and state_of(job) != "deleting":
            # The version that was looked at: a later try writes its number on the job when it attaches.
            yield from ask(requests.delete_job(job_id, etag=job.get("eTag")))
    except NotFound:
        return None
    except BatchServiceError as error:
        return None if error.is_code("JobBeingDeleted") else str(error)
    except BatchAdError as error:
        return str(error)
    return problem


def _why_not(job: Mapping[str, Any], number: int) -> str | None:
    state = state_of(job)
    if state not in ("completed", "deleting"):
        return f"it is in state {state!r}"
    written = metadata_of(job).get(TRY_KEY, "")
    if written.isdecimal() and int(written) > number:
        return f"try {written} of this Airflow task has it"
    return None
