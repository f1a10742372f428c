"""What a poll for many waiters makes of an outage, a throttle and a refusal, on a fake clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_batchad.errors import (
    AccountRefusedToken,
    BatchAdError,
    BatchServiceError,
    PermissionDenied,
    ServiceUnavailable,
    SignInError,
    Unreachable,
)
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse
from airflow_provider_batchad.jobs.waiting import WaitResult
from tests.unit.watched_account import MANY, Account, busy

LOST = Unreachable("lost", step="batch")


def refused(status: int) -> BatchServiceError:
    if status == 403:
        return PermissionDenied("denied", actions=(), operation="List Jobs", status=403)
    return BatchServiceError("no such filter", operation="List Jobs", status=status)


def only(operation: str, error: BatchAdError) -> Callable[[BatchRequest], BatchAdError | None]:
    return lambda request: error if request.operation == operation else None


def test_retry_after_slows_all_of_them_together(many: Account) -> None:
    many.fault = lambda _: busy(retry_after=200)
    many.pass_time(31)
    begun = many.seconds
    many.fault = lambda _: None
    many.wait_for("new")
    many.pass_time(165)
    assert many.asked_for(after=begun) == {}
    many.pass_time(40)
    assert many.asked_for(after=begun)["completed"] >= 1


@pytest.mark.parametrize("error", [LOST, busy()], ids=["lost", "busy"])
def test_after_fifteen_minutes_without_an_answer_all_are_told_the_error(
    many: Account, error: BatchAdError
) -> None:
    many.fault = lambda _: error
    many.pass_time(14 * 60)
    assert many.told == {}
    late = many.wait_for("late")
    many.pass_time(2 * 60)
    assert set(many.told) == set(MANY)
    assert set(many.told.values()) == {error}
    assert len(many.watch) == 1
    many.watch.remove(late)


def test_an_outage_that_passes_is_no_ones_failure(many: Account) -> None:
    many.fault = lambda _: LOST
    many.pass_time(14 * 60)
    many.put(*MANY, state="completed")
    many.fault = lambda _: None
    many.pass_time(31)
    assert {many.result(job_id) for job_id in MANY} == {WaitResult.COMPLETED}


def test_one_that_cannot_be_read_does_not_hold_up_the_others(many: Account) -> None:
    del many.states[MANY[5]]
    many.fault = only("Get Job", busy())
    many.pass_time(21 * 30)
    many.put(MANY[7], state="completed")
    many.pass_time(31)
    assert many.told.keys() == {MANY[7]}
    many.pass_time(16 * 60)
    assert many.told.keys() == {MANY[5], MANY[7]}
    assert isinstance(many.told[MANY[5]], ServiceUnavailable)


def test_where_lists_are_denied_jobs_are_read_by_turns(account: Account) -> None:
    account.put(*MANY)
    account.fault = only("List Jobs", refused(403))
    for job_id in MANY:
        account.wait_for(job_id)
    account.pass_time(60)
    begun = account.seconds
    account.pass_time(300)
    assert account.asked_for(after=begun)["Get Job"] <= 1200
    assert account.asked_for(after=begun)["completed"] == 0
    account.put(*MANY, state="completed")
    account.pass_time(330)
    assert {account.result(job_id) for job_id in MANY} == {WaitResult.COMPLETED}
    assert len(account.warnings) == 1
    assert "read one by one" in account.warnings[0]


def test_a_right_to_list_that_comes_later_is_used(many: Account) -> None:
    many.fault = only("List Jobs", refused(403))
    many.pass_time(300)
    many.fault = lambda _: None
    many.pass_time(21 * 30)
    begun = many.seconds
    many.pass_time(60)
    assert many.asked_for(after=begun)["Get Job"] == 0


def test_where_the_filter_is_refused_the_unfinished_are_listed(many: Account) -> None:
    many.fault = lambda request: refused(400) if "eq" in request.query.get("$filter", "") else None
    many.pass_time(60)
    begun = many.seconds
    many.put(MANY[0], state="completed")
    del many.states[MANY[1]]
    many.pass_time(60)
    assert many.result(MANY[0]) is WaitResult.COMPLETED
    assert many.result(MANY[1]) is WaitResult.GONE
    assert many.asked_for(after=begun)["Get Job"] == 2
    many.fault = only("List Jobs", refused(400))
    many.put(MANY[2], state="completed")
    many.pass_time(400)
    assert many.result(MANY[2]) is WaitResult.COMPLETED
    assert len(many.warnings) == 2


@pytest.mark.parametrize(
    "error",
    [
        AccountRefusedToken("no", operation="List Jobs", status=401),
        SignInError("no", step="token"),
        BatchServiceError("odd", operation="List Jobs", status=418),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_refusal_is_told_to_all(many: Account, error: BatchAdError) -> None:
    many.fault = lambda _: error
    many.pass_time(31)
    assert set(many.told.values()) == {error}
    assert len(many.told) == 1000


def test_a_refusal_of_one_job_is_told_to_its_waiter_alone(account: Account) -> None:
    account.put("a", "b")
    account.wait_for("a")
    account.wait_for("b")
    account.fault = lambda request: refused(403) if request.path == "/jobs/a" else None
    account.pass_time(60)
    assert account.told.keys() == {"a"}
    assert isinstance(account.told["a"], PermissionDenied)


def test_a_proxys_page_is_no_answer(many: Account) -> None:
    answer = many.send
    many.send = lambda _: BatchResponse(status=200, content=b"<html>")  # type: ignore[method-assign]  # a proxy
    many.pass_time(600)
    many.send = answer  # type: ignore[method-assign]  # and back
    many.put(MANY[0], state="completed")
    many.pass_time(31)
    assert many.result(MANY[0]) is WaitResult.COMPLETED
