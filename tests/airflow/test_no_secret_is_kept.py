"""No secret and no token is in Airflow's database, logs or XComs; looked for by value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from demo.leaks import find_leaks

if TYPE_CHECKING:
    from tests.airflow.conftest import Deployment


def test_database_logs_and_xcoms_hold_no_secret_and_no_token(deployment: Deployment) -> None:
    runs = {dag_id: deployment.start_run(dag_id) for dag_id in ("deferred_1", "sync_failing")}
    for dag_id, run_id in runs.items():
        deployment.wait_for_run(dag_id, run_id)
    known = set(deployment.secrets_file.read_text().splitlines())
    assert sum(value.startswith("eyJ") for value in known) >= 4, "no token was handed out"
    home = deployment.airflow.settings.home
    assert find_leaks(known, home, fernet_key=deployment.airflow.settings.fernet_key) == []


def test_the_same_search_finds_planted_canaries(deployment: Deployment, tmp_path: Path) -> None:
    home = deployment.airflow.settings.home
    canary = "canary-0f2b7c61-encrypted"
    deployment.airflow.api.post(
        "connections",
        {"connection_id": "canary", "conn_type": "http", "password": canary, "extra": json.dumps({})},
    )
    logged = "canary-9b6c51de-logged"
    (home / "logs" / "canary.log").write_text(f"oops: {logged}\n")
    try:
        found = find_leaks({canary, logged}, home, fernet_key=deployment.airflow.settings.fernet_key)
    finally:
        deployment.airflow.api.delete("connections/canary")
        (home / "logs" / "canary.log").unlink()
    assert {leak.value for leak in found} == {canary, logged}
    assert any("connection.password" in leak.place for leak in found)
