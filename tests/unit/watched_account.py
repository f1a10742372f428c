"""An account whose jobs are watched, on a clock that only the waits between looks move."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from airflow_provider_batchad.errors import BatchAdError, NotFound, ServiceUnavailable
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run
from airflow_provider_batchad.jobs.waiting import Wait, Waited, WaitResult
from airflow_provider_batchad.jobs.watching import Outcome, Waiter, Watch

START = datetime(2026, 3, 1, tzinfo=UTC)
PAGE = 1000
MANY = [f"j{number:04}" for number in range(1000)]


class Account:
    """Answers lists and reads of jobs.

    :ivar states: job id → its state and since when it has it.
    :ivar fault: for a request, the error that answers it.
    :ivar skew: how far the service's clock is ahead of the local one.
    :ivar during: called before each answer.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.states: dict[str, tuple[str, datetime]] = {}
        self.fault: Callable[[BatchRequest], BatchAdError | None] = lambda _: None
        self.during: Callable[[BatchRequest], None] = lambda _: None
        self.asked: list[tuple[float, BatchRequest]] = []
        self.warnings: list[str] = []
        self.told: dict[str, Outcome] = {}
        self.told_at: dict[str, float] = {}
        self.said: list[str] = []
        self.watch = Watch(clock=lambda: self.seconds, warn=self.warnings.append)

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def put(self, *job_ids: str, state: str = "active") -> None:
        self.states |= dict.fromkeys(job_ids, (state, self.now))

    def wait_for(self, job_id: str, *, poll_interval: float = 30, can_block: bool = False) -> Waiter:
        def tell(outcome: Outcome) -> None:
            assert job_id not in self.told, "told twice"
            self.told[job_id] = outcome
            self.told_at[job_id] = self.seconds

        wait = Wait(poll_interval_seconds=poll_interval, can_block=can_block)
        waiter = Waiter(job_id=job_id, wait=wait, tell=tell, say=self.said.append)
        self.watch.add(waiter)
        return waiter

    def result(self, job_id: str) -> WaitResult | None:
        outcome = self.told.get(job_id)
        assert outcome is None or isinstance(outcome, Waited)
        return outcome.result if outcome is not None else None

    def pass_time(self, seconds: float) -> None:
        """Look whenever a look is due, so long."""
        until = self.seconds + seconds
        while len(self.watch) and (due := self.watch.due()) <= until:
            self.seconds = max(self.seconds, due)
            run(self.watch.look(), self.send, lambda _: None)
            assert not len(self.watch) or self.watch.due() > self.seconds, "it asks without a pause"
        self.seconds = until

    def asked_for(self, after: float = -1.0) -> Counter[str]:
        """How often what was asked since then."""
        return Counter(_kind(request) for seconds, request in self.asked if seconds > after)

    def send(self, request: BatchRequest) -> BatchResponse:
        self.asked.append((self.seconds, request))
        self.during(request)
        error = self.fault(request)
        if error is not None:
            raise error
        if request.operation == "Get Job":
            job_id = request.path.removeprefix("/jobs/")
            if job_id not in self.states:
                raise NotFound("gone", operation="Get Job", status=404)
            return self._answer({"id": job_id, "state": self.states[job_id][0]})
        assert request.operation == "List Jobs"
        where, _, position = request.path.partition("#")
        first = int(position or 0)
        where = where if position else request.query["$filter"]
        found = [self._shown(job_id) for job_id in sorted(self.states) if self._fits(job_id, where)]
        body: dict[str, Any] = {"value": found[first : first + PAGE]}
        if len(found) > first + PAGE:
            body["odata.nextLink"] = f"{where}#{first + PAGE}"
        return self._answer(body)

    def _shown(self, job_id: str) -> dict[str, str]:
        state, since = self.states[job_id]
        return {"id": job_id, "state": state, "stateTransitionTime": since.isoformat()}

    def _fits(self, job_id: str, where: str) -> bool:
        state, since = self.states[job_id]
        if where == "state ne 'completed'":
            return state != "completed"
        told = re.fullmatch(r"state eq 'completed' and stateTransitionTime ge DateTime'(.+)'", where)
        assert told is not None, where
        return state == "completed" and since >= datetime.fromisoformat(told[1])

    def _answer(self, body: dict[str, Any]) -> BatchResponse:
        headers = {"date": format_datetime(self.now, usegmt=True)}
        return BatchResponse(status=200, headers=headers, content=json.dumps(body).encode())


def _kind(request: BatchRequest) -> str:
    if request.operation != "List Jobs":
        return request.operation
    where = request.query.get("$filter") or request.path
    return "completed" if where.startswith("state eq") else "unfinished"


def busy(retry_after: float | None = None) -> ServiceUnavailable:
    return ServiceUnavailable("busy", operation="List Jobs", status=429, retry_after_seconds=retry_after)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def many(account: Account) -> Account:
    """A thousand waiters that began together and have been told nothing for a while."""
    account.put(*MANY)
    for job_id in MANY:
        account.wait_for(job_id)
    account.pass_time(600)
    assert account.told == {}
    return account
