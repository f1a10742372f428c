"""What becomes of the Batch job when a person ends the Airflow task: in the triggerer and on a worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger
from requests import HTTPError

if TYPE_CHECKING:
    from tests.airflow.conftest import Deployment

# Airflow 3.2 tells a trigger nothing of a person's action.
TRIGGERS_ARE_TOLD = hasattr(BaseTrigger, "on_kill")
SECONDS = 30.0


def eventually(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.25)
    raise AssertionError(f"not within {seconds} s: {what}")


class Run:
    """One run of a DAG whose only task waits for a Batch job without end."""

    def __init__(self, deployment: Deployment, dag_id: str) -> None:
        self.deployment = deployment
        self.dag_id = dag_id
        self.run_id = deployment.start_run(dag_id)

    def job_id(self, *, other_than: str | None = None) -> str:
        """The job that the task instance names, once it waits for it."""

        def named() -> str | None:
            entries = f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/submit/xcomEntries"
            keys = {entry["key"] for entry in self.deployment.airflow.api.get(entries)["xcom_entries"]}
            if "batch_job_id" not in keys:
                return None
            try:
                job_id = str(self.deployment.xcom(self.dag_id, self.run_id, "batch_job_id"))
            except HTTPError as error:
                # A new try wipes what the one before it named.
                if error.response.status_code != 404:
                    raise
                return None
            return job_id if job_id != other_than else None

        return str(eventually(named, 120, f"{self.dag_id} waits for a job"))

    def wait_until_watched(self, job_id: str) -> None:
        """Airflow tells nothing of a person's action to a trigger that has not begun."""

        def asked() -> bool:
            entries = self.deployment.azure.ledger.entries(service="batch", operation="Get Job")
            return any(job_id in entry.path for entry in entries)

        eventually(asked, 90, f"a trigger asks for {job_id}")

    def mark(self, state: str) -> None:
        path = f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/submit"

        def marked() -> bool:
            try:
                self.deployment.airflow.api.patch(path, {"new_state": state})
            except HTTPError as error:
                # Airflow's own database, of one file, is busy now and then.
                if error.response.status_code != 500:
                    raise
                return False
            return True

        eventually(marked, 60, f"{self.dag_id} is marked {state}")

    def clear(self) -> None:
        body = {
            "dry_run": False,
            "dag_run_id": self.run_id,
            "task_ids": ["submit"],
            "only_failed": False,
            "reset_dag_runs": True,
        }
        self.deployment.airflow.api.post(f"dags/{self.dag_id}/clearTaskInstances", body)

    def job(self, job_id: str) -> dict[str, Any]:
        """The job's state and the reason for its end, from the service's own book."""
        found = self.deployment.azure.batch.jobs.get(job_id)
        return {"state": str(found.state), "reason": found.terminate_reason}


def test_a_job_ends_with_the_task_that_a_person_ended(deployment: Deployment) -> None:
    runs = {
        "failed": Run(deployment, "deferred_endless"),
        "success": Run(deployment, "deferred_endless"),
        "on the worker": Run(deployment, "sync_endless"),
        "neighbour": Run(deployment, "deferred_endless"),
    }
    jobs = {name: run.job_id() for name, run in runs.items()}
    for name in ("failed", "success", "neighbour"):
        runs[name].wait_until_watched(jobs[name])
    runs["failed"].mark("failed")
    runs["success"].mark("success")
    runs["on the worker"].mark("failed")
    ended = ["on the worker", *(["failed", "success"] if TRIGGERS_ARE_TOLD else [])]
    for name in ended:
        run, job_id = runs[name], jobs[name]
        eventually(lambda run=run, job_id=job_id: run.job(job_id)["state"] == "completed", SECONDS, name)
        state = "success" if name == "success" else "failed"
        assert run.job(job_id)["reason"] == f"Airflow: the task was set to {state}."
    neighbour, job_id = runs["neighbour"], jobs["neighbour"]
    assert neighbour.job(job_id)["state"] == "active"
    neighbour.mark("failed")
    if TRIGGERS_ARE_TOLD:
        eventually(lambda: neighbour.job(job_id)["state"] == "completed", SECONDS, "the neighbour")


def test_a_clear_ends_the_job_of_before_and_waits_for_another(deployment: Deployment) -> None:
    run = Run(deployment, "deferred_endless")
    first = run.job_id()
    run.wait_until_watched(first)
    run.clear()
    second = run.job_id(other_than=first)
    eventually(lambda: run.job(first)["state"] == "completed", SECONDS, "the job of before is ended")
    assert run.job(second)["state"] == "active"
    run.wait_until_watched(second)
    run.mark("failed")
    if TRIGGERS_ARE_TOLD:
        eventually(lambda: run.job(second)["state"] == "completed", SECONDS, "the new job is ended")
