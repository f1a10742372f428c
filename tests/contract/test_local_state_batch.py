"""What the Batch account was in the middle of when local Azure stopped goes on after its restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.batch import models

from airflow_provider_batchad.local.batch.node import NodeState
from airflow_provider_batchad.local.config import LocalAzureConfig
from tests.contract.batch_fixtures import CONFIG, Batch, eventually
from tests.contract.state_fixtures import started

MACHINE = {
    "imageReference": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
    "nodeAgentSKUId": "batch.node.ubuntu 24.04",
}
AUTO_POOL = {
    "autoPoolSpecification": {
        "poolLifetimeOption": "job",
        "pool": {
            "vmSize": "standard_d2s_v3",
            "virtualMachineConfiguration": MACHINE,
            "targetDedicatedNodes": 1,
        },
    }
}


@pytest.fixture
def config(tmp_path: Path) -> LocalAzureConfig:
    return replace(CONFIG, state_dir=tmp_path / "state")


def restarted(
    config: LocalAzureConfig, before: Callable[[Batch], None], after: Callable[[Batch], None]
) -> None:
    for act in (before, after):
        with started(config) as azure:
            batch = Batch(azure)
            try:
                act(batch)
            finally:
                batch.close()


def status(batch: Batch, path: str) -> int:
    return batch.send("GET", path).status_code


def test_end_disabling_and_removal_of_jobs_are_carried_through(config: LocalAzureConfig) -> None:
    release = {
        "jobPreparationTask": {"commandLine": "/bin/true"},
        "jobReleaseTask": {"commandLine": "/bin/true"},
    }

    def before(batch: Batch) -> None:
        for job_id in ("ends", "rests", "goes"):
            body = {"id": job_id, "poolInfo": {"poolId": "cpu"}, **(release if job_id == "ends" else {})}
            assert batch.send("POST", "/jobs", body).status_code == 201
            batch.add(job_id, "sleeper", "/bin/sleep 1000")
            batch.running(job_id, "sleeper")
        assert batch.send("POST", "/jobs/ends/terminate").status_code == 202
        assert batch.send("POST", "/jobs/rests/disable", {"disableTasks": "requeue"}).status_code == 202
        assert batch.send("DELETE", "/jobs/goes").status_code == 202

    def after(batch: Batch) -> None:
        batch.job_in("ends", "completed")
        task = batch.client.get_task("ends", "sleeper")
        assert (task.state, task.execution_info and task.execution_info.exit_code) == ("completed", None)
        batch.job_in("rests", "disabled")
        assert batch.client.get_task("rests", "sleeper").state == "active"
        eventually(lambda: status(batch, "/jobs/goes") == 404)
        batch.send("POST", "/jobs/rests/enable")
        again = batch.running("rests", "sleeper")
        assert again.execution_info is not None
        assert again.execution_info.requeue_count == 1
        counts = batch.client.get_job_task_counts("rests").task_counts
        assert (counts.active, counts.running, counts.completed) == (0, 1, 0)

    restarted(config, before, after)


def test_resizes_removals_and_new_nodes_of_pools_are_carried_through(
    config: LocalAzureConfig, tmp_path: Path
) -> None:
    gate = tmp_path / "go"

    def before(batch: Batch) -> None:
        assert batch.send("POST", "/pools/cpu/resize", {"targetDedicatedNodes": 5}).status_code == 202
        assert batch.send("DELETE", "/pools/one").status_code == 202
        pool = {
            "id": "started",
            "vmSize": "standard_d2s_v3",
            "virtualMachineConfiguration": MACHINE,
            "targetDedicatedNodes": 1,
            "startTask": {
                "commandLine": f"/bin/sh -c 'until test -e {gate}; do sleep 0.02; done'",
                "waitForSuccess": True,
            },
        }
        assert batch.send("POST", "/pools", pool).status_code == 201

    def after(batch: Batch) -> None:
        def idle(pool_id: str) -> int:
            return [node.state for node in batch.client.list_nodes(pool_id)].count("idle")

        gate.touch()
        eventually(lambda: idle("cpu") == 5)
        eventually(lambda: batch.client.get_pool("cpu").allocation_state == "steady")
        eventually(lambda: status(batch, "/pools/one") == 404)
        eventually(lambda: idle("started") == 1, seconds=60)

    restarted(config, before, after)


def test_preempted_node_comes_back_by_the_clock(config: LocalAzureConfig) -> None:
    def before(batch: Batch) -> None:
        batch.send("POST", "/pools/empty/resize", {"targetLowPriorityNodes": 2})
        eventually(lambda: [n.state for n in batch.client.list_nodes("empty")] == ["idle", "idle"])
        first, second = (node.id for node in batch.client.list_nodes("empty"))
        batch.azure.preempt_nodes("empty", node_ids=[first], back_after_seconds=3600)
        batch.azure.preempt_nodes("empty", node_ids=[second], back_after_seconds=None)

    def after(batch: Batch) -> None:
        states = [node.state for node in batch.client.list_nodes("empty")]
        assert states == [NodeState.PREEMPTED, NodeState.PREEMPTED]
        batch.azure.clock.advance(4000)
        eventually(
            lambda: sorted(n.state or "" for n in batch.client.list_nodes("empty")) == ["idle", "preempted"]
        )

    restarted(config, before, after)


def test_schedule_and_auto_pool_go_on(config: LocalAzureConfig) -> None:
    def before(batch: Batch) -> None:
        schedule = {
            "id": "daily",
            "schedule": {"recurrenceInterval": "P1D"},
            "jobSpecification": {"poolInfo": AUTO_POOL},
        }
        assert batch.send("POST", "/jobschedules", schedule).status_code == 201
        eventually(lambda: any(len(p.id or "") == 36 for p in batch.client.list_pools()))

    def after(batch: Batch) -> None:
        job = batch.client.get_job("daily:job-1")
        assert job.execution_info is not None
        pool_id = job.execution_info.pool_id or ""
        assert status(batch, f"/pools/{pool_id}") == 200
        assert batch.send("POST", "/jobs/daily:job-1/terminate").status_code == 202
        eventually(lambda: status(batch, f"/pools/{pool_id}") == 404)
        batch.azure.clock.advance(timedelta(days=1, minutes=1))
        eventually(lambda: status(batch, "/jobs/daily:job-2") == 200)

    restarted(config, before, after)


def test_dependencies_retries_and_sealing_go_on(config: LocalAzureConfig) -> None:
    def before(batch: Batch) -> None:
        job = {
            "id": "chain",
            "poolInfo": {"poolId": "cpu"},
            "usesTaskDependencies": True,
            "onAllTasksComplete": "noaction",
        }
        assert batch.send("POST", "/jobs", job).status_code == 201
        batch.run("chain", "1", "/bin/true")
        batch.add("chain", "2", "/bin/sleep 1000")
        batch.running("chain", "2")
        batch.add(
            "chain",
            "3",
            depends_on=models.BatchTaskDependencies(task_id_ranges=[models.BatchTaskIdRange(start=1, end=2)]),
        )
        batch.client.delete_task("chain", "1")

    def after(batch: Batch) -> None:
        assert batch.client.get_task("chain", "3").state == "active"
        batch.running("chain", "2")
        batch.client.delete_task("chain", "2")
        batch.run("chain", "2", "/bin/true")
        batch.finished("chain", "3")
        batch.send("PATCH", "/jobs/chain", {"onAllTasksComplete": "terminatejob"})
        batch.job_in("chain", "completed")

    restarted(config, before, after)


@pytest.mark.timeout(300)
def test_twenty_thousand_tasks_are_kept_and_requests_answered_meanwhile(config: LocalAzureConfig) -> None:
    count = 20_000

    def before(batch: Batch) -> None:
        assert batch.send("POST", "/jobs", {"id": "big", "poolInfo": {"poolId": "empty"}}).status_code == 201
        for start in range(0, count, 100):
            tasks = [{"id": f"t{n:05}", "commandLine": "/bin/true"} for n in range(start, start + 100)]
            added = batch.send("POST", "/jobs/big/addtaskcollection", {"value": tasks})
            assert added.status_code == 200
        batch.send("POST", "/jobs/big/tasks/t00007/terminate")

    def after(batch: Batch) -> None:
        counts = batch.client.get_job_task_counts("big").task_counts
        assert (counts.active, counts.completed) == (count - 1, 1)
        assert [task.id for task in batch.client.list_tasks("big")] == [f"t{n:05}" for n in range(count)]
        assert batch.client.get_task("big", "t00007").state == "completed"

    began = time.monotonic()
    restarted(config, before, after)
    assert time.monotonic() - began < 240


def test_writing_lets_requests_through_between_its_pieces(config: LocalAzureConfig) -> None:
    with started(config) as azure:
        batch = Batch(azure)
        job_id = batch.create_job("empty")
        tasks: list[dict[str, Any]] = [{"id": f"t{n}", "commandLine": "/bin/true"} for n in range(100)]
        for start in range(40):
            named = [{**task, "id": f"{start}-{task['id']}"} for task in tasks]
            batch.send("POST", f"/jobs/{job_id}/addtaskcollection", {"value": named})
        batch.close()

        async def turns_while_writing() -> int:
            assert azure.state is not None
            azure.state._written = None
            writing = asyncio.create_task(azure.state._save(azure, is_last=False))
            turns = 0
            while not writing.done():
                await asyncio.sleep(0)
                turns += 1
            return turns

        assert azure._loop is not None
        turns = asyncio.run_coroutine_threadsafe(turns_while_writing(), azure._loop).result()
        # A piece has 200 tasks.
        assert turns > 4000 / 200
