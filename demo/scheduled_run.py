"""The DAG's own scheduled run, watched through Airflow's API until it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import requests

from demo.airflow import NotReady

if TYPE_CHECKING:
    from demo.airflow_api import AirflowApi

FINISHED = ("success", "failed")


class RunFailed(RuntimeError):
    """The DAG did not come to a good end."""


class ScheduledRun:
    """The run that Airflow starts by itself once the DAG is unpaused.

    :param on_look: called at each look: may show more of what goes on, and raise to end the wait.
    :param on_change: called with a sentence for each change of a task.
    """

    def __init__(
        self,
        api: AirflowApi,
        dag_id: str,
        *,
        on_look: Callable[[], None],
        on_change: Callable[[str], None],
    ) -> None:
        self.dag_id = dag_id
        self.run_id = ""
        self._api = api
        self._on_look = on_look
        self._on_change = on_change
        self._states: dict[str, str | None] = {}

    def unpause(self, *, timeout_seconds: float = 120) -> None:
        """Wait until Airflow has parsed the DAG, then let the scheduler have it.

        :raises RunFailed: with Airflow's own words, if the DAG file cannot be imported.
        """
        self._until(self._is_parsed, timeout_seconds, f"Airflow has not parsed {self.dag_id}")
        self._api.patch(f"dags/{self.dag_id}", {"is_paused": False})

    def wait(self, *, timeout_seconds: float = 300) -> None:
        """Until the run has succeeded.

        :raises RunFailed: if it failed; with the end of the failed task's log.
        :raises NotReady: after ``timeout_seconds``.
        """
        ended = self._until(self._ended, timeout_seconds, f"{self.dag_id} has not ended")
        if ended != "success":
            raise RunFailed(f"The DAG run {self.run_id} has failed. {self._last_words()}")

    def xcom(self, task_id: str, key: str = "return_value") -> Any:
        """What a task of the run pushed."""
        path = f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self._api.get(path, deserialize=True)["value"]

    def _until(self, condition: Callable[[], Any], timeout_seconds: float, otherwise: str) -> Any:
        deadline = time.monotonic() + timeout_seconds
        while not (answer := condition()):
            self._on_look()
            if time.monotonic() > deadline:
                states = ", ".join(f"{name}: {state}" for name, state in self._states.items())
                raise NotReady(f"After {timeout_seconds:.0f} s {otherwise}. {states}")
            time.sleep(0.5)
        return answer

    def _is_parsed(self) -> bool:
        errors = self._api.get("importErrors")["import_errors"]
        if errors:
            raise RunFailed(f"Airflow cannot import {errors[0]['filename']}:\n{errors[0]['stack_trace']}")
        try:
            self._api.get(f"dags/{self.dag_id}")
        except requests.HTTPError as error:
            if error.response.status_code == requests.codes.not_found:
                return False
            raise
        return True

    def _ended(self) -> str | None:
        runs = self._api.get(f"dags/{self.dag_id}/dagRuns")["dag_runs"]
        if not runs:
            return None
        run = runs[0]
        if not self.run_id:
            self.run_id = run["dag_run_id"]
            self._on_change(f"the scheduler has started {self.run_id}")
        for instance in self._instances():
            name, state = instance["task_id"], instance["state"]
            if state and state != self._states.get(name):
                self._states[name] = state
                self._on_change(f"Airflow task {name}: {state.replace('_', ' ')}")
        return run["state"] if run["state"] in FINISHED else None

    def _instances(self) -> list[dict[str, Any]]:
        path = f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances"
        instances: list[dict[str, Any]] = self._api.get(path)["task_instances"]
        return instances

    def _last_words(self, lines: int = 12) -> str:
        for instance in self._instances():
            if instance["state"] != "failed":
                continue
            path = f"dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{instance['task_id']}/logs/"
            log = self._api.get(f"{path}{instance['try_number']}")["content"]
            events = [line.get("event", "") if isinstance(line, dict) else str(line) for line in log]
            return f"The log of {instance['task_id']} ends so:\n" + "\n".join(events[-lines:])
        return ""
