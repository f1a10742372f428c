"""One run of a DAG whose only task submits a Batch job: looked at and acted on as a person does it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil
from airflow.triggers.base import BaseTrigger
from requests import HTTPError

if TYPE_CHECKING:
    from tests.airflow.conftest import Deployment

# Airflow 3.2 tells a trigger nothing of a person's action.
TRIGGERS_ARE_TOLD = hasattr(BaseTrigger, "on_kill")
# Nor does its supervisor pass a SIGTERM on: LocalExecutor's has the scheduler's deafness to it.
SIGTERM_IS_PASSED_ON = TRIGGERS_ARE_TOLD
# Nor does a try stay queued that begins while the API server is out of reach.
TRIES_WAIT_FOR_THE_API_SERVER = TRIGGERS_ARE_TOLD


def eventually(condition: Callable[[], Any], seconds: float, what: str, *, every: float = 0.25) -> Any:
    """The first true answer.

    :param every: seconds between two looks; each costs Airflow's web server something.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(every)


def patiently(ask: Callable[[], Any]) -> Any:
    """The answer of Airflow, whose database of one file is busy now and then."""

    def answer() -> tuple[Any] | None:
        try:
            return (ask(),)
        except HTTPError as error:
            if error.response.status_code != 500:
                raise
            return None

    return eventually(answer, 60, "Airflow answers")[0]


class TaskRun:
    """A run whose only task is called ``submit``."""

    def __init__(self, deployment: Deployment, dag_id: str, **conf: Any) -> None:
        self.deployment = deployment
        self.api = deployment.airflow.api
        self.dag_id = dag_id
        self.run_id = patiently(lambda: deployment.start_run(dag_id, **({"conf": conf} if conf else {})))
        self.path = f"dags/{dag_id}/dagRuns/{self.run_id}/taskInstances/submit"

    def instance(self) -> dict[str, Any]:
        """The task instance as Airflow has it."""
        instance: dict[str, Any] = patiently(lambda: self.api.get(self.path))
        return instance

    def state(self) -> str:
        """The state of the DAG run."""
        path = f"dags/{self.dag_id}/dagRuns/{self.run_id}"
        return str(patiently(lambda: self.api.get(path))["state"])

    def wait_for(self, *states: str, seconds: float = 120, number: int | None = None) -> dict[str, Any]:
        """Wait until the task instance is in one of these states, in this try or in any."""

        def reached() -> dict[str, Any] | None:
            instance = self.instance()
            of_try = number is None or instance["try_number"] == number
            return instance if of_try and instance["state"] in states else None

        found: dict[str, Any] = eventually(reached, seconds, f"{self.dag_id} is {states} (try {number})")
        return found

    def named_job(self) -> str | None:
        """The job that the task instance names in XCom, if it names one."""
        keys = {entry["key"] for entry in self.api.get(f"{self.path}/xcomEntries")["xcom_entries"]}
        if "batch_job_id" not in keys:
            return None
        try:
            return str(self.deployment.xcom(self.dag_id, self.run_id, "batch_job_id"))
        except HTTPError as error:
            # A new try wipes what the one before it named.
            if error.response.status_code != 404:
                raise
            return None

    def job_id(self, *, other_than: str | None = None) -> str:
        """The job that the task instance names, once it waits for it."""

        def named() -> str | None:
            job_id = self.named_job()
            return job_id if job_id != other_than else None

        return str(eventually(named, 180, f"{self.dag_id} waits for a job"))

    def wait_until_watched(self, job_id: str, number: int = 1) -> None:
        """Wait until the trigger has begun: before, Airflow tells it nothing of a person's action."""

        def begun() -> bool:
            if self.instance()["state"] != "deferred":
                return False
            logged = self.deployment.log(self.dag_id, self.run_id, try_number=number)
            return f"Waiting for Batch job {job_id}." in logged

        eventually(begun, 180, f"a trigger waits for {job_id}")

    def mark(self, state: str) -> None:
        """Set the task instance to this state."""
        patiently(lambda: self.api.patch(self.path, {"new_state": state}))

    def clear(self) -> None:
        """Have the task run again."""
        body = {
            "dry_run": False,
            "dag_run_id": self.run_id,
            "task_ids": ["submit"],
            "only_failed": False,
            "reset_dag_runs": True,
        }
        patiently(lambda: self.api.post(f"dags/{self.dag_id}/clearTaskInstances", body))

    def job(self, job_id: str) -> dict[str, Any]:
        """The job's state and the reason for its end, from the service's own book."""
        found = self.deployment.azure.batch.jobs.get(job_id)
        assert found is not None, f"there is no job {job_id}"
        return {"state": str(found.state), "reason": found.terminate_reason}

    def wait_for_reason(self, job_id: str, reason: str, seconds: float = 30) -> None:
        """Wait until the job is over, for this reason."""
        eventually(lambda: self.job(job_id)["state"] == "completed", seconds, f"{job_id} is over: {reason}")
        assert self.job(job_id)["reason"] == reason

    def wait_until_attached(self, job_id: str, before: str, seconds: float) -> None:
        """Wait until another try than that with the id ``before`` runs on a worker and names this job."""

        def is_attached() -> bool:
            instance = self.instance()
            is_new = instance["id"] != before and instance["state"] == "running"
            return is_new and self.named_job() == job_id

        eventually(is_attached, seconds, f"{job_id} is attached to")

    def task_process(self) -> psutil.Process:
        """The process that runs the author's code for this task instance; its parent supervises it."""
        return psutil.Process(eventually(lambda: self.instance()["pid"], 60, "it runs"))


def is_gone(process: psutil.Process) -> bool:
    """Whether the process has ended."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def orphans(deployment: Deployment, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """What ``airflow batchad orphans --json`` says beside this deployment: its status, and a row for each."""
    command = [sys.executable, "-m", "airflow", "batchad", "orphans", *arguments, "--json"]
    # Airflow's own start logs to the standard output too.
    environment = {**deployment.airflow.environment, "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]
