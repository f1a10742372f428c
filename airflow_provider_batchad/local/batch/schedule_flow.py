"""A job schedule's life: its times come by the clock, and it has at most one active job.

Source: ``BatchJobScheduleConfiguration`` of the REST API, whose wording is followed for start windows,
recurrences and the end of a schedule.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.background import Background
from airflow_provider_batchad.local.batch.durations import INFINITE_TICKS
from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.job import JobState
from airflow_provider_batchad.local.batch.job_schedule import JobSchedule, JobScheduleState
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, TickClock

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.auto_pools import AutoPools
    from airflow_provider_batchad.local.batch.index import IdIndex
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.job_flow import JobFlow
    from airflow_provider_batchad.local.batch.timers import Timers

_SERVICE_SECONDS: Final = 0.1
# How long a job that the quota has no room for is waited with.
_QUOTA_TICKS: Final = 60 * TICKS_PER_SECOND
_CLOSED: Final = {
    JobScheduleState.TERMINATING: "JobScheduleBeingTerminated",
    JobScheduleState.COMPLETED: "JobScheduleCompleted",
    JobScheduleState.DELETING: "JobScheduleBeingDeleted",
}


def refuse_closed_schedule(schedule: JobSchedule) -> None:
    """409 for a change to a schedule that is going or gone.

    :raises BatchError: its code says which.
    """
    code = _CLOSED.get(schedule.state)
    if code is not None:
        raise BatchError(code)


class ScheduleFlow:
    """The state machine of job schedules."""

    def __init__(
        self,
        *,
        schedules: IdIndex[JobSchedule],
        jobs: IdIndex[Job],
        job_flow: JobFlow,
        auto_pools: AutoPools,
        ticks: TickClock,
        timers: Timers,
    ) -> None:
        self._schedules = schedules
        self._jobs = jobs
        self._job_flow = job_flow
        self._auto_pools = auto_pools
        self._ticks = ticks
        self._timers = timers
        self._background = Background()

    def create(
        self,
        schedule_id: str,
        *,
        configuration: dict[str, str] | None,
        job_specification: dict[str, Any],
        display_name: str | None,
        metadata: list[dict[str, str]] | None,
    ) -> JobSchedule:
        """A new schedule; its first job is created at once if it is due.

        :raises BatchError: the id is taken, or the quota is reached.
        """
        existing = self._schedules.get(schedule_id)
        if existing is not None:
            is_deleting = existing.state is JobScheduleState.DELETING
            raise BatchError("JobScheduleBeingDeleted" if is_deleting else "JobScheduleExists")
        if schedule_id in self._jobs:
            raise BatchError("JobWithSameIdExists")
        self._job_flow.check_quota()
        ticks = self._ticks.now()
        schedule = JobSchedule(
            id=schedule_id,
            created=ticks,
            modified=ticks,
            transition=ticks,
            job_specification=job_specification,
            anchor=0,
            display_name=display_name,
            configuration=configuration,
            metadata=metadata,
        )
        schedule.set_times(ticks)
        self._schedules.add(schedule_id, schedule)
        self._look(schedule)
        return schedule

    def take_up(self, schedule: JobSchedule, *, is_rescheduled: bool) -> None:
        """The user has changed it.

        :param is_rescheduled: whether its times are others.
        """
        schedule.modified = self._ticks.now()
        if is_rescheduled:
            schedule.set_times(schedule.modified)
        self._look(schedule)

    def disable(self, schedule: JobSchedule) -> None:
        """Create no more jobs.

        :raises BatchError: it has ended, or is about to.
        """
        refuse_closed_schedule(schedule)
        schedule.modified = self._ticks.now()
        if schedule.state is JobScheduleState.ACTIVE:
            schedule.move(JobScheduleState.DISABLED, schedule.modified)

    def enable(self, schedule: JobSchedule) -> None:
        """Go on with a disabled schedule.

        :raises BatchError: it has ended, or is about to.
        """
        refuse_closed_schedule(schedule)
        schedule.modified = self._ticks.now()
        if schedule.state is JobScheduleState.DISABLED:
            schedule.move(JobScheduleState.ACTIVE, schedule.modified)
            self._look(schedule)

    def terminate(self, schedule: JobSchedule) -> None:
        """End it, and its active job with it.

        :raises BatchError: it has ended, or is about to.
        """
        refuse_closed_schedule(schedule)
        schedule.modified = self._ticks.now()
        schedule.move(JobScheduleState.TERMINATING, schedule.modified)
        for job in self._jobs_of(schedule):
            self._job_flow.end_with_schedule(job)
        self._background.spawn(self._finish(schedule))

    def delete(self, schedule: JobSchedule) -> None:
        """Remove it with all its jobs.

        :raises BatchError: that goes on already.
        """
        if schedule.state is JobScheduleState.DELETING:
            raise BatchError("JobScheduleBeingDeleted")
        schedule.move(JobScheduleState.DELETING, self._ticks.now())
        self._cancel_timer(schedule)
        for job in tuple(self._jobs_of(schedule)):
            if job.state is not JobState.DELETING:
                self._job_flow.delete(job)
        self._background.spawn(self._finish(schedule))

    def on_job_closed(self, job: Job) -> None:
        """A job has ended or is gone: its schedule may go on, or end."""
        schedule = self._schedules.get(job.schedule_id) if job.schedule_id is not None else None
        if schedule is not None:
            # Not from within the job's own transition.
            asyncio.get_running_loop().call_soon(self._look, schedule)

    def resume(self, schedule: JobSchedule) -> None:
        """Go on with a schedule that was kept across a restart."""
        self._look(schedule)

    async def stop(self) -> None:
        """Give up what the service is working at."""
        await self._background.stop()

    def _jobs_of(self, schedule: JobSchedule) -> Iterator[Job]:
        return (job for job in self._jobs.values() if job.schedule_id == schedule.key)

    def _active_job(self, schedule: JobSchedule) -> Job | None:
        return next((job for job in self._jobs_of(schedule) if job.is_open), None)

    def _look(self, schedule: JobSchedule) -> None:
        if schedule.state in (JobScheduleState.TERMINATING, JobScheduleState.DELETING):
            self._background.spawn(self._finish(schedule))
            return
        if schedule.state not in (JobScheduleState.ACTIVE, JobScheduleState.DISABLED):
            return
        self._cancel_timer(schedule)
        ticks = self._ticks.now()
        if schedule.state is JobScheduleState.ACTIVE:
            schedule.skip_missed(ticks)
        job = self._active_job(schedule)
        is_over = not schedule.next_run or ticks >= schedule.last_moment
        if is_over:
            if job is None and schedule.state is JobScheduleState.ACTIVE:
                self._complete(schedule)
            return
        wait_until = schedule.next_run
        if ticks >= schedule.next_run and schedule.state is JobScheduleState.ACTIVE:
            wait_until = self._create_job(schedule, ticks) if job is None else schedule.window_end
        self._look_at(schedule, min(wait_until, schedule.last_moment))

    def _create_job(self, schedule: JobSchedule, ticks: int) -> int:
        job_id = f"{schedule.id}:job-{schedule.jobs + 1}"
        try:
            self._job_flow.create(job_id, copy.deepcopy(schedule.job_specification), schedule)
        except BatchError:
            return ticks + _QUOTA_TICKS
        schedule.jobs += 1
        schedule.recent_job_id = job_id
        schedule.take_run()
        return schedule.next_run or INFINITE_TICKS

    def _look_at(self, schedule: JobSchedule, ticks: int) -> None:
        self._cancel_timer(schedule)
        if ticks < INFINITE_TICKS and ticks > self._ticks.now():
            schedule.timer = self._timers.at(ticks / TICKS_PER_SECOND, lambda: self._look(schedule))

    def _complete(self, schedule: JobSchedule) -> None:
        self._cancel_timer(schedule)
        ticks = self._ticks.now()
        if schedule.state is JobScheduleState.TERMINATING:
            # As of jobs, the state in between is not kept as the previous one.
            schedule.state, schedule.transition = JobScheduleState.COMPLETED, ticks
        else:
            schedule.move(JobScheduleState.COMPLETED, ticks)
        schedule.end = ticks
        schedule.next_run = 0
        self._auto_pools.close_schedule(schedule)

    async def _finish(self, schedule: JobSchedule) -> None:
        await asyncio.sleep(_SERVICE_SECONDS)
        if schedule.state is JobScheduleState.TERMINATING and self._active_job(schedule) is None:
            self._complete(schedule)
        is_empty = next(self._jobs_of(schedule), None) is None
        if (
            schedule.state is JobScheduleState.DELETING
            and is_empty
            and self._schedules.get(schedule.id) is schedule
        ):
            self._schedules.remove(schedule.id)
            self._auto_pools.close_schedule(schedule)

    def _cancel_timer(self, schedule: JobSchedule) -> None:
        if schedule.timer is not None:
            schedule.timer.cancel()
            schedule.timer = None
