"""A job's life: created, disabled and enabled, terminated by whoever or whatever, deleted.

The service works for a moment between ``disabling`` and ``disabled``, ``terminating`` and ``completed``,
``deleting`` and gone; recordings show half a second to two. Here it is shorter, and in real time whatever the
clock shows, so that a clock that stands still stops nobody's clean-up. The state in between is not kept as
``previousState``, as recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.command_run import Stop
from airflow_provider_batchad.local.batch.directories import job_path
from airflow_provider_batchad.local.batch.durations import INFINITE_TICKS, parse_duration
from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.job import Job, JobState
from airflow_provider_batchad.local.batch.task_factory import make_manager_task
from airflow_provider_batchad.local.batch.task_flow import TaskFlow, refuse_closed
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, TickClock

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_batchad.local.batch.auto_pools import AutoPools
    from airflow_provider_batchad.local.batch.exits import JobAction
    from airflow_provider_batchad.local.batch.index import IdIndex
    from airflow_provider_batchad.local.batch.job_schedule import JobSchedule
    from airflow_provider_batchad.local.batch.pool import Pool
    from airflow_provider_batchad.local.batch.preparation import Preparations
    from airflow_provider_batchad.local.batch.scheduler import Scheduler
    from airflow_provider_batchad.local.batch.timers import Timers

_SERVICE_SECONDS: Final = 0.1
# Recorded: a new job without tasks that is to end with them is seen active for 0.6 s at least.
_UNSETTLED_SECONDS: Final = 1.0
_DISABLE_STOPS: Final = {"requeue": Stop.REQUEUE, "terminate": Stop.JOB, "wait": None}


class JobFlow:
    """The state machine of jobs.

    :param quota: how many jobs and job schedules may be open (neither completed nor deleted) at once.
    """

    def __init__(
        self,
        *,
        jobs: IdIndex[Job],
        pools: IdIndex[Pool],
        ticks: TickClock,
        timers: Timers,
        scheduler: Scheduler,
        preparations: Preparations,
        task_flow: TaskFlow,
        quota: int,
    ) -> None:
        self.quota = quota
        self._jobs = jobs
        self._pools = pools
        self._ticks = ticks
        self._timers = timers
        self._scheduler = scheduler
        self._preparations = preparations
        self._task_flow = task_flow
        self._work: set[asyncio.Task[None]] = set()
        self._auto_pools: AutoPools
        self._schedules: IdIndex[JobSchedule]
        self._on_close: Callable[[Job], None]

    def connect(
        self, auto_pools: AutoPools, schedules: IdIndex[JobSchedule], on_close: Callable[[Job], None]
    ) -> None:
        """Tell it of those that know it.

        :param on_close: told of each job that was completed or deleted.
        """
        self._auto_pools = auto_pools
        self._schedules = schedules
        self._on_close = on_close

    def check_quota(self) -> None:
        """Whether another job or schedule may be active.

        :raises BatchError: the quota is reached.
        """
        schedules = sum(schedule.is_open for schedule in self._schedules.values())
        if schedules + sum(job.is_open for job in self._jobs.values()) >= self.quota:
            raise BatchError("ActiveJobAndScheduleQuotaReached")

    def create(self, job_id: str, properties: dict[str, Any], schedule: JobSchedule | None = None) -> Job:
        """A new job.

        :param schedule: the one that it runs under, if one does.
        :raises BatchError: the id is taken, or the quota is reached.
        """
        existing = self._jobs.get(job_id)
        if existing is not None:
            raise BatchError("JobBeingDeleted" if existing.state is JobState.DELETING else "JobExists")
        if job_id in self._schedules:
            raise BatchError("JobScheduleWithSameIdExists")
        self.check_quota()
        ticks = self._ticks.now()
        job = Job(
            id=job_id, created=ticks, modified=ticks, transition=ticks, start=ticks, properties=properties
        )
        self._jobs.add(job_id, job)
        job.schedule_id = None if schedule is None else schedule.key
        self._auto_pools.open(job, schedule)
        if job.scheduling_error is not None:
            # "… encounters an error while starting the job, it marks the job as completed."
            self._complete(job)
            return job
        self.apply_constraints(job)
        if "jobManagerTask" in properties:
            job.manager = make_manager_task(job, ticks)
            self._task_flow.add(job, job.manager, ((), ()))
        if properties["onAllTasksComplete"] == "terminatejob":
            self._spawn(self._settle_later(job))
        return job

    def apply_constraints(self, job: Job) -> None:
        """Take up a new ``maxWallClockTime``; it counts from the job's creation."""
        if job.deadline is not None:
            job.deadline.cancel()
            job.deadline = None
        limit = parse_duration(job.properties["constraints"]["maxWallClockTime"])
        if limit < INFINITE_TICKS and job.is_open:
            job.deadline = self._timers.at(
                (job.created + limit) / TICKS_PER_SECOND, lambda: self._run_out(job)
            )

    def settle(self, job: Job) -> None:
        """Terminate the job if it is to end with its tasks, and has; a job without tasks has."""
        if (
            job.state is JobState.ACTIVE
            and job.properties["onAllTasksComplete"] == "terminatejob"
            and not job.counts.active
            and not job.counts.running
        ):
            self._terminate(job, "AllTasksComplete")

    async def _settle_later(self, job: Job) -> None:
        await asyncio.sleep(_UNSETTLED_SECONDS)
        self.settle(job)

    def act_on_exit(self, job: Job, action: JobAction) -> None:
        """Do what the exit condition of one of its tasks demands."""
        if job.state is not JobState.ACTIVE:
            return
        if action == "terminate":
            self._terminate(job, "TaskFailed")
        elif action == "disable":
            self._disable(job, "requeue")

    def end_with_manager(self, job: Job) -> None:
        """The job manager has ended, and the job with it (``killJobOnCompletion``)."""
        if job.state is JobState.ACTIVE:
            self._terminate(job, "JMComplete")

    def terminate(self, job: Job, reason: str | None) -> None:
        """End the job for its user.

        :raises BatchError: it has ended, or is about to.
        """
        refuse_closed(job)
        job.modified = self._ticks.now()
        self._terminate(job, reason or "UserTerminate")

    def end_with_schedule(self, job: Job) -> None:
        """The job's schedule ends, and the job with it."""
        if job.is_open and job.state is not JobState.TERMINATING:
            self._terminate(job, "TerminateJobSchedule")

    def disable(self, job: Job, tasks: str) -> None:
        """Start no more tasks.

        :param tasks: what to do with those that run: ``requeue``, ``terminate`` or ``wait``.
        :raises BatchError: the job has ended, or is about to.
        """
        refuse_closed(job)
        job.modified = self._ticks.now()
        self._disable(job, tasks)

    def enable(self, job: Job) -> None:
        """Go on with a disabled job.

        :raises BatchError: the job has ended, or is about to.
        """
        refuse_closed(job)
        job.modified = self._ticks.now()
        if job.state in (JobState.DISABLED, JobState.DISABLING):
            job.move(JobState.ACTIVE, job.modified)
            self._scheduler.wake(job)
            self.settle(job)

    def delete(self, job: Job) -> None:
        """Remove the job, its tasks and their files.

        :raises BatchError: that goes on already.
        """
        if job.state is JobState.DELETING:
            raise BatchError("JobBeingDeleted")
        job.move(JobState.DELETING, self._ticks.now())
        self._cancel_deadline(job)
        for attempt in tuple(job.attempts.values()):
            attempt.stop(Stop.DELETE)
        self._preparations.stop(job, Stop.DELETE)
        self._scheduler.look_again(job.pool_id)
        self._spawn(self._remove(job))

    def resume(self, job: Job) -> None:
        """Go on with a job that was kept across a restart, from the state that it was in."""
        self.apply_constraints(job)
        if job.state is JobState.DELETING:
            self._spawn(self._remove(job))
        elif job.state is JobState.TERMINATING:
            self._cancel_deadline(job)
            self._spawn(self._end(job))
        elif job.state is JobState.DISABLING:
            self._spawn(self._go_on(job, JobState.DISABLING, self._finish_disabling))
        else:
            self._scheduler.wake(job)
            self.settle(job)

    async def stop(self) -> None:
        """Give up what the service is working at."""
        work = tuple(self._work)
        for one in work:
            one.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    def _terminate(self, job: Job, reason: str) -> None:
        job.move(JobState.TERMINATING, self._ticks.now())
        job.terminate_reason = reason
        self._cancel_deadline(job)
        for attempt in tuple(job.attempts.values()):
            attempt.stop(Stop.JOB)
        self._preparations.stop(job, Stop.JOB)
        self._scheduler.look_again(job.pool_id)
        self._spawn(self._end(job))

    def _disable(self, job: Job, tasks: str) -> None:
        if job.state is JobState.ACTIVE:
            job.move(JobState.DISABLING, self._ticks.now())
            self._scheduler.look_again(job.pool_id)
        stop = _DISABLE_STOPS[tasks]
        if stop is not None:
            for attempt in tuple(job.attempts.values()):
                attempt.stop(stop)
        if job.state is JobState.DISABLING:
            self._spawn(self._go_on(job, JobState.DISABLING, self._finish_disabling))

    def _run_out(self, job: Job) -> None:
        if job.is_open and job.state is not JobState.TERMINATING:
            self._terminate(job, "MaxWallClockTimeExpiry")

    def _complete(self, job: Job) -> None:
        ticks = self._ticks.now()
        job.state, job.transition, job.end = JobState.COMPLETED, ticks, ticks
        job.ready.clear()
        self._on_close(job)

    def _finish_disabling(self, job: Job) -> None:
        job.state, job.transition = JobState.DISABLED, self._ticks.now()

    def _cancel_deadline(self, job: Job) -> None:
        if job.deadline is not None:
            job.deadline.cancel()
            job.deadline = None

    async def _end(self, job: Job) -> None:
        await self._wait_until_idle(job)
        # "The job is not marked as complete until all job release tasks have completed."
        await self._preparations.release(job)
        await self._go_on(job, JobState.TERMINATING, self._complete)

    async def _go_on(self, job: Job, state: JobState, then: Callable[[Job], None]) -> None:
        await self._wait_until_idle(job)
        await asyncio.sleep(_SERVICE_SECONDS)
        if job.state is state and not job.attempts:
            then(job)

    async def _remove(self, job: Job) -> None:
        await self._wait_until_idle(job)
        # "Deleting a job also executes the job release task", unless its end has done so.
        await self._preparations.release(job)
        pool = self._pools.get(job.pool_id)
        if pool is not None:
            pool.waiting.pop(job.key, None)
        executions = [task.execution for task in job.tasks.values() if task.execution is not None]
        nodes = {node for execution in executions for node in execution.nodes}
        if pool is not None and any(task.instances for task in job.tasks.values()):
            # Each attempt may have had other nodes.
            nodes.update(pool.nodes.values())
        for path in {node.root for node in nodes.union(job.on_nodes)}:
            await asyncio.to_thread(_remove_files, path / job_path(job.id))
        await asyncio.sleep(_SERVICE_SECONDS)
        self._jobs.remove(job.id)
        self._on_close(job)

    async def _wait_until_idle(self, job: Job) -> None:
        while job.attempts:
            await next(iter(job.attempts.values())).done.wait()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def _remove_files(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    # Of a schedule's jobs, others may have theirs beside it.
    with contextlib.suppress(OSError):
        directory.parent.rmdir()
