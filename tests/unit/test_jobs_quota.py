"""Who may try again to create a job where the account was full."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_batchad.errors import Conflict, Unreachable
from airflow_provider_batchad.jobs.quota import Queue, waits_for_place

START = datetime(2025, 1, 1, tzinfo=UTC)


def queue_of(*names: str) -> Queue:
    queue = Queue()
    for seconds, name in enumerate(names):
        queue.join(name, START + timedelta(seconds=seconds))
    return queue


def test_nobody_is_released_while_the_account_is_as_full_as_at_the_refusal() -> None:
    queue = queue_of("a", "b")
    assert [queue.release(10) for _ in range(3)] == [[], [], []]


def test_as_many_are_released_as_places_came_free_the_longest_waiting_first() -> None:
    queue = queue_of("a", "b", "c", "d")
    queue.release(10)
    assert queue.release(7) == ["a", "b", "c"]


def test_a_place_is_not_given_twice_while_its_job_is_on_the_way() -> None:
    queue = queue_of("a", "b", "c")
    queue.release(10)
    assert [queue.release(8), queue.release(8), queue.release(10)] == [["a", "b"], [], []]
    assert queue.release(9) == ["c"]


def test_what_was_learnt_too_late_stops_nobody_for_ever() -> None:
    queue = queue_of("a", "b")
    released = [queue.release(0) for _ in range(20)]
    assert [names for names in released if names] == [["a"], ["b"]]


def test_one_refused_again_keeps_its_seniority_and_the_quota_is_learnt_anew() -> None:
    queue = queue_of("a", "b")
    queue.release(10)
    assert queue.release(9) == ["a"]
    queue.join("a", START)
    assert queue.release(9) == []
    assert queue.release(7) == ["a"]


def test_one_who_left_is_passed_over() -> None:
    queue = queue_of("a", "b")
    queue.release(10)
    queue.leave("a")
    assert queue.release(9) == ["b"]


@pytest.mark.parametrize(
    ("code", "waits"), [("activejobandschedulequotareached", True), ("PoolQuotaReached", False)]
)
def test_the_quota_of_jobs_alone_is_waited_for(code: str, waits: bool) -> None:
    error = Conflict("Refused.", operation="Create Job", status=409, code=code)
    assert waits_for_place(error) is waits
    assert not waits_for_place(Unreachable("Nothing answered.", step="batch"))
