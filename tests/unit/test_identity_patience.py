"""How long somebody who does not answer is asked again: the real schedule, with the waits recorded."""

from __future__ import annotations

import pytest

from airflow_provider_batchad.errors import CredentialRefused, Unreachable
from airflow_provider_batchad.identity.patience import Patience


class Service:
    """Does not answer a number of times, and tells how long to wait."""

    def __init__(self, failures: int, told: float | None = None) -> None:
        self.failures = failures
        self.told = told
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self.asked > self.failures:
            return "token"
        raise Unreachable("Nobody answered.", step="token", retry_after_seconds=self.told)


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def patience(waits: list[float]) -> Patience:
    return Patience(sleep=waits.append)


def test_waits_double_from_one_second_with_up_to_a_second_at_random(patience, waits):
    service = Service(99)
    with pytest.raises(Unreachable):
        patience.ask(service)
    assert service.asked == 5
    assert [wait // 1 for wait in waits] == [1, 2, 4, 8]
    assert all(least <= wait <= least + 1 for least, wait in zip((1, 2, 4, 8), waits, strict=True))


def test_recovery_is_noticed_at_the_next_question(patience, waits):
    assert patience.ask(Service(2)) == "token"
    assert len(waits) == 2


def test_it_waits_as_long_as_it_is_told(patience, waits):
    assert patience.ask(Service(3, told=16.0)) == "token"
    assert waits == [16.0] * 3


def test_a_short_time_that_is_told_does_not_shorten_the_wait(patience, waits):
    assert patience.ask(Service(3, told=0.1)) == "token"
    assert waits[2] >= 4


@pytest.mark.parametrize("told", [30.1, 3000.0, 1e12])
def test_whoever_asks_for_more_than_half_a_minute_is_not_waited_for(patience, waits, told):
    service = Service(1, told=told)
    with pytest.raises(Unreachable) as caught:
        patience.ask(service)
    assert (service.asked, waits) == (1, [])
    assert caught.value.retry_after_seconds == told


def test_no_wait_ends_after_the_bound(waits):
    service = Service(99)
    with pytest.raises(Unreachable):
        Patience(sleep=waits.append, bound_seconds=3.0, retries=99).ask(service)
    # The recorded waits take no time: the first wait that would end after the bound is not begun.
    assert max(waits) < 3.0
    assert service.asked == len(waits) + 1


def test_a_refusal_is_not_asked_again(patience, waits):
    def refuse() -> str:
        raise CredentialRefused("It is not one of its secrets.", step="token")

    with pytest.raises(CredentialRefused):
        patience.ask(refuse)
    assert waits == []


def test_whoever_is_torn_away_while_waiting_leaves_at_once():
    def sleep(_seconds: float) -> None:
        raise KeyboardInterrupt

    service = Service(99)
    with pytest.raises(KeyboardInterrupt):
        Patience(sleep=sleep).ask(service)
    assert service.asked == 1
