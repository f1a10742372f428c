"""The operator in a real Airflow: sync and deferred, one task and many, success and failure."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.airflow.task_runs import eventually

if TYPE_CHECKING:
    from tests.airflow.conftest import Deployment


MODES = ("deferred", "sync")
COUNTS = (1, 250)


@pytest.fixture(scope="module")
def runs(deployment: Deployment) -> dict[str, str]:
    """DAG → a run of it, all begun at once: most of the time they wait for Airflow."""
    kinds = (*COUNTS, "failing")
    return {dag: deployment.start_run(dag) for dag in (f"{mode}_{kind}" for mode in MODES for kind in kinds)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", COUNTS)
def test_tasks_run_once_each_and_their_outputs_come_back_in_order(
    deployment: Deployment, runs: dict[str, str], mode: str, count: int
) -> None:
    dag_id = f"{mode}_{count}"
    run_id = runs[dag_id]
    assert deployment.wait_for_run(dag_id, run_id) == "success", deployment.log(dag_id, run_id)
    outputs = deployment.xcom(dag_id, run_id, "return_value")
    assert outputs == [f"t{n}\n" for n in range(count)]
    job_id = deployment.xcom(dag_id, run_id, "batch_job_id")
    requests = Counter(
        entry.operation for entry in deployment.azure.ledger.entries(service="batch") if job_id in entry.path
    )
    assert requests["Create Task Collection"] == -(-count // 100)
    assert requests["Update Job"] == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_failing_batch_task_fails_the_airflow_task_with_its_last_words(
    deployment: Deployment, runs: dict[str, str], mode: str
) -> None:
    dag_id = f"{mode}_failing"
    run_id = runs[dag_id]
    assert deployment.wait_for_run(dag_id, run_id) == "failed"
    log = deployment.log(dag_id, run_id)
    assert "t7 (exit code 3)" in log
    assert "the last words of t7" in log
    assert "1 of 20 task(s) failed" in log


def test_short_lived_tokens_are_renewed_once_a_lifetime(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment.azure.directory, "token_lifetime_seconds", 5.0)
    # The machine has a token of an hour, from the tests before.
    for file in (deployment.airflow.settings.home / "tokens").glob("*.token"):
        file.unlink()
    ledger = deployment.azure.ledger
    last = ledger.last_sequence
    started = time.monotonic()
    runs = {dag_id: deployment.start_run(dag_id) for dag_id in ("deferred_long", "sync_long")}
    for dag_id, run_id in runs.items():
        assert deployment.wait_for_run(dag_id, run_id) == "success", deployment.log(dag_id, run_id)
    seconds = time.monotonic() - started
    tokens = ledger.entries(service="entra", operation="Token", after=last)
    batch = ledger.entries(service="batch", after=last)
    # What a task writes is asked for before it writes, and again when there is no more.
    assert {entry.status for entry in batch if entry.status >= 400} <= {404, 416}
    # Each job runs for 20 seconds; a token is renewed at 80 to 90 % of its 5, by one process for all.
    assert 4 <= len(tokens) <= 2 + seconds / 4
    assert len(batch) > 2 * len(tokens)


def test_a_role_without_jobs_write_is_told_so_and_nothing_is_submitted(deployment: Deployment) -> None:
    run_id, state = deployment.run("read_only")
    assert state == "failed"
    log = deployment.log("read_only", run_id)
    assert "Microsoft.Batch/batchAccounts/jobs/write" in log
    assert "airflow batchad role" in log
    written = [
        entry
        for entry in deployment.azure.ledger.entries(service="batch", principal="reader")
        if entry.method != "GET" and entry.status < 400
    ]
    assert written == []


def test_a_wrong_argument_is_named_by_its_path_before_anything_is_sent(deployment: Deployment) -> None:
    last = deployment.azure.ledger.last_sequence
    run_id, state = deployment.run("wrong_task")
    assert state == "failed"
    assert "tasks[1].comand_line" in deployment.log("wrong_task", run_id)
    # Triggers of other tests may still look at their jobs.
    sent = deployment.azure.ledger.entries(service="batch", after=last)
    assert {entry.operation for entry in sent} <= {"Get Job", "List Jobs"}


def test_a_task_waits_for_a_place_in_the_triggerer_and_runs_once_it_has_one(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_flow = deployment.azure.batch.job_flow
    places = job_flow.quota
    monkeypatch.setattr(job_flow, "quota", 0)
    run_id = deployment.start_run("deferred_1")
    task = f"dags/deferred_1/dagRuns/{run_id}/taskInstances/submit"

    def waits_for_place() -> bool:
        trigger = deployment.airflow.api.get(task)["trigger"]
        return bool(trigger and trigger["classpath"].endswith("AzureBatchQuotaTrigger"))

    eventually(waits_for_place, 60, "it waits in the triggerer")
    job_flow.quota = places
    assert deployment.wait_for_run("deferred_1", run_id) == "success", deployment.log("deferred_1", run_id)
    assert deployment.xcom("deferred_1", run_id, "return_value") == ["t0\n"]
    job_id = deployment.xcom("deferred_1", run_id, "batch_job_id")
    added = deployment.azure.ledger.entries(service="batch", operation="Create Task Collection")
    assert sum(job_id in entry.path for entry in added) == 1


def test_the_link_to_the_job_shows(deployment: Deployment, runs: dict[str, str]) -> None:
    run_id = runs["deferred_1"]
    deployment.wait_for_run("deferred_1", run_id)
    links = deployment.airflow.api.get(f"dags/deferred_1/dagRuns/{run_id}/taskInstances/submit/links")
    job_id = deployment.xcom("deferred_1", run_id, "batch_job_id")
    url = links["extra_links"]["Azure Batch job"]
    assert url == f"{deployment.azure.endpoints.batch}/jobs/{job_id}"
