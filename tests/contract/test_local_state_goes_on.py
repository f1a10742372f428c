"""A local Azure that is started again in the directory of an earlier one: what goes on, and what is added."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.batch import models

from airflow_provider_batchad.local.config import (
    ApplicationConfig,
    AssignmentConfig,
    PoolConfig,
)
from tests.contract.batch_fixtures import CONFIG, Batch, eventually
from tests.contract.state_fixtures import (
    started,
)
from tests.contract.test_local_state import config_of


def test_what_waited_goes_on_waiting_and_then_runs(tmp_path: Path) -> None:
    config = config_of(tmp_path / "state")
    with started(config) as azure:
        batch = Batch(azure)
        job_id = batch.create_job("one", uses_task_dependencies=True)
        batch.add(job_id, "first", "/bin/sleep 1000")
        batch.running(job_id, "first")
        batch.add(job_id, "second", depends_on=models.BatchTaskDependencies(task_ids=["first"]))
        batch.close()
    with started(config) as azure:
        batch = Batch(azure)
        again = batch.running(job_id, "first")
        assert again.execution_info is not None
        assert (again.execution_info.requeue_count, again.execution_info.retry_count) == (1, 0)
        counts = batch.client.get_job_task_counts(job_id).task_counts
        assert (counts.active, counts.running, counts.completed) == (1, 1, 0)
        assert batch.client.get_task(job_id, "second").state == "active"
        batch.client.terminate_task(job_id, "first")
        assert batch.client.get_task(job_id, "second").state == "active"
        batch.close()


def test_limits_and_recurrences_go_on_by_a_clock_that_is_kept(tmp_path: Path) -> None:
    config = config_of(tmp_path / "state")
    with started(config) as azure:
        azure.clock.freeze()
        azure.clock.set(datetime(2035, 1, 1, tzinfo=UTC))
        batch = Batch(azure)
        job_id = batch.new_id()
        body = {
            "id": job_id,
            "poolInfo": {"poolId": "empty"},
            "constraints": {"maxWallClockTime": "PT1H"},
        }
        assert batch.send("POST", "/jobs", body).status_code == 201
        batch.close()
    with started(config) as azure:
        assert azure.clock.is_frozen
        assert azure.clock.now() == datetime(2035, 1, 1, tzinfo=UTC)
        batch = Batch(azure)
        azure.clock.advance(timedelta(hours=2))
        job = batch.job_in(job_id, "completed")
        assert job.execution_info is not None
        assert job.execution_info.termination_reason == "MaxWallClockTimeExpiry"
        batch.close()


def test_saved_state_counts_and_what_the_configuration_adds_is_added(tmp_path: Path) -> None:
    config = config_of(tmp_path / "state")
    with started(config) as azure:
        secret = azure.directory.applications()[0].secrets[0].value
        batch = Batch(azure)
        assert batch.send("DELETE", "/pools/one").status_code == 202
        eventually(lambda: "one" not in [pool.id for pool in batch.client.list_pools()])
        batch.close()
    changed = replace(
        config,
        pools=(*CONFIG.pools[:2], PoolConfig(id="cpu", nodes=7), PoolConfig(id="more", nodes=1)),
        applications=(*CONFIG.applications, ApplicationConfig(name="second")),
        assignments=(
            *CONFIG.assignments,
            AssignmentConfig(principal="second", role="Reader", resource="batch"),
        ),
    )
    for _ in range(2):
        with started(changed) as azure:
            batch = Batch(azure)
            pools = {pool.id: pool.target_dedicated_nodes for pool in batch.client.list_pools()}
            assert pools == {"cpu": 2, "empty": 0, "more": 1}
            assert azure.directory.applications()[0].secrets[0].value == secret
            second = azure.directory.principal("second")
            assert len(azure.roles.assignments(principal_id=second.object_id)) == 1
            first = azure.directory.principal("airflow-batch")
            assert len(azure.roles.assignments(principal_id=first.object_id)) == 1
            batch.close()


def test_stopping_in_the_middle_of_a_write_keeps_the_last_change(tmp_path: Path) -> None:
    config = replace(config_of(tmp_path / "state"), pools=())
    for number in range(8):
        with started(config) as azure:
            # The first write has just begun.
            azure.vault.set_secret(f"name{number}", "value")
    with started(config) as azure:
        names = {one.name for one in azure.vault.current()}
    assert {f"name{number}" for number in range(8)} <= names
    assert not list((tmp_path / "state").glob(".state*"))


def test_files_are_private(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o755)
    with started(config_of(directory)):
        pass
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for name in ("state.jsonl", "state.lock", "ca-key.pem"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
