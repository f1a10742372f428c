"""One poll for many waiters: what it asks, who is told, on a fake clock."""

from __future__ import annotations

from collections import Counter

import pytest

from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse
from airflow_provider_batchad.jobs.waiting import WaitResult
from airflow_provider_batchad.jobs.watch_pace import BETWEEN_EARLY_LOOKS_SECONDS
from tests.unit.watched_account import MANY, Account, busy


def test_a_thousand_that_begin_together_cost_two_lists(account: Account) -> None:
    account.put(*MANY)
    for job_id in MANY:
        account.wait_for(job_id)
    account.pass_time(0.5)
    assert account.asked_for() == {"unfinished": 1, "completed": 1}


def test_a_thousand_cost_one_request_an_interval_and_one_more_at_every_twentieth(many: Account) -> None:
    begun = many.seconds
    many.pass_time(40 * 30)
    asked = many.asked_for(after=begun)
    assert set(asked) == {"completed", "unfinished"}
    # The spread shortens an interval by up to a tenth.
    assert 40 <= asked["completed"] <= 45
    assert asked["unfinished"] == 2


def test_all_who_completed_are_told_within_one_interval(many: Account) -> None:
    done = MANY[::2]
    begun = many.seconds
    many.put(*done, state="completed")
    many.pass_time(30)
    assert {many.result(job_id) for job_id in done} == {WaitResult.COMPLETED}
    assert len(many.told) == 500
    assert len(many.watch) == 500
    assert many.asked_for(after=begun)["Get Job"] == 0


def test_what_completes_between_two_pages_or_lists_is_told(many: Account) -> None:
    def complete(request: BatchRequest) -> None:
        many.put(MANY[0], state="completed")
        many.during = lambda _: None

    many.during = complete
    many.pass_time(65)
    assert many.result(MANY[0]) is WaitResult.COMPLETED


def test_a_transition_that_comes_to_the_list_late_is_told(many: Account) -> None:
    many.put("other", state="completed")
    happened = many.now
    many.pass_time(31)
    # Its time is before that of the newest one seen.
    many.states[MANY[3]] = ("completed", happened)
    many.pass_time(31)
    assert many.result(MANY[3]) is WaitResult.COMPLETED


def test_jobs_that_vanished_are_read_by_id_and_no_others(many: Account) -> None:
    del many.states[MANY[5]], many.states[MANY[6]]
    begun = many.seconds
    many.pass_time(21 * 30)
    assert many.told.keys() == {MANY[5], MANY[6]}
    assert many.result(MANY[5]) is WaitResult.GONE
    assert many.asked_for(after=begun)["Get Job"] == 2


def test_a_list_that_fails_is_reconciled_at_the_next_look(many: Account) -> None:
    del many.states[MANY[5]]
    many.fault = lambda request: busy() if "ne" in request.query["$filter"] else None
    many.pass_time(20 * 30)
    many.fault = lambda _: None
    many.pass_time(31)
    assert many.result(MANY[5]) is WaitResult.GONE


def test_those_that_ended_before_anybody_looked_are_found_by_list(account: Account) -> None:
    account.put(*MANY, state="completed")
    account.seconds += 6 * 3600
    for job_id in MANY:
        account.wait_for(job_id)
    account.pass_time(1)
    assert len(account.told) == 1000
    assert sum(account.asked_for().values()) <= 4


def test_a_thousand_that_are_gone_are_read_a_hundred_in_a_look(account: Account) -> None:
    for job_id in MANY:
        account.wait_for(job_id)
    account.pass_time(1)
    assert account.asked_for()["Get Job"] == 100
    account.pass_time(60)
    assert {account.result(job_id) for job_id in MANY} == {WaitResult.GONE}
    assert account.asked_for()["Get Job"] == 1000


def test_one_job_is_read_and_no_list_asked_for(account: Account) -> None:
    account.put("j")
    account.wait_for("j")
    account.pass_time(600)
    account.put("j", state="completed")
    account.pass_time(30)
    assert account.result("j") is WaitResult.COMPLETED
    assert set(account.asked_for()) == {"Get Job"}
    assert account.asked_for(after=300)["Get Job"] <= 13


def test_what_completed_while_one_was_alone_is_no_loss_for_the_second(account: Account) -> None:
    account.put("a", "b")
    account.wait_for("a")
    account.pass_time(300)
    account.wait_for("b")
    account.put("a", state="completed")
    account.pass_time(31)
    assert account.result("a") is WaitResult.COMPLETED


def test_the_first_looks_are_close_where_few_wait(account: Account) -> None:
    account.put("a", "b")
    account.wait_for("a")
    account.wait_for("b")
    account.pass_time(1.3)
    account.put("b", state="completed")
    account.pass_time(3)
    assert account.result("b") is WaitResult.COMPLETED


def test_where_many_wait_no_interval_is_short(account: Account) -> None:
    account.put(*MANY)
    for job_id in MANY:
        account.wait_for(job_id)
    account.pass_time(60)
    assert account.asked_for()["completed"] <= 3


def test_a_newcomer_is_read_within_seconds_and_disturbs_no_interval(many: Account) -> None:
    many.put("new", state="completed")
    begun = many.seconds
    many.wait_for("new")
    # A regular look may have been just before.
    many.pass_time(BETWEEN_EARLY_LOOKS_SECONDS + 0.5)
    assert many.result("new") is WaitResult.COMPLETED
    many.pass_time(60 - BETWEEN_EARLY_LOOKS_SECONDS)
    assert many.asked_for(after=begun)["completed"] <= 3


def test_newcomers_that_trickle_in_are_looked_up_together(many: Account) -> None:
    begun = many.seconds
    for number in range(500):
        many.put(f"new{number}")
        many.wait_for(f"new{number}")
        many.pass_time(0.1)
    asked = many.asked_for(after=begun)
    assert asked["Get Job"] <= 5
    # Of two pages each; eighteen looks that are three seconds apart fit into fifty.
    assert asked["unfinished"] <= 2 * 18


def test_the_shortest_interval_that_anybody_wants_counts(many: Account) -> None:
    waiter = many.wait_for(MANY[0], poll_interval=5)
    many.pass_time(30)
    begun = many.seconds
    many.pass_time(60)
    assert 12 <= many.asked_for(after=begun)["completed"] <= 14
    many.watch.remove(waiter)
    many.pass_time(30)
    begun = many.seconds
    many.pass_time(60)
    assert many.asked_for(after=begun)["completed"] <= 3


def test_the_id_is_compared_without_case(account: Account) -> None:
    for job_id in ("Job-A", "Job-B"):
        account.put(job_id.upper())
        account.put(job_id)
        account.wait_for(job_id)
    account.pass_time(1)
    account.put("JOB-A", "JOB-B", state="completed")
    account.pass_time(31)
    assert account.result("Job-A") is WaitResult.COMPLETED


def test_of_two_that_wait_for_one_job_each_is_told(account: Account) -> None:
    account.put("j", "k")
    told = []
    account.wait_for("k")
    waiter = account.wait_for("j")
    second = type(waiter)(job_id="j", wait=waiter.wait, tell=told.append)
    third = type(waiter)(job_id="j", wait=waiter.wait, tell=told.append)
    account.watch.add(second)
    account.watch.add(third)
    account.watch.remove(third)
    account.put("j", state="completed")
    account.pass_time(31)
    assert account.result("j") is WaitResult.COMPLETED
    assert len(told) == 1


def test_jobs_that_can_block_are_looked_at_by_turns(account: Account) -> None:
    account.put(*MANY)
    for number, job_id in enumerate(MANY):
        account.wait_for(job_id, can_block=number % 10 == 0)
    answer = account.send
    asked: list[str] = []

    def send(request: BatchRequest) -> BatchResponse:
        if request.operation == "Get Job Task Counts":
            asked.append(request.path)
            return BatchResponse(status=200, content=b'{"taskCounts": {"active": 1, "running": 1}}')
        return answer(request)

    account.send = send  # type: ignore[method-assign]  # what the account does not know
    account.pass_time(20 * 30)
    turns = Counter(asked)
    assert len(turns) == 100
    assert max(turns.values()) - min(turns.values()) <= 1


def test_a_blocked_job_is_told_with_what_it_waits_for(account: Account) -> None:
    account.put("j")
    account.wait_for("j", can_block=True)
    answer = account.send
    tasks = (
        b'{"value": [{"id": "a", "state": "completed", "executionInfo": {"exitCode": 1}},'
        b'{"id": "b", "state": "active", "dependsOn": {"taskIds": ["a"]}}]}'
    )
    bodies = {"Get Job Task Counts": b'{"taskCounts": {"active": 1}}', "List Tasks": tasks}

    def send(request: BatchRequest) -> BatchResponse:
        body = bodies.get(request.operation)
        return BatchResponse(status=200, content=body) if body else answer(request)

    account.send = send  # type: ignore[method-assign]  # what the account does not know
    account.pass_time(600)
    outcome = account.told["j"]
    assert account.result("j") is WaitResult.BLOCKED
    assert "b for a" in getattr(outcome, "message", "")


@pytest.mark.parametrize("waiters", [1, 20])
def test_a_job_that_somebody_disabled_is_said_to_be_so_once_for_each_change(
    account: Account, waiters: int
) -> None:
    job_ids = MANY[:waiters]
    account.put(*job_ids)
    for job_id in job_ids:
        account.wait_for(job_id)
    account.pass_time(700)
    assert account.said == []
    account.put(job_ids[0], state="disabled")
    account.pass_time(1300)
    account.put(job_ids[0], state="active")
    account.pass_time(1300)
    assert account.said == [
        "Batch job j0000 is disabled: nothing of it runs until somebody enables it.",
        "Batch job j0000 is enabled again.",
    ]
    assert account.told == {}
