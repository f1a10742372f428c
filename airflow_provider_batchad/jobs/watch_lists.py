"""The two lists of jobs that tell of all waited-for jobs at once: what has completed, and what has not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.plan import state_of
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, Steps, ask

# A transition may come to the list after its time, and the service's machines have clocks of their own.
OVERLAP: Final = timedelta(seconds=60)


@dataclass(slots=True)
class ServiceTime:
    """From when on completed jobs are to be listed: the newest transition seen, by the service's own times.

    Where none was seen, it is the ``Date`` of an answer; and the local clock where that is missing too.
    """

    newest: datetime | None = None

    def begin(self, response: BatchResponse) -> None:
        """Everything that was to be known was known when this answer was given."""
        self.newest = _date_of(response) or datetime.now(UTC)

    def since(self) -> datetime:
        """The time to ask from, with some overlap."""
        return (self.newest or datetime.now(UTC)) - OVERLAP

    def advance(self, transitions: list[datetime], answered: datetime | None) -> None:
        """A list was read to its end.

        :param transitions: of the jobs in it.
        :param answered: the ``Date`` of its first page; a clock ahead of it is not followed.
        """
        if self.newest is None:
            self.newest = answered or datetime.now(UTC)
        if transitions:
            newest = max(transitions)
            self.newest = max(self.newest, newest if answered is None else min(newest, answered))


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What a list of completed jobs says.

    :param ids: of the jobs, casefolded.
    :param answered: the ``Date`` of the first page.
    :param whole: whether it was read to its end.
    """

    ids: frozenset[str]
    transitions: list[datetime]
    answered: datetime | None
    whole: bool


def list_completed(since: datetime, *, max_pages: int | None = None) -> Steps[Completed]:
    """The jobs of the account that completed at that time or later.

    Source: `efficient list queries
    <https://learn.microsoft.com/azure/batch/batch-efficient-list-queries>`__.

    :param max_pages: read no more than so many pages of a thousand.
    """
    text = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    where = f"state eq 'completed' and stateTransitionTime ge DateTime'{text}'"
    request: BatchRequest | None = requests.list_jobs(where=where, select="id,state,stateTransitionTime")
    ids: set[str] = set()
    transitions: list[datetime] = []
    answered: datetime | None = None
    pages = 0
    while request is not None and (max_pages is None or pages < max_pages):
        response = yield from ask(request)
        answered = answered or _date_of(response)
        pages += 1
        body = response.json()
        for job in body.get("value") or ():
            if state_of(job) == "completed":
                ids.add(str(job.get("id")).casefold())
                transitions.extend(_transition_of(job))
        request = _next(body)
    return Completed(ids=frozenset(ids), transitions=transitions, answered=answered, whole=request is None)


def list_unfinished() -> Steps[dict[str, str]]:
    """The account's jobs that are not completed: id, casefolded → state; a page holds a thousand."""
    jobs = yield from requests.all_pages(requests.list_jobs(where="state ne 'completed'", select="id,state"))
    states = {str(job.get("id")).casefold(): state_of(job) for job in jobs}
    return {job_id: state for job_id, state in states.items() if state != "completed"}


def _next(body: Mapping[str, Any]) -> BatchRequest | None:
    link = body.get("odata.nextLink")
    return BatchRequest(operation="List Jobs", method="GET", path=link) if link else None


def _date_of(response: BatchResponse) -> datetime | None:
    try:
        found = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _transition_of(job: Mapping[str, Any]) -> list[datetime]:
    try:
        found = datetime.fromisoformat(str(job.get("stateTransitionTime")))
    except ValueError:
        return []
    return [found if found.tzinfo else found.replace(tzinfo=UTC)]
