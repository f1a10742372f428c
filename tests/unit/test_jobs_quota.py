"""Who may try again to create a job where the account was full."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from airflow_provider_batchad.errors import Conflict, Unreachable
from airflow_provider_batchad.jobs.quota import Queue, waits_for_place

START = datetime(2025, 1, 1, tzinfo=UTC)


def queue_of(*names: str, room: int = 10) -> Queue:
    queue = Queue()
    for seconds, name in enumerate(names):
        queue.join(name, START + timedelta(seconds=seconds), room)
    return queue


def test_nobody_is_released_by_the_first_count_of_an_account_as_full_as_at_the_refusal() -> None:
    assert queue_of("a", "b").release(10) == []


def test_as_many_are_released_as_places_came_free_the_longest_waiting_first() -> None:
    assert queue_of("a", "b", "c", "d").release(7) == ["a", "b", "c"]


def test_a_place_is_not_given_twice_while_its_job_is_on_the_way() -> None:
    queue = queue_of("a", "b", "c", "d", "e")
    assert queue.release(8) == ["a", "b"]
    # One more than known places at most: to find out whether there are more.
    assert [len(queue.release(8)), len(queue.release(10))] == [1, 0]


def test_a_full_account_is_probed_by_one_at_a_time_and_ever_less_often() -> None:
    queue = queue_of("a", "b", "c")
    probed = []
    for count in range(200):
        for name in queue.release(10):
            probed.append(count)
            queue.join(name, START, 10)
    apart = [later - earlier for earlier, later in pairwise(probed)]
    assert apart[:5] == [4, 8, 16, 32, 32]


def test_what_was_counted_too_late_holds_nobody_up() -> None:
    # All jobs ended between the refusal and the count.
    queue = queue_of("a", "b", room=0)
    assert [queue.release(0), queue.release(0)] == [[], ["a"]]
    # Its job shows that there is more room than known.
    queue.release(1)
    released = [queue.release(1) for _ in range(3)]
    assert ["b"] in released


def test_one_refused_again_keeps_its_seniority_and_the_room_is_learnt_anew() -> None:
    queue = queue_of("a", "b")
    assert queue.release(9) == ["a"]
    queue.join("a", START, 9)
    assert queue.release(9) == ["a"]
    queue.join("a", START, 9)
    assert queue.release(9) == []


def test_where_nothing_can_be_counted_they_try_one_by_one() -> None:
    queue = queue_of("a", "b", "c")
    assert [queue.release(None) for _ in range(3)] == [["a"], ["b"], ["c"]]


def test_one_who_left_is_passed_over() -> None:
    queue = queue_of("a", "b")
    queue.leave("a")
    assert queue.release(9) == ["b"]
    assert len(queue) == 0


@pytest.mark.parametrize(
    ("code", "waits"), [("activejobandschedulequotareached", True), ("PoolQuotaReached", False)]
)
def test_the_quota_of_jobs_alone_is_waited_for(code: str, waits: bool) -> None:
    error = Conflict("Refused.", operation="Create Job", status=409, code=code)
    assert waits_for_place(error) is waits
    assert not waits_for_place(Unreachable("Nothing answered.", step="batch"))
