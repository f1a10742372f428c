"""The role computed from the example's DAG, made and assigned by the Azure CLI: the DAG runs under it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_batchad.local.client_settings import client_environment, describe_connection
from demo.airflow import AirflowSettings
from demo.weather import EXAMPLES
from tests.azure_cli.conftest import SUBMITTER, AzureCli

pytestmark = pytest.mark.azure_cli

DATA_ACTIONS = ["Microsoft.Batch/batchAccounts/jobs/read", "Microsoft.Batch/batchAccounts/jobs/write"]


def run_airflow(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def environment_of(az: AzureCli, home: Path) -> dict[str, str]:
    """An Airflow whose connection signs in as the application that holds nothing yet."""
    principal = az.azure.directory.principal(SUBMITTER)
    application = az.azure.directory.application(principal.app_id)
    assert application is not None
    connection = describe_connection(az.azure)
    connection |= {"login": principal.app_id, "password": application.secrets[0].value}
    kept = ("tenant_id", "cloud", "account_resource_id")
    connection["extra"] = {name: connection["extra"][name] for name in kept}
    settings = {
        **client_environment(az.azure),
        "AIRFLOW_CONN_BATCHAD_DEFAULT": json.dumps(connection),
        "SEATTLE_WEATHER_INPUTS_URL": az.azure.endpoints.storage,
    }
    return AirflowSettings(home=home, dags_folder=EXAMPLES, environment=settings).to_environment()


def test_the_computed_role_runs_the_example(az: AzureCli, tmp_path: Path) -> None:
    environment = environment_of(az, tmp_path)
    run_airflow(environment, "db", "migrate")
    file = tmp_path / "role.json"
    file.write_text(run_airflow(environment, "batchad", "role"))
    made = az("role", "definition", "create", "--role-definition", f"@{file}").json
    assert made["permissions"][0]["dataActions"] == DATA_ACTIONS
    assert made["permissions"][0]["actions"] == []
    assert made["assignableScopes"] == [az.azure.config.resource_group_scope]
    assigned = az(
        "role", "assignment", "create", "--role", made["roleName"],
        "--assignee-object-id", az.azure.directory.principal(SUBMITTER).object_id,
        "--assignee-principal-type", "ServicePrincipal", "--scope", az.azure.config.account_scope,
    )  # fmt: skip
    assert assigned.json["scope"] == az.azure.config.account_scope
    last = az.azure.ledger.entries()[-1].sequence
    run_airflow(environment, "dags", "test", "seattle_weather", "2026-01-02")
    asked = az.azure.ledger.entries(service="batch", after=last)
    assert {entry.status for entry in asked} <= {200, 201, 202, 204}
    assert {action for entry in asked for action in entry.actions} == set(DATA_ACTIONS)
