"""``sign_in`` ``integrated`` where nobody is there: a task that Airflow runs by itself."""

from __future__ import annotations

import json

from airflow_provider_batchad.local.client_settings import describe_connection
from tests.airflow.conftest import Deployment


def test_a_task_that_airflow_runs_by_itself_is_no_place_for_a_person(deployment: Deployment) -> None:
    connection = describe_connection(deployment.azure)
    connection["login"] = None
    extra = {name: connection["extra"][name] for name in ("tenant_id", "cloud")} | {"sign_in": "integrated"}
    body = {**connection, "connection_id": "as_myself", "extra": json.dumps(extra)}
    deployment.airflow.api.post("connections", body)
    run_id, state = deployment.run("as_person")
    assert state == "failed"
    log = deployment.log("as_person", run_id)
    assert "field 'extra.sign_in'" in log
    assert "this is a process that Airflow runs by itself" in log
    assert "Choose 'service_principal', 'managed_identity' or 'workload_identity'" in log
