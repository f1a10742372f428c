"""``airflow dags test``, twice for one date: two jobs, neither touched by the other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from airflow_provider_batchad.local.client_settings import client_environment
from demo.airflow import AirflowSettings
from tests.airflow.conftest import DAGS, Deployment


def _dags_test(home: Path, deployment: Deployment, dag_id: str) -> subprocess.Popen[str]:
    environment = AirflowSettings(
        home=home, dags_folder=DAGS, environment=client_environment(deployment.azure)
    ).to_environment()
    arguments = [sys.executable, "-m", "airflow", "dags", "test", dag_id, "2026-02-03"]
    return subprocess.Popen(
        arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _migrate(home: Path) -> None:
    environment = AirflowSettings(home=home, dags_folder=DAGS).to_environment()
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"], env=environment, check=True, capture_output=True
    )


def test_twice_for_one_date_in_two_deployments_makes_a_job_each(
    deployment: Deployment, tmp_path: Path
) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    _migrate(homes[0])
    # Its database alone: the configuration that Airflow writes names its home.
    homes[1].mkdir()
    shutil.copy(homes[0] / "airflow.db", homes[1])
    ledger = deployment.azure.ledger
    last = ledger.entries()[-1].sequence if ledger.entries() else 0
    for _ in range(2):
        running = [_dags_test(home, deployment, "deferred_1") for home in homes]
        for process in running:
            output, _ = process.communicate(timeout=170)
            assert process.returncode == 0, output[-3000:]
    created = ledger.entries(service="batch", operation="Create Job", after=last)
    assert [entry.status for entry in created] == [201] * 4
    assert ledger.entries(service="batch", operation="Terminate Job", after=last) == ()
    jobs = {entry.path for entry in ledger.entries(service="batch", operation="Update Job", after=last)}
    assert len(jobs) == 4
