"""Which time of a job schedule is next, without a clock."""

from __future__ import annotations

import pytest

from airflow_provider_batchad.local.batch.job_schedule import JobSchedule
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, to_iso

MINUTE = 60 * TICKS_PER_SECOND
START = 1_000_000 * MINUTE


def make(**configuration: str) -> JobSchedule:
    schedule = JobSchedule(
        id="s",
        created=START,
        modified=START,
        transition=START,
        job_specification={},
        anchor=0,
        configuration=configuration or None,
    )
    schedule.set_times(START)
    return schedule


def test_schedule_without_times_is_due_at_once_and_once() -> None:
    schedule = make()
    assert schedule.next_run == START
    schedule.take_run()
    assert schedule.next_run == 0


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(-1, 0), (0, 0), (4, 0), (5, 10), (9, 10), (10, 10), (14, 10), (15, 20), (47, 50), (50, 50)],
)
def test_recurrence_that_was_missed_is_skipped_when_its_window_is_over(minutes: int, expected: int) -> None:
    schedule = make(recurrenceInterval="PT10M", startWindow="PT5M", doNotRunUntil=to_iso(START))
    schedule.skip_missed(START + minutes * MINUTE)
    assert schedule.next_run == START + expected * MINUTE


def test_window_reaches_no_further_than_the_next_recurrence() -> None:
    assert make(recurrenceInterval="PT10M").window_end == START + 10 * MINUTE
    assert make(recurrenceInterval="PT10M", startWindow="P1D").window_end == START + 10 * MINUTE
    assert make(recurrenceInterval="PT10M", startWindow="PT5M").window_end == START + 5 * MINUTE


def test_new_times_do_not_repeat_a_run() -> None:
    schedule = make(recurrenceInterval="PT10M")
    schedule.take_run()
    schedule.configuration = {"recurrenceInterval": "PT7M"}
    schedule.set_times(START + MINUTE)
    assert schedule.next_run == START + 7 * MINUTE
    schedule.configuration = {"doNotRunUntil": to_iso(START + 3 * MINUTE), "recurrenceInterval": "PT7M"}
    schedule.set_times(START + MINUTE)
    assert schedule.next_run == START + 3 * MINUTE
    schedule.configuration = None
    schedule.set_times(START + MINUTE)
    assert schedule.next_run == 0


def test_no_run_comes_after_the_last_year_that_can_be_written() -> None:
    schedule = make(recurrenceInterval="P99999999D")
    schedule.take_run()
    assert schedule.next_run == 0
