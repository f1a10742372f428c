"""One real Airflow and local Azure for all tests of this folder: they take most of a minute to start."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.local.client_settings import (
    client_environment,
    describe_connection,
)
from airflow_provider_batchad.local.config import (
    AIRFLOW_APPLICATION,
    DEFAULT_ASSIGNMENTS,
    ApplicationConfig,
    AssignmentConfig,
    LocalAzureConfig,
    PoolConfig,
)
from airflow_provider_batchad.local.server import LocalAzure
from demo.airflow import AirflowSettings, Standalone
from demo.processes import ProcessGroup
from tests.airflow.database import never_reuse_trigger_ids, patient_database

DAGS = Path(__file__).with_name("dags")
READER = ApplicationConfig(name="reader", vault_secret_name="reader-secret")
# Each signs in for one worker that is killed, so that a fault is for it alone.
CASES = tuple(
    ApplicationConfig(name=f"case-{number}", vault_secret_name=f"case-{number}-secret") for number in range(4)
)
STRANGER = ApplicationConfig(name="stranger", vault_secret_name="stranger-secret")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A running Airflow and what it talks to.

    :param secrets_file: has every secret and token that local Azure knows.
    """

    airflow: Standalone
    azure: LocalAzure
    secrets_file: Path

    def start_run(self, dag_id: str, **fields: Any) -> str:
        """Unpause the DAG and run it once; ``fields`` are those of a run in Airflow's API."""
        self.airflow.api.patch(f"dags/{dag_id}", {"is_paused": False})
        run = self.airflow.api.post(f"dags/{dag_id}/dagRuns", {"logical_date": None, **fields})
        return str(run["dag_run_id"])

    def wait_for_run(self, dag_id: str, run_id: str, timeout_seconds: float = 150) -> str:
        """Wait for the run's end; its state."""
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            state = str(self.airflow.api.get(f"dags/{dag_id}/dagRuns/{run_id}")["state"])
            if state in ("success", "failed"):
                return state
            time.sleep(0.5)
        raise TimeoutError(f"{dag_id} {run_id} is still {state}: {self.log(dag_id, run_id)}")

    def run(self, dag_id: str) -> tuple[str, str]:
        """Run a DAG once; the run's id and state."""
        run_id = self.start_run(dag_id)
        return run_id, self.wait_for_run(dag_id, run_id)

    def log(self, dag_id: str, run_id: str, task_id: str = "submit", try_number: int = 1) -> str:
        """The task's log, as the web page shows it."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self.airflow.api.get(path, full_content=True)["content"]
        return "\n".join(json.dumps(line, ensure_ascii=False) for line in content)

    def xcom(self, dag_id: str, run_id: str, key: str, task_id: str = "submit") -> Any:
        """One XCom of the task."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.airflow.api.get(path, deserialize="true")["value"]


def connection_of(azure: LocalAzure, application: ApplicationConfig) -> dict[str, Any]:
    """The Airflow connection with which this application signs in."""
    connection: dict[str, Any] = json.loads(json.dumps(describe_connection(azure)))
    connection["login"] = application.client_id
    connection["extra"]["vault_credential_name"] = application.vault_secret_name
    return connection


def _connections(azure: LocalAzure) -> dict[str, dict[str, Any]]:
    cases = {f"case_{number}": connection_of(azure, case) for number, case in enumerate(CASES)}
    return {
        "batchad_default": describe_connection(azure),
        "read_only": connection_of(azure, READER),
        **cases,
    }


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    home = tmp_path_factory.mktemp("airflow")
    secrets_file = home / "secrets"
    config = LocalAzureConfig(
        port=0,
        applications=(AIRFLOW_APPLICATION, READER, STRANGER, *CASES),
        assignments=(
            *DEFAULT_ASSIGNMENTS,
            AssignmentConfig(principal="reader", role="Azure Batch Account Reader", resource="batch"),
            *(
                AssignmentConfig(principal=case.name, role="Azure Batch Job Submitter", resource="batch")
                for case in CASES
            ),
        ),
        pools=(PoolConfig(id="cpu", nodes=2, slots=32),),
        secrets_file=secrets_file,
    )
    with LocalAzure(config) as azure, running_airflow(home / "airflow", azure) as airflow:
        yield Deployment(airflow=airflow, azure=azure, secrets_file=secrets_file)


@contextmanager
def running_airflow(
    home: Path, azure: LocalAzure, *, more: Mapping[str, str] | None = None, parallelism: int = 8
) -> Iterator[Standalone]:
    """An Airflow with the tests' DAGs and its connections to this local Azure.

    :param more: variables for its processes.
    """
    # What nobody looks at in an ordinary log is searched for secrets too.
    environment = {
        **client_environment(azure),
        **patient_database(home),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        **(more or {}),
    }
    del environment["AIRFLOW_CONN_BATCHAD_DEFAULT"]
    settings = AirflowSettings(home=home, dags_folder=DAGS, environment=environment, parallelism=parallelism)
    with ProcessGroup() as group:
        airflow = Standalone(settings, group=group)
        airflow.start()
        airflow.wait_until_ready()
        never_reuse_trigger_ids(home)
        for conn_id, connection in _connections(azure).items():
            body = {**connection, "connection_id": conn_id, "extra": json.dumps(connection["extra"])}
            airflow.api.post("connections", body)
        yield airflow
