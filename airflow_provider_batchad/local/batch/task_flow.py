"""A task's life after it was added: its ends, retries, requeues, termination, reactivation, deletion."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.batch.command_run import Outcome, Stop
from airflow_provider_batchad.local.batch.directories import task_directories
from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.exits import respond_to_exit
from airflow_provider_batchad.local.batch.failures import ENDED_BY_JOB, ENDED_BY_USER, EXIT_CODE, OUT_OF_TIME
from airflow_provider_batchad.local.batch.job import Job, JobState
from airflow_provider_batchad.local.batch.task import Task, TaskResult, TaskState

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.attempt import Attempt
    from airflow_provider_batchad.local.batch.job_flow import JobFlow
    from airflow_provider_batchad.local.batch.scheduler import Scheduler
    from airflow_provider_batchad.local.batch.ticks import TickClock

_STOPPED: Final = {Stop.USER: ENDED_BY_USER, Stop.JOB: ENDED_BY_JOB, Stop.LIMIT: OUT_OF_TIME}
_CLOSED: Final = {
    JobState.TERMINATING: "JobBeingTerminated",
    JobState.COMPLETED: "JobCompleted",
    JobState.DELETING: "JobBeingDeleted",
}


def refuse_closed(job: Job) -> None:
    """409 for a change to a job that is going or gone.

    :raises BatchError: its code says which.
    """
    code = _CLOSED.get(job.state)
    if code is not None:
        raise BatchError(code)


class TaskFlow:
    """The state machine of tasks."""

    def __init__(self, *, ticks: TickClock) -> None:
        self._ticks = ticks
        self._scheduler: Scheduler
        self._jobs: JobFlow

    def connect(self, scheduler: Scheduler, jobs: JobFlow) -> None:
        """Tell it of the two that know it."""
        self._scheduler = scheduler
        self._jobs = jobs

    def add(self, job: Job, task: Task, depends_on: tuple[Iterable[str], Iterable[tuple[int, int]]]) -> None:
        """A new task of the job; it starts when its dependencies and the nodes allow."""
        job.tasks.add(task.id, task)
        job.count(task, 1)
        if not job.dependencies.add(task, *depends_on):
            self._scheduler.enqueue(job, task)

    def finish(self, attempt: Attempt, outcome: Outcome) -> None:
        """An attempt has ended, by itself or not."""
        job, task = attempt.job, attempt.task
        if outcome.stop is Stop.DELETE:
            return
        if outcome.stop is Stop.REQUEUE:
            self._requeue(job, task)
        elif outcome.stop in (Stop.UNPREPARED, Stop.PREEMPT):
            # Nothing is counted: it was never started here, or the node is lost; requeueCount counts users'
            # requests, retryCount exit codes (BatchTaskExecutionInfo).
            self._reset(job, task, self._ticks.now())
            self._scheduler.enqueue(job, task, first=True)
        elif outcome.stop is not None:
            self._complete(job, task, exit_code=None, failure=_STOPPED[outcome.stop])
        elif outcome.exit_code is None:
            self._complete(job, task, exit_code=None, failure=outcome.failure, was_prepared=False)
        elif outcome.exit_code and self._may_retry(job, task):
            self._retry(job, task)
        else:
            failure = EXIT_CODE if outcome.exit_code else outcome.upload_failure
            was_uploaded = outcome.upload_failure is None
            self._complete(job, task, exit_code=outcome.exit_code, failure=failure, was_uploaded=was_uploaded)

    async def terminate(self, job: Job, task: Task) -> None:
        """End a task for its user; it is completed when this returns.

        :raises BatchError: it was already.
        """
        if task.state is TaskState.COMPLETED:
            raise BatchError("TaskCompleted")
        task.modified = self._ticks.now()
        attempt = job.attempts.get(task)
        if attempt is None:
            self._complete(job, task, exit_code=None, failure=ENDED_BY_USER)
            self._scheduler.look_again(job.pool_id)
            return
        attempt.stop(Stop.USER)
        await attempt.done.wait()

    def reactivate(self, job: Job, task: Task) -> None:
        """Let a failed task run again, with all its retries.

        :raises BatchError: it is not completed, or was successful.
        """
        if task.state is not TaskState.COMPLETED:
            raise BatchError("TaskNotCompleted")
        execution = task.begin_execution()
        if execution.result is TaskResult.SUCCESS:
            raise BatchError("TaskSucceeded")
        task.modified = self._ticks.now()
        execution.retry_count = execution.last_retry = 0
        self._reset(job, task, task.modified)
        if not job.dependencies.is_waiting(task):
            self._scheduler.enqueue(job, task)

    def resume(self, job: Job) -> None:
        """Queue again what ran when local Azure stopped, as if a user had taken its node away.

        Of a job that was ending, those tasks end with it.
        """
        ran = [one for one in job.tasks.values() if one.state in (TaskState.PREPARING, TaskState.RUNNING)]
        for task in reversed(ran):
            if job.state in _CLOSED:
                task.begin_execution().subtasks = ()
                self._complete(job, task, exit_code=None, failure=ENDED_BY_JOB)
            else:
                self._requeue(job, task)

    async def delete(self, job: Job, task: Task) -> None:
        """Remove a task, its process and its files."""
        attempt = job.attempts.get(task)
        if attempt is not None:
            attempt.stop(Stop.DELETE)
            await attempt.done.wait()
        if job.tasks.get(task.id) is not task:
            return
        job.count(task, -1)
        job.tasks.remove(task.id)
        self._scheduler.look_again(job.pool_id)
        for node in task.execution.nodes if task.execution is not None else ():
            root = task_directories(node, job.id, task.id).root
            await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
        self._jobs.settle(job)

    def _complete(
        self,
        job: Job,
        task: Task,
        *,
        exit_code: int | None,
        failure: str | None,
        was_prepared: bool = True,
        was_uploaded: bool = True,
    ) -> None:
        ticks = self._ticks.now()
        execution = task.begin_execution()
        execution.end = ticks
        execution.exit_code = exit_code
        execution.failure = failure
        execution.result = TaskResult.SUCCESS if failure is None else TaskResult.FAILURE
        job.move_task(task, TaskState.COMPLETED, ticks)
        conditions = None
        if '"exitConditions"' in task.content:
            conditions = task.read_definition().get("exitConditions")
        response = respond_to_exit(
            conditions, exit_code=exit_code, was_prepared=was_prepared, was_uploaded=was_uploaded
        )
        if response.satisfies and job.properties["usesTaskDependencies"]:
            for freed in job.dependencies.fulfil(task.id):
                self._scheduler.enqueue(job, freed)
        if job.properties["onTaskFailure"] == "performexitoptionsjobaction":
            self._jobs.act_on_exit(job, response.job_action)
        if task is job.manager and job.properties["jobManagerTask"]["killJobOnCompletion"]:
            self._jobs.end_with_manager(job)
        self._jobs.settle(job)

    def _may_retry(self, job: Job, task: Task) -> bool:
        limit: int = task.read_definition()["constraints"]["maxTaskRetryCount"]
        retries = task.begin_execution().retry_count
        return job.state in (JobState.ACTIVE, JobState.DISABLING) and (limit < 0 or retries < limit)

    def _retry(self, job: Job, task: Task) -> None:
        execution = task.begin_execution()
        execution.retry_count += 1
        execution.last_retry = self._ticks.now()
        self._reset(job, task, execution.last_retry)
        self._scheduler.enqueue(job, task, first=True)

    def _requeue(self, job: Job, task: Task) -> None:
        execution = task.begin_execution()
        execution.requeue_count += 1
        execution.last_requeue = self._ticks.now()
        self._reset(job, task, execution.last_requeue)
        self._scheduler.enqueue(job, task, first=True)

    def _reset(self, job: Job, task: Task, ticks: int) -> None:
        job.count(task, -1)
        execution = task.begin_execution()
        execution.start = execution.end = 0
        execution.exit_code = execution.failure = execution.result = None
        execution.subtasks = ()
        task.move(TaskState.ACTIVE, ticks)
        job.count(task, 1)
