"""``sign_in`` ``integrated``: no task that Airflow runs by itself has a person; one under test does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from airflow_provider_batchad.local.client_settings import client_environment, describe_connection
from airflow_provider_batchad.local.server import LocalAzure
from demo.airflow import AirflowSettings
from tests.airflow.conftest import DAGS, Deployment


def _connection(azure: LocalAzure) -> dict[str, Any]:
    connection = describe_connection(azure)
    extra = {name: connection["extra"][name] for name in ("tenant_id", "cloud")}
    return {**connection, "login": None, "extra": {**extra, "sign_in": "integrated"}}


def test_a_task_that_airflow_runs_by_itself_is_no_place_for_a_person(deployment: Deployment) -> None:
    connection = _connection(deployment.azure)
    body = {**connection, "connection_id": "as_myself", "extra": json.dumps(connection["extra"])}
    deployment.airflow.api.post("connections", body)
    run_id, state = deployment.run("as_person")
    assert state == "failed"
    log = deployment.log("as_person", run_id)
    assert "field 'extra.sign_in'" in log
    assert "this is a process that Airflow runs by itself" in log
    assert "Choose 'service_principal', 'managed_identity' or 'workload_identity'" in log


def test_somebody_is_there_at_airflow_dags_test(deployment: Deployment, tmp_path: Path) -> None:
    environment = AirflowSettings(
        home=tmp_path,
        dags_folder=DAGS,
        environment={
            **client_environment(deployment.azure),
            "AIRFLOW_CONN_AS_MYSELF": json.dumps(_connection(deployment.azure)),
        },
    ).to_environment()
    for arguments in (("db", "migrate"), ("dags", "test", "as_person")):
        command = [sys.executable, "-m", "airflow", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
