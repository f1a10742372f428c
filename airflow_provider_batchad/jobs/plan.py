"""Whose job it is: what this try of a task instance may adopt, supersede, write and must leave alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_batchad.errors import Superseded
from airflow_provider_batchad.jobs.naming import Attempt, job_id

ALIVE = frozenset({"active", "disabling", "disabled", "enabling"})
DEPLOYMENT_KEY = "airflow_deployment"
DAG_KEY = "airflow_dag"
RUN_KEY = "airflow_run"
TASK_KEY = "airflow_task"
MAP_INDEX_KEY = "airflow_map_index"
OWNER_KEY = "airflow_task_instance"
EPOCH_KEY = "airflow_epoch"
TRY_KEY = "airflow_try"
RUN_STARTED_KEY = "airflow_run_started"
OUTLIVES_KEY = "airflow_outlives_task"
DIGEST_KEY = "airflow_specification"


def metadata_of(job: Mapping[str, Any]) -> dict[str, str]:
    """The job's metadata as a dict."""
    return {item["name"]: item.get("value", "") for item in job.get("metadata") or ()}


def state_of(job: Mapping[str, Any]) -> str:
    """The job's state in lower case."""
    return str(job.get("state", "")).casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Whose job it is and how long it may live.

    :param prefix: what the ids of all jobs of this task instance begin with.
    :param attempt: this try.
    :param first_try: the first try of this epoch; jobs of the tries since are this epoch's own.
    :param metadata: says on the job which task instance it belongs to; the same for all of its tries.
    :param owner: the try that the job belongs to now (``ti.id``).
    :param limit: ``maxWallClockTime``, counted from when this attempt created or attached to the job.
    :param max_failed_tasks: up to so many failed tasks, an earlier try's job has succeeded.
    :param outputs: files that each task must have left, for that job to be worth attaching to.
    :param max_output_bytes: how much of them is read.
    :param keeps_successes: a retry runs only the tasks that did not succeed in the jobs of earlier tries.
    :param run_prefix: what they begin with as well where the DAG run was started before, at another time;
        ``None`` where such a job may be another Airflow's.
    :param run_started: when the DAG run was started.
    :param runs_others: though Batch refuses some of the tasks, the job runs all others.
    :param outlives_task: the job is to go on when its Airflow task is over.
    """

    prefix: str
    attempt: Attempt
    first_try: int
    metadata: dict[str, str]
    owner: str
    limit: timedelta
    max_failed_tasks: int = 0
    outputs: tuple[str, ...] = ()
    max_output_bytes: int = 0
    keeps_successes: bool = False
    run_prefix: str | None = None
    run_started: datetime | None = None
    runs_others: bool = False
    outlives_task: bool = False

    @property
    def job_id(self) -> str:
        """The id of this try's own job."""
        return job_id(self.prefix, self.attempt)

    @property
    def ownership(self) -> dict[str, str]:
        """What this try writes on a job that it creates or attaches to."""
        return {
            OWNER_KEY: self.owner,
            EPOCH_KEY: str(self.attempt.epoch),
            TRY_KEY: str(self.attempt.number),
            **({RUN_STARTED_KEY: self.run_started.isoformat()} if self.run_started else {}),
            **({OUTLIVES_KEY: "true"} if self.outlives_task else {}),
        }

    def is_ours(self, job: Mapping[str, Any]) -> bool:
        """Whether the job is one of this task instance's, whichever try made it."""
        metadata = metadata_of(job)
        return all(metadata.get(name) == value for name, value in self.metadata.items())

    def is_of_this_epoch(self, attempt: Attempt) -> bool:
        """Whether a job of that try may be adopted by this one."""
        first = min(self.first_try, self.attempt.number)
        return attempt.epoch == self.attempt.epoch and first <= attempt.number <= self.attempt.number

    def is_of_earlier_start(self, job: Mapping[str, Any]) -> bool:
        """Whether the job was made before the DAG run was started anew, as a clear of a finished run does.

        :raises Superseded: it was made after: this process is a zombie.
        """
        written = metadata_of(job).get(RUN_STARTED_KEY)
        if self.run_started is None or not written:
            return False
        if datetime.fromisoformat(written) > self.run_started:
            later = metadata_of(job).get(TRY_KEY, "")
            raise Superseded(job_id=str(job["id"]), number=self.attempt.number, later=int(later or 0))
        return True

    def check_not_superseded(self, job: Mapping[str, Any]) -> None:
        """Nothing for a job that no later try has made or attached to; the numbers of tries only ever grow.

        :raises Superseded: this process is a zombie: Airflow gave its task up and started a later try.
        """
        written = metadata_of(job).get(TRY_KEY, "")
        later = int(written) if written.isdecimal() else 0
        if later > self.attempt.number:
            raise Superseded(job_id=str(job["id"]), number=self.attempt.number, later=later)
