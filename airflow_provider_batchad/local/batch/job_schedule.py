"""A job schedule: its properties, its state, and which of its times is next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.durations import INFINITE_TICKS, parse_duration
from airflow_provider_batchad.local.batch.index import fold
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, parse_moment

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.timers import Timer

# No time is written after it: 9999-12-31.
_LAST_MOMENT: Final = 253_402_214_400 * TICKS_PER_SECOND


class JobScheduleState(StrEnum):
    """``BatchJobScheduleState`` of the REST API."""

    ACTIVE = "active"
    COMPLETED = "completed"
    DISABLED = "disabled"
    TERMINATING = "terminating"
    DELETING = "deleting"


@dataclass(slots=True, kw_only=True, eq=False)
class JobSchedule:
    """A job schedule. Times are ticks, 0 where there is none.

    :param configuration: ``schedule``, as the user gave it.
    :param job_specification: what its jobs are made from, with the service's defaults.
    :param anchor: the first time at which it demands a job; recurrences are counted from there.
    :param next_run: the next such time, or the present one while its job has not been created.
    :param jobs: how many jobs there have been under it.
    :param auto_pool_id: of the pool that lives as long as the schedule, if it has one.
    """

    id: str
    created: int
    modified: int
    transition: int
    job_specification: dict[str, Any]
    anchor: int
    display_name: str | None = None
    configuration: dict[str, str] | None = None
    metadata: list[dict[str, str]] | None = None
    state: JobScheduleState = JobScheduleState.ACTIVE
    previous_state: JobScheduleState | None = None
    previous_transition: int = 0
    next_run: int = 0
    last_run: int = -1
    end: int = 0
    jobs: int = 0
    recent_job_id: str | None = None
    auto_pool_id: str | None = None
    timer: Timer | None = None

    @property
    def key(self) -> str:
        """The folded id."""
        return fold(self.id)

    @property
    def is_open(self) -> bool:
        """Whether it counts against the quota of active jobs and schedules."""
        return self.state not in (JobScheduleState.COMPLETED, JobScheduleState.DELETING)

    @property
    def last_moment(self) -> int:
        """``doNotRunAfter``."""
        return self._read_moment("doNotRunAfter") or INFINITE_TICKS

    @property
    def interval(self) -> int:
        """``recurrenceInterval``; 0: it does not recur."""
        text = (self.configuration or {}).get("recurrenceInterval")
        return 0 if text is None else parse_duration(text)

    @property
    def window_end(self) -> int:
        """Until when the job of ``next_run`` may be created: its start window, or the next recurrence."""
        text = (self.configuration or {}).get("startWindow")
        window = INFINITE_TICKS if text is None else parse_duration(text)
        if self.interval:
            # "The job that is due in one recurrence interval is not carried forward into the next."
            window = min(window, self.interval)
        return min(self.next_run + window, INFINITE_TICKS)

    def move(self, state: JobScheduleState, ticks: int) -> None:
        """A transition; it leaves the ETag alone, which only users' changes move."""
        self.previous_state = self.state
        self.previous_transition = self.transition
        self.state = state
        self.transition = ticks

    def set_times(self, ticks: int) -> None:
        """Take up another configuration."""
        self.anchor = self._read_moment("doNotRunUntil") or self.anchor or ticks
        self.next_run = self.anchor
        if self.last_run >= 0:
            self.next_run = 0
            if self.interval:
                passed = max(0, self.last_run - self.anchor) // self.interval
                run = self.anchor + passed * self.interval
                self.next_run = self._following(run) if run <= self.last_run else run

    def skip_missed(self, ticks: int) -> None:
        """Go on to the last time that is due, or to the one after it if its start window has passed."""
        if not self.next_run or ticks < self.next_run:
            return
        if self.interval:
            self.next_run += (ticks - self.next_run) // self.interval * self.interval
        if ticks >= self.window_end:
            self.next_run = self._following(self.next_run)

    def take_run(self) -> None:
        """The job of ``next_run`` was created."""
        self.last_run = self.next_run
        self.next_run = self._following(self.next_run)

    def _following(self, run: int) -> int:
        following = run + self.interval
        return following if self.interval and following <= _LAST_MOMENT else 0

    def _read_moment(self, name: str) -> int:
        text = (self.configuration or {}).get(name)
        return 0 if text is None else parse_moment(text)
