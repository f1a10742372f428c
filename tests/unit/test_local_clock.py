from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_batchad.local.clock import Clock

MOMENT = datetime(2030, 1, 1, tzinfo=UTC)


def test_it_is_the_real_time_until_it_is_set() -> None:
    clock = Clock()
    assert clock.is_real
    assert clock.time() == pytest.approx(time.time(), abs=1)


def test_it_goes_on_from_where_it_was_set_and_back_to_real() -> None:
    clock = Clock()
    clock.set(MOMENT)
    assert clock.now() - MOMENT < timedelta(seconds=5)
    assert clock.now() > MOMENT
    clock.advance(timedelta(hours=1))
    clock.advance(-60)
    assert timedelta(minutes=59) <= clock.now() - MOMENT < timedelta(minutes=59, seconds=5)
    clock.real()
    assert clock.is_real


def test_frozen_clock_stands_until_it_is_moved() -> None:
    clock = Clock()
    clock.freeze()
    clock.set(MOMENT)
    assert clock.now() == clock.now() == MOMENT
    clock.advance(1.5)
    assert clock.now() == MOMENT + timedelta(seconds=1.5)
    assert not clock.is_real


def test_frozen_clock_runs_on_from_where_it_stood() -> None:
    clock = Clock()
    clock.set(MOMENT)
    clock.run()
    assert clock.now() >= MOMENT
    clock.freeze()
    clock.set(MOMENT)
    assert clock.is_frozen
    clock.run()
    assert not clock.is_frozen
    assert MOMENT <= clock.now() < MOMENT + timedelta(seconds=5)


@pytest.mark.parametrize("by", [-1e12, 1e12, float("inf"), float("nan")])
def test_time_that_no_token_could_carry_is_refused(by: float) -> None:
    clock = Clock()
    with pytest.raises(ValueError, match="1970 to 9000"):
        clock.advance(by)
    assert clock.is_real


def test_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Clock().set(datetime(2030, 1, 1))  # noqa: DTZ001


def test_who_waits_is_told_of_each_jump_until_the_end_of_the_subscription() -> None:
    clock = Clock()
    jumps: list[float] = []
    end = clock.subscribe(lambda: jumps.append(clock.time()))
    clock.set(MOMENT)
    clock.freeze()
    clock.advance(1)
    clock.real()
    assert len(jumps) == 4
    end()
    end()
    clock.advance(1)
    assert len(jumps) == 4
