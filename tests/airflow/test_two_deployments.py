"""Two Airflows with schedulers of their own, the same DAG and run, one Batch account."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.airflow.conftest import Deployment, running_airflow

RUN = {"dag_run_id": "scheduled_by_hand", "logical_date": "2026-02-03T00:00:00Z"}


@pytest.mark.nightly
@pytest.mark.timeout(400)
def test_the_same_run_in_two_deployments_makes_a_job_each(deployment: Deployment, tmp_path: Path) -> None:
    ledger = deployment.azure.ledger
    last = ledger.entries()[-1].sequence if ledger.entries() else 0
    with running_airflow(tmp_path / "other", deployment.azure) as other:
        both = (deployment, replace(deployment, airflow=other))
        runs = [one.start_run("deferred_1", **RUN) for one in both]
        assert runs[0] == runs[1]
        states = [one.wait_for_run("deferred_1", run_id) for one, run_id in zip(both, runs, strict=True)]
        jobs = [
            one.xcom("deferred_1", run_id, "batch_job_id") for one, run_id in zip(both, runs, strict=True)
        ]
    assert states == ["success", "success"]
    assert jobs[0] != jobs[1]
    created = ledger.entries(service="batch", operation="Create Job", after=last)
    assert [entry.status for entry in created] == [201, 201]
    assert ledger.entries(service="batch", operation="Terminate Job", after=last) == ()
