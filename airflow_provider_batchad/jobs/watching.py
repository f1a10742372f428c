"""One poll for all who wait for jobs of one account: what it asks next, and who is done.

What it costs: while one job is waited for, it is read once an interval. For more, one list of the jobs that
completed lately, a thousand a page, and every twentieth interval one of those that did not. A job that begins
to be waited for is read once; where more than five begin together, one list of unfinished jobs does for all
of them. What is in neither list is read by its id, up to a hundred of them in a look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import Final, TypeAlias

from airflow_provider_batchad.errors import (
    AccountRefusedToken,
    BatchAdError,
    BatchServiceError,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Unreachable,
)
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.blocked import why_blocked
from airflow_provider_batchad.jobs.plan import state_of
from airflow_provider_batchad.jobs.rest import Steps, ask
from airflow_provider_batchad.jobs.waiting import TOLERANCE, Wait, Waited, WaitResult, retry_after
from airflow_provider_batchad.jobs.watch_lists import ServiceTime, list_completed, list_unfinished
from airflow_provider_batchad.jobs.watch_pace import Pace

FEW: Final = 5
READS_PER_LOOK: Final = 100
LOOKS_PER_RECONCILING: Final = 20
LOOKS_PER_BLOCKED: Final = 10
BLOCKED_PER_LOOK: Final = 20
# Jobs that ended before anybody looked are sought so far back, where a list is cheaper than reading each.
LOOK_BACK: Final = timedelta(days=1)
_READS_WORTH_A_PAGE: Final = 20

Outcome: TypeAlias = Waited | Exception


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waiter:
    """One who waits for a job.

    :param wait: the deadline in it is the waiter's own business.
    :param tell: takes how the wait ended, once: or the error for which nobody knows.
    :param say: takes what holds the job up meanwhile, once for each change.
    """

    job_id: str
    wait: Wait
    tell: Callable[[Outcome], None]
    say: Callable[[str], None] = field(default=lambda _: None)


@dataclass(slots=True, kw_only=True)
class _Job:
    """A job that is waited for.

    :param answered: when Batch last said something about it, or could have.
    :param in_doubt: nobody knows whether it has ended.
    :param sought: it was looked for among those that completed before.
    :param looks: since it was last looked at for what blocks it.
    :param disabled: somebody disabled it, as far as it was seen.
    """

    job_id: str
    answered: float
    waiters: list[Waiter] = field(default_factory=list)
    in_doubt: bool = True
    is_new: bool = True
    sought: bool = False
    looks: int = 0
    disabled: bool = False

    @property
    def can_block(self) -> bool:
        return any(waiter.wait.can_block for waiter in self.waiters)


class Means(IntEnum):
    """How the jobs are asked for, as far as the account lets one."""

    BOTH_LISTS = 2
    UNFINISHED_ONLY = 1
    BY_ID = 0


class Watch:
    """Who waits for which job, and the steps that find out whose has ended.

    :param clock: monotonic, in seconds.
    :param warn: takes what the platform engineer should know.
    """

    def __init__(self, *, clock: Callable[[], float], warn: Callable[[str], None]) -> None:
        self._clock = clock
        self._warn = warn
        self._pace = Pace(clock=clock)
        self._jobs: dict[str, _Job] = {}
        self._time = ServiceTime()
        self._means = Means.BOTH_LISTS
        self._warned = Means.BOTH_LISTS
        self._looks_since_reconciling = 0

    def __len__(self) -> int:
        """How many jobs are waited for."""
        return len(self._jobs)

    def add(self, waiter: Waiter) -> None:
        """Begin to wait; the job is looked up soon."""
        pace = self._pace
        shortest = waiter.wait.poll_interval_seconds
        if not self._jobs:
            pace.shortest_seconds = shortest
            pace.begin()
        pace.shortest_seconds = min(pace.shortest_seconds, shortest)
        key = waiter.job_id.casefold()
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = _Job(job_id=waiter.job_id, answered=self._clock())
        job.waiters.append(waiter)

    def remove(self, waiter: Waiter) -> None:
        """Wait no longer; nothing for one who was told."""
        key = waiter.job_id.casefold()
        job = self._jobs.get(key)
        if job is not None and waiter in job.waiters:
            job.waiters.remove(waiter)
            if not job.waiters:
                del self._jobs[key]

    def due(self) -> float:
        """When the next look is due, by the clock."""
        return self._pace.due(early=any(job.in_doubt for job in self._jobs.values()))

    def end_all(self, outcome: Outcome) -> None:
        """Tell all of them."""
        for key in list(self._jobs):
            self._end(key, outcome)

    def look(self) -> Steps[None]:
        """Look once, and tell those whose job has ended.

        No error of Batch comes out of it. What passes slows the poll for all of them together, by as much as
        ``Retry-After`` says up to five minutes, and whoever's job has not been answered for within 15 minutes
        is told the error. A refusal is told to all, or to the one whom it is about.
        """
        regular = self._pace.is_regular()
        if len(self._jobs) > FEW:
            self._pace.settle()
        newcomers = any(job.is_new for job in self._jobs.values())
        try:
            yield from self._ask(regular=regular)
        except (Unreachable, ServiceUnavailable) as error:
            self._pace.failed(retry_after(error))
            self._give_up(error)
            return
        except BatchAdError as error:
            self.end_all(error)
            return
        self._were_answered(self._jobs.values())
        waits = [waiter.wait.poll_interval_seconds for job in self._jobs.values() for waiter in job.waiters]
        if waits:
            self._pace.shortest_seconds = min(waits)
        self._pace.looked(regular=regular, hurry=newcomers and len(self._jobs) <= FEW)

    def _ask(self, *, regular: bool) -> Steps[None]:
        if regular:
            self._looks_since_reconciling += 1
            for job in self._jobs.values():
                job.looks += 1
        reconciling = regular and self._looks_since_reconciling >= LOOKS_PER_RECONCILING
        if reconciling:
            # A role may have been assigned meanwhile.
            self._means = Means.BOTH_LISTS
        if len(self._jobs) > 1 and self._means > Means.BY_ID:
            yield from self._list(regular=regular, reconciling=reconciling)
        elif regular:
            for job in list(self._jobs.values())[:READS_PER_LOOK]:
                job.in_doubt = True
        for key in self._in_doubt()[:READS_PER_LOOK]:
            yield from self._read(key)
        if regular:
            yield from self._look_for_blocked()

    def _list(self, *, regular: bool, reconciling: bool) -> Steps[None]:
        try:
            if reconciling or len(self._in_doubt()) > FEW or (regular and self._means < Means.BOTH_LISTS):
                yield from self._reconcile()
                regular = True
            if regular and self._means is Means.BOTH_LISTS:
                yield from self._complete()
        except PermissionDenied as error:
            self._fall_back(Means.BY_ID, error)
        except BatchServiceError as error:
            if error.status != 400:
                raise
            # The documentation has these filters for the jobs of a schedule.
            to = Means.UNFINISHED_ONLY if self._means is Means.BOTH_LISTS else Means.BY_ID
            self._fall_back(to, error)

    def _reconcile(self) -> Steps[None]:
        before = list(self._jobs)
        unfinished = yield from list_unfinished()
        self._looks_since_reconciling = 0
        for key in before:
            job = self._jobs.get(key)
            if job is not None:
                job.in_doubt = key not in unfinished
                job.is_new = job.is_new and job.in_doubt
                _say_if_disabled(job, unfinished.get(key))
        self._were_answered(self._jobs[key] for key in before if key in unfinished and key in self._jobs)

    def _complete(self) -> Steps[None]:
        found = yield from list_completed(self._time.since())
        self._end_all_of(found.ids)
        self._time.advance(found.transitions, found.answered)
        self._were_answered(job for job in self._jobs.values() if not job.in_doubt)
        unsought = [key for key in self._in_doubt() if not self._jobs[key].sought]
        if len(unsought) > FEW:
            pages = len(unsought) // _READS_WORTH_A_PAGE + 1
            earlier = yield from list_completed(self._time.since() - LOOK_BACK, max_pages=pages)
            for key in unsought:
                if key in self._jobs:
                    self._jobs[key].sought = True
            self._end_all_of(earlier.ids)

    def _read(self, key: str) -> Steps[None]:
        job = self._jobs.pop(key, None)
        if job is None:
            return
        # The one that was read last comes last: the others have their turn before.
        self._jobs[key] = job
        try:
            response = yield from ask(requests.get_job(job.job_id, select="id,state"))
        except NotFound:
            self._end(key, Waited(result=WaitResult.GONE))
            return
        except (AccountRefusedToken, ServiceUnavailable):
            raise
        except BatchServiceError as error:
            self._end(key, error)
            return
        if state_of(response.json()) == "completed":
            self._end(key, Waited(result=WaitResult.COMPLETED))
            return
        _say_if_disabled(job, state_of(response.json()))
        if len(self._jobs) == 1 or self._time.newest is None:
            self._time.begin(response)
        job.in_doubt = job.is_new = False
        self._were_answered((job,))

    def _look_for_blocked(self) -> Steps[None]:
        due = [job for job in self._jobs.values() if job.looks >= LOOKS_PER_BLOCKED and job.can_block]
        for job in sorted(due, key=lambda job: -job.looks)[:BLOCKED_PER_LOOK]:
            key = job.job_id.casefold()
            job.looks = 0
            try:
                reason = yield from why_blocked(job.job_id)
            except NotFound:
                # Deleted between two requests: the next look says so.
                job.in_doubt = True
            except (AccountRefusedToken, ServiceUnavailable):
                raise
            except BatchServiceError as error:
                self._end(key, error)
            else:
                if reason:
                    self._end(key, Waited(result=WaitResult.BLOCKED, message=reason))

    def _in_doubt(self) -> list[str]:
        return [key for key, job in self._jobs.items() if job.in_doubt]

    def _were_answered(self, jobs: Iterable[_Job]) -> None:
        now = self._clock()
        for job in jobs:
            job.answered = now

    def _give_up(self, error: BatchAdError) -> None:
        latest = self._clock() - TOLERANCE.total_seconds()
        for key in [key for key, job in self._jobs.items() if job.answered <= latest]:
            self._end(key, error)

    def _end_all_of(self, keys: Iterable[str]) -> None:
        for key in self._jobs.keys() & keys:
            self._end(key, Waited(result=WaitResult.COMPLETED))

    def _end(self, key: str, outcome: Outcome) -> None:
        job = self._jobs.pop(key, None)
        for waiter in job.waiters if job is not None else ():
            waiter.tell(outcome)

    def _fall_back(self, to: Means, error: BatchServiceError) -> None:
        self._means = to
        self._looks_since_reconciling = 0
        if to < self._warned:
            self._warned = to
            asked = "listed as long as they are unfinished" if to else "read one by one, less often"
            self._warn(
                f"The jobs that are waited for cannot be listed as they should; they are {asked}: {error}"
            )


def _say_if_disabled(job: _Job, state: str | None) -> None:
    disabled = state in ("disabling", "disabled")
    if disabled != job.disabled:
        job.disabled = disabled
        what = "is disabled: nothing of it runs until somebody enables it" if disabled else "is enabled again"
        for waiter in job.waiters:
            waiter.say(f"Batch job {job.job_id} {what}.")
