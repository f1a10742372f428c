"""One count for all who wait for a place: what it asks, who is told, on a fake clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_batchad.errors import BatchServiceError, PermissionDenied
from airflow_provider_batchad.jobs.place_watch import FREE, PlaceWaiter, PlaceWatch
from airflow_provider_batchad.jobs.waiting import TOLERANCE
from tests.unit.watched_account import START, Account, busy

QUOTA = 3
NEIGHBOURS = [f"n{number}" for number in range(QUOTA)]


class FullAccount(Account):
    """An account without a place, for which some wait."""

    def __init__(self) -> None:
        super().__init__()
        self.places = PlaceWatch(clock=lambda: self.seconds, warn=self.warnings.append)
        self.watch = self.places  # type: ignore[assignment] # looked at in the same way
        self.outcomes: dict[str, object] = {}
        self.put(*NEIGHBOURS)

    def want_place(self, name: str, *, since: float = 0.0, interval: float = 30.0) -> PlaceWaiter:
        def tell(outcome: str | Exception) -> None:
            assert name not in self.outcomes, "told twice"
            self.outcomes[name] = outcome

        waiter = PlaceWaiter(
            since=START + timedelta(seconds=since), room=QUOTA, interval=interval, tell=tell, name=name
        )
        self.places.add(waiter)
        return waiter


@pytest.fixture
def full() -> FullAccount:
    return FullAccount()


def test_a_thousand_waiters_cost_one_list_an_interval(full: FullAccount) -> None:
    for number in range(1000):
        full.want_place(f"w{number}", since=number)
    full.pass_time(60)
    begun = full.seconds
    full.pass_time(20 * 30)
    assert set(full.asked_for(after=begun)) == {"unfinished"}
    assert 20 <= full.asked_for(after=begun)["unfinished"] <= 23


def test_one_who_waits_alone_is_told_soon_after_a_place_came_free(full: FullAccount) -> None:
    full.want_place("w")
    full.put(NEIGHBOURS[0], state="completed")
    full.pass_time(1)
    assert full.outcomes == {"w": FREE}
    assert len(full.places) == 0


def test_the_longest_waiting_comes_first_and_no_more_than_places_and_one(full: FullAccount) -> None:
    for number in range(9):
        full.want_place(f"w{number}", since=-number)
    full.put(*NEIGHBOURS[:2], state="completed")
    full.pass_time(1)
    assert list(full.outcomes) == ["w8", "w7"]


def test_one_who_leaves_is_told_nothing(full: FullAccount) -> None:
    waiter = full.want_place("left")
    full.want_place("stays", since=1)
    full.places.remove(waiter)
    full.put(NEIGHBOURS[0], state="completed")
    full.pass_time(1)
    assert list(full.outcomes) == ["stays"]


def test_what_passes_slows_the_counts_by_what_the_service_says(full: FullAccount) -> None:
    full.want_place("w")
    full.fault = lambda _: busy(retry_after=120)
    full.pass_time(119)
    assert len(full.asked) == 1
    full.pass_time(120)
    assert len(full.asked) == 2
    assert full.outcomes == {}


def test_after_fifteen_minutes_without_an_answer_all_are_told_the_error(full: FullAccount) -> None:
    full.want_place("w")
    full.fault = lambda _: busy()
    full.pass_time(TOLERANCE.total_seconds() + 60)
    assert isinstance(full.outcomes["w"], type(busy()))


def test_one_who_comes_after_a_long_idle_time_is_not_told_of_old_outages(full: FullAccount) -> None:
    full.seconds = 7200.0
    full.want_place("w")
    full.fault = lambda _: busy()
    full.pass_time(60)
    assert full.outcomes == {}


def test_a_refusal_is_told_to_all_at_once(full: FullAccount) -> None:
    refusal = PermissionDenied("no", operation="List Jobs", status=403, actions=())
    for name in ("v", "w"):
        full.want_place(name)
    full.fault = lambda _: refusal
    full.pass_time(1)
    assert full.outcomes == {"v": refusal, "w": refusal}


def test_an_account_whose_jobs_cannot_be_listed_so_is_tried_in_turn(full: FullAccount) -> None:
    for number in range(3):
        full.want_place(f"w{number}", since=number)
    full.fault = lambda _: BatchServiceError("no such filter", operation="List Jobs", status=400)
    full.pass_time(1)
    assert list(full.outcomes) == ["w0"]
    full.pass_time(60)
    assert list(full.outcomes) == ["w0", "w1", "w2"]
    assert (len(full.asked), len(full.warnings)) == (1, 1)
