"""Times, ETags and durations of local Batch, in the service's own spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchad.local.batch.durations import (
    INFINITE,
    INFINITE_TICKS,
    format_duration,
    parse_duration,
)
from airflow_provider_batchad.local.batch.ticks import (
    TICKS_PER_SECOND,
    TickClock,
    parse_moment,
    to_etag,
    to_http_date,
    to_iso,
)


class StoppedClock:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def time(self) -> float:
        return self.seconds


def test_etag_is_the_last_modification_as_the_service_recorded_it() -> None:
    assert to_etag(parse_moment("2020-03-21T02:16:08.5332931Z")) == "0x8D7CD3DD15B43C3"


@pytest.mark.parametrize(
    "text", ["2020-03-21T02:12:16.2128928Z", "2025-09-04T21:42:48.599128Z", "2020-03-21T02:14:17.5Z"]
)
def test_time_is_written_as_it_was_recorded(text: str) -> None:
    assert to_iso(parse_moment(text)) == text


def test_whole_second_has_no_fraction() -> None:
    assert to_iso(parse_moment("2020-12-25T08:00:00.0000000Z")) == "2020-12-25T08:00:00Z"


def test_header_date_is_cut_to_the_second() -> None:
    assert to_http_date(parse_moment("2020-03-21T02:16:08.9332931Z")) == "Sat, 21 Mar 2020 02:16:08 GMT"


def test_no_two_ticks_are_the_same_while_the_clock_stands() -> None:
    ticks = TickClock(StoppedClock(1_700_000_000.0))
    taken = [ticks.now() for _ in range(1000)]
    assert len(set(taken)) == 1000
    assert taken == sorted(taken)


def test_clock_that_is_set_back_is_followed() -> None:
    clock = StoppedClock(1_700_000_000.0)
    ticks = TickClock(clock)
    ticks.now()
    clock.seconds -= 3600
    assert ticks.now() == int(clock.seconds * TICKS_PER_SECOND)


@pytest.mark.parametrize(
    ("given_text", "answered"),
    [
        ("PT01H00M00S", "PT1H"),
        ("P7D", "P7D"),
        ("PT15M", "PT15M"),
        ("PT90M", "PT1H30M"),
        ("P1DT0.25S", "P1DT0.25S"),
        ("PT0S", "PT0S"),
        (INFINITE, INFINITE),
        ("P10675199DT02H48M05.477581S", INFINITE),
        ("P1Y", "P365D"),
    ],
)
def test_duration_is_answered_in_its_shortest_form(given_text: str, answered: str) -> None:
    assert format_duration(parse_duration(given_text)) == answered


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "7D", "P1DT", "-P1D", "PT1H2", "P1.5D", "PT1e3S", "one hour"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an ISO 8601 duration"):
        parse_duration(text)


@given(st.integers(0, INFINITE_TICKS))
def test_durations_survive_writing_and_reading(ticks: int) -> None:
    assert parse_duration(format_duration(ticks)) == ticks


@given(st.integers(0, 4_000_000_000 * TICKS_PER_SECOND))
def test_times_survive_writing_and_reading(ticks: int) -> None:
    assert parse_moment(to_iso(ticks)) == ticks
