from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from airflow_provider_batchad.errors import (
    BatchAdError,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Unreachable,
)
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run
from airflow_provider_batchad.jobs.waiting import TOLERANCE, Wait, WaitResult, wait_for_end

START = datetime(2026, 3, 1, tzinfo=UTC)
LOST = Unreachable("lost", step="batch")
GONE = NotFound("gone", operation="Get Job", status=404)


def busy(retry_after: float | None = None) -> ServiceUnavailable:
    return ServiceUnavailable(
        "busy", operation="Get Job", status=503, code="ServerBusy", retry_after_seconds=retry_after
    )


class Waiter:
    """Waits on a clock that only pauses move.

    :param state: of the job, or the error that answers, by how many looks there were before and by the time.
    """

    def __init__(self, state: Callable[[int, timedelta], str | BatchAdError]) -> None:
        self.state = state
        self.looks: list[BatchRequest] = []
        self.pauses: list[float] = []
        self.now = START

    def send(self, request: BatchRequest) -> BatchResponse:
        state = self.state(len(self.looks), self.now - START)
        self.looks.append(request)
        if isinstance(state, BatchAdError):
            raise state
        return BatchResponse(status=200, content=json.dumps({"id": "j", "state": state}).encode())

    def pause(self, seconds: float) -> None:
        assert seconds > 0
        self.pauses.append(seconds)
        self.now += timedelta(seconds=seconds)

    def wait(self, poll_interval: float = 30, deadline: datetime | None = None) -> WaitResult:
        wait = Wait(poll_interval_seconds=poll_interval, deadline=deadline)
        return run(wait_for_end("j", wait, now=lambda: self.now), self.send, self.pause).result


@pytest.mark.parametrize("state", ["completed", "Completed"])
def test_a_job_that_is_completed_ends_the_wait_at_once(state: str) -> None:
    waiter = Waiter(lambda *_: state)
    assert waiter.wait() is WaitResult.COMPLETED
    assert waiter.pauses == []


def test_each_look_asks_for_the_state_alone() -> None:
    waiter = Waiter(lambda looks, _: "completed" if looks == 3 else "active")
    waiter.wait()
    assert {(look.operation, look.path, look.query["$select"]) for look in waiter.looks} == {
        ("Get Job", "/jobs/j", "id,state")
    }
    assert len(waiter.looks) == 4


@pytest.mark.parametrize("state", ["active", "disabled", "enabling", "terminating", "deleting"])
def test_a_job_in_another_state_is_waited_for(state: str) -> None:
    waiter = Waiter(lambda looks, _: state if looks < 2 else GONE)
    assert waiter.wait() is WaitResult.GONE
    assert len(waiter.pauses) == 2


def test_the_first_looks_are_close_and_grow_to_the_interval_with_some_spread() -> None:
    waiter = Waiter(lambda looks, _: "completed" if looks == 30 else "active")
    waiter.wait(poll_interval=30)
    assert 0.9 <= waiter.pauses[0] <= 1
    assert all(later < 1.7 * earlier for earlier, later in pairwise(waiter.pauses))
    assert all(27 <= pause <= 30 for pause in waiter.pauses[9:])
    assert len(set(waiter.pauses[9:])) > 1


def test_an_interval_under_a_second_is_kept_from_the_start() -> None:
    waiter = Waiter(lambda looks, _: "completed" if looks == 5 else "active")
    waiter.wait(poll_interval=0.2)
    assert all(0.18 <= pause <= 0.2 for pause in waiter.pauses)


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_an_interval_without_length_is_refused(interval: float) -> None:
    with pytest.raises(ValueError, match="poll_interval: expected more than 0 seconds"):
        Wait(poll_interval_seconds=interval)


def test_the_deadline_ends_the_wait_on_time() -> None:
    waiter = Waiter(lambda *_: "active")
    assert waiter.wait(deadline=START + timedelta(seconds=100)) is WaitResult.DEADLINE
    assert waiter.now == START + timedelta(seconds=100)


def test_a_job_that_ends_just_before_the_deadline_is_seen() -> None:
    waiter = Waiter(lambda _, passed: "completed" if passed >= timedelta(seconds=100) else "active")
    assert waiter.wait(deadline=START + timedelta(seconds=100)) is WaitResult.COMPLETED


def test_the_deadline_holds_while_nothing_answers() -> None:
    waiter = Waiter(lambda *_: LOST)
    assert waiter.wait(deadline=START + timedelta(minutes=5)) is WaitResult.DEADLINE


@pytest.mark.parametrize("error", [LOST, busy()], ids=["lost", "busy"])
def test_not_being_able_to_ask_is_not_a_failure(error: BatchAdError) -> None:
    waiter = Waiter(lambda _, passed: error if passed < timedelta(minutes=14) else "completed")
    assert waiter.wait() is WaitResult.COMPLETED


def test_an_answer_begins_the_tolerance_anew() -> None:
    waiter = Waiter(
        lambda looks, passed: (
            "completed" if passed > timedelta(hours=2) else "active" if looks % 20 == 0 else LOST
        )
    )
    assert waiter.wait() is WaitResult.COMPLETED


@pytest.mark.parametrize("error", [LOST, busy()], ids=["lost", "busy"])
def test_without_one_answer_the_wait_gives_up_after_its_tolerance(error: BatchAdError) -> None:
    waiter = Waiter(lambda *_: error)
    with pytest.raises(type(error)) as caught:
        waiter.wait()
    assert caught.value is error
    assert TOLERANCE <= waiter.now - START < TOLERANCE + timedelta(seconds=31)


@pytest.mark.parametrize(("asked", "waited"), [(120, 120), (0, None), (86_400, 300)])
def test_retry_after_is_kept_to_up_to_five_minutes(asked: float, waited: float | None) -> None:
    waiter = Waiter(lambda looks, _: busy(asked) if looks == 0 else "completed")
    waiter.wait()
    if waited is None:
        assert 0.9 <= waiter.pauses[0] <= 1
    else:
        assert waiter.pauses == [waited]


def test_a_refusal_ends_the_wait() -> None:
    denied = PermissionDenied("denied", actions=(), operation="Get Job", status=403)
    waiter = Waiter(lambda *_: denied)
    with pytest.raises(PermissionDenied):
        waiter.wait()
    assert len(waiter.looks) == 1


def test_a_proxys_page_is_no_answer_and_does_not_end_the_wait() -> None:
    bodies = iter([b"<html>Please sign in</html>", b"[]", b'{"id": "j", "state": "completed"}'])

    def send(request: BatchRequest) -> BatchResponse:
        return BatchResponse(status=200, content=next(bodies))

    steps = wait_for_end("j", Wait(poll_interval_seconds=1), lambda: START)
    assert run(steps, send, lambda _: None).result is WaitResult.COMPLETED


def test_a_job_that_can_block_is_looked_at_for_that_at_every_tenth_look() -> None:
    asked: list[str] = []

    def send(request: BatchRequest) -> BatchResponse:
        asked.append(request.operation)
        states = {"id": "j", "state": "active"}
        tasks = [
            {"id": "a", "state": "completed", "executionInfo": {"exitCode": 1, "result": "failure"}},
            {"id": "b", "state": "active", "dependsOn": {"taskIds": ["a"]}},
        ]
        bodies = {
            "Get Job": states,
            "Get Job Task Counts": {"taskCounts": {"active": 1}},
            "List Tasks": {"value": tasks},
        }
        return BatchResponse(status=200, content=json.dumps(bodies[request.operation]).encode())

    wait = Wait(poll_interval_seconds=1, can_block=True)
    waited = run(wait_for_end("j", wait, lambda: START), send, lambda _: None)
    assert (waited.result, "b for a" in waited.message) == (WaitResult.BLOCKED, True)
    assert asked == ["Get Job"] * 10 + ["Get Job Task Counts", "List Tasks"]


def test_a_job_that_is_deleted_while_it_is_looked_at_is_gone() -> None:
    def send(request: BatchRequest) -> BatchResponse:
        looked.append(request)
        if request.operation != "Get Job" or len(looked) > 11:
            raise GONE
        return BatchResponse(status=200, content=b'{"id": "j", "state": "active"}')

    looked: list[BatchRequest] = []
    steps = wait_for_end("j", Wait(poll_interval_seconds=1, can_block=True), lambda: START)
    assert run(steps, send, lambda _: None).result is WaitResult.GONE
