"""Which nodes multi-instance tasks of local Batch get, when, and what becomes of them when a node goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from azure.batch import models

from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import CONFIG, Batch, eventually, info, shell
from tests.contract.pool_fixtures import create_pool, nodes_in, steady
from tests.contract.state_fixtures import started
from tests.contract.test_local_batch_multi_instance import instances, is_running, node_root, subtasks

SERVER = """
import sys
from azure.batch import models
from tests.contract.batch_fixtures import CONFIG, Batch, eventually
from tests.contract.test_local_batch_multi_instance import instances
from tests.contract.pool_fixtures import create_pool
from tests.contract.batch_fixtures import shell
from airflow_provider_batchad.local.server import LocalAzure

with LocalAzure(CONFIG) as azure:
    batch = Batch(azure)
    pool = create_pool(batch, nodes=3, enable_inter_node_communication=True)
    job_id = batch.create_job(pool)
    leave = f"setsid sleep 1000 & echo $! >> {sys.argv[1]}; sleep 1000 & echo $! >> {sys.argv[1]}"
    batch.add(job_id, "t", shell(f"echo $$ >> {sys.argv[1]}; sleep 1000"), **instances(3, leave))
    sys.stdin.read()
"""


def connected_pool(batch: Batch, nodes: int, **options: object) -> str:
    pool_id = create_pool(batch, nodes=nodes, enable_inter_node_communication=True, **options)
    if nodes:
        assert len(nodes_in(batch, pool_id, "idle")) == nodes
    return pool_id


def wait_for(batch: Batch, job_id: str, task_id: str, pool_id: str) -> Path:
    """The file that lets a task of `waiting` end."""
    task = batch.running(job_id, task_id)
    return (
        node_root(batch, pool_id, task.node_info.node_id) / task.node_info.task_root_directory / "wd" / "go"
    )


def waiting() -> str:
    return shell("while ! test -e go; do sleep 0.02; done")


@pytest.mark.parametrize("options", [{}, {"enable_inter_node_communication": True, "task_slots_per_node": 2}])
def test_pool_that_cannot_run_it_leaves_it_active_and_others_pass_it(
    batch: Batch, options: dict[str, object]
) -> None:
    pool_id = create_pool(batch, nodes=2, **options)
    nodes_in(batch, pool_id, "idle")
    job_id = batch.create_job(pool_id)
    batch.add(job_id, "multi", "/bin/true", **instances(2))
    batch.add(job_id, "multi-of-one", "/bin/true", **instances(1))
    for number in range(4):
        batch.run(job_id, f"t{number}", "/bin/true")
    assert {batch.client.get_task(job_id, name).state for name in ("multi", "multi-of-one")} == {"active"}
    assert subtasks(batch, job_id, "multi") == []


def test_it_waits_for_nodes_that_the_pool_does_not_have_and_others_do_not(batch: Batch) -> None:
    pool_id = connected_pool(batch, 2)
    job_id = batch.create_job(pool_id)
    batch.add(job_id, "multi", "/bin/true", **instances(3))
    batch.run(job_id, "t", "/bin/true")
    assert batch.client.get_task(job_id, "multi").state == "active"
    batch.client.begin_resize_pool(
        pool_id, models.BatchPoolResizeOptions(target_dedicated_nodes=3), polling_interval=0.05
    ).result()
    assert info(batch.finished(job_id, "multi")).exit_code == 0
    assert len({one.node_info.node_id for one in subtasks(batch, job_id, "multi")}) == 2


def test_it_gets_all_nodes_at_once_and_whatever_came_later_waits(batch: Batch) -> None:
    pool_id = connected_pool(batch, 2)
    first, job_id, later = (batch.create_job(pool_id) for _ in range(3))
    batch.add(first, "t", waiting())
    go = wait_for(batch, first, "t", pool_id)
    batch.add(job_id, "multi", "/bin/true", **instances(2))
    for number in range(3):
        batch.add(later, f"t{number}", "/bin/true")
        batch.add(job_id, f"t{number}", "/bin/true")
    batch.client.update_job(first, models.BatchJobUpdateOptions(metadata=[]))
    assert batch.counts(later).active == 3
    assert batch.counts(job_id).active == 4
    go.touch()
    multi = batch.finished(job_id, "multi")
    for number in range(3):
        for one in (batch.finished(later, f"t{number}"), batch.finished(job_id, f"t{number}")):
            assert one.execution_info.start_time >= multi.execution_info.end_time


@pytest.mark.parametrize("way", ["disable", "terminate", "delete", "terminate task", "delete task", "node"])
def test_what_waits_behind_it_goes_on_when_it_waits_no_more(batch: Batch, way: str) -> None:
    pool_id = connected_pool(batch, 2)
    first, job_id, later = (batch.create_job(pool_id) for _ in range(3))
    batch.add(first, "t", waiting())
    go = wait_for(batch, first, "t", pool_id)
    batch.add(job_id, "multi", "/bin/true", **instances(2))
    batch.add(later, "t", "/bin/true")
    assert batch.client.get_task(later, "t").state == "active"
    busy = batch.client.get_task(first, "t").node_info.node_id
    paths = {
        "disable": ("POST", f"/jobs/{job_id}/disable", {"disableTasks": "requeue"}),
        "terminate": ("POST", f"/jobs/{job_id}/terminate", {}),
        "delete": ("DELETE", f"/jobs/{job_id}", None),
        "terminate task": ("POST", f"/jobs/{job_id}/tasks/multi/terminate", None),
        "delete task": ("DELETE", f"/jobs/{job_id}/tasks/multi", None),
        "node": (
            "POST",
            f"/pools/{pool_id}/nodes/{busy}/disablescheduling",
            {"nodeDisableSchedulingOption": "taskcompletion"},
        ),
    }
    assert batch.send(*paths[way]).ok
    assert batch.finished(later, "t").execution_info.exit_code == 0
    go.touch()


def test_several_that_need_most_nodes_all_get_their_turn(batch: Batch) -> None:
    pool_id = connected_pool(batch, 3)
    jobs = [batch.create_job(pool_id) for _ in range(3)]
    for job_id in jobs:
        for number in range(3):
            batch.add(job_id, f"multi{number}", "/bin/true", **instances(2 + number % 2))
            batch.add(job_id, f"t{number}", "/bin/true")
    for job_id in jobs:
        for number in range(3):
            for name in (f"multi{number}", f"t{number}"):
                assert info(batch.finished(job_id, name)).exit_code == 0
    nodes = nodes_in(batch, pool_id, "idle")
    assert sum(node.total_tasks_run for node in nodes) == 3 * (2 + 3 + 2 + 3)
    assert sum(node.total_tasks_succeeded for node in nodes) == 3 * (2 + 3 + 2 + 3)


def test_it_is_queued_again_when_one_of_its_nodes_restarts(batch: Batch) -> None:
    pool_id = connected_pool(batch, 2)
    job_id = batch.create_job(pool_id)
    batch.add(job_id, "t", "/bin/true", **instances(2, "test -e ../again || { touch ../again; sleep 1000; }"))
    batch.running(job_id, "t")
    (subtask,) = subtasks(batch, job_id)
    roots = [node_root(batch, pool_id, node.id) for node in batch.client.list_nodes(pool_id)]
    marks = [root / subtask.node_info.task_root_directory / "again" for root in roots]
    eventually(lambda: all(mark.exists() for mark in marks))
    batch.client.begin_reboot_node(
        pool_id, subtask.node_info.node_id, {"nodeRebootOption": "requeue"}, polling_interval=0.05
    ).result()
    task = batch.finished(job_id, "t")
    assert (info(task).exit_code, info(task).requeue_count, info(task).retry_count) == (0, 1, 0)


def test_it_starts_anew_when_one_of_its_nodes_is_preempted(batch: Batch) -> None:
    pool_id = create_pool(batch, nodes=0, spot=2, enable_inter_node_communication=True)
    nodes_in(batch, pool_id, "idle")
    job_id = batch.create_job(pool_id)
    batch.add(job_id, "t", waiting(), **instances(2))
    first = batch.running(job_id, "t").execution_info.start_time
    (subtask,) = subtasks(batch, job_id)
    lost = subtask.node_info.node_id
    assert batch.azure.preempt_nodes(pool_id, node_ids=[lost], back_after_seconds=0.0) == (lost,)
    # The node is to come back first.
    eventually(lambda: info(batch.client.get_task(job_id, "t")).start_time not in (None, first), seconds=60)
    wait_for(batch, job_id, "t", pool_id).touch()
    task = batch.finished(job_id, "t")
    assert (info(task).exit_code, info(task).requeue_count, info(task).retry_count) == (0, 0, 0)


def test_failed_preparation_on_one_node_leaves_it_to_the_others(batch: Batch) -> None:
    pool_id = connected_pool(batch, 3)
    bad = nodes_in(batch, pool_id, "idle")[0].id
    job_id = batch.create_job(
        pool_id,
        job_preparation_task=models.BatchJobPreparationTask(
            command_line=shell(f'test "$AZ_BATCH_NODE_ID" != {bad}')
        ),
    )
    task = batch.run(job_id, "t", "/bin/true", **instances(2))
    (subtask,) = subtasks(batch, job_id)
    assert info(task).exit_code == 0
    assert bad not in (task.node_info.node_id, subtask.node_info.node_id)


def test_pool_that_is_deleted_takes_it_along_and_it_waits_again(batch: Batch) -> None:
    pool_id = connected_pool(batch, 2)
    steady(batch, pool_id)
    job_id = batch.create_job(pool_id)
    batch.add(job_id, "t", waiting(), **instances(2))
    batch.running(job_id, "t")
    batch.client.begin_delete_pool(pool_id, polling_interval=0.05).result()
    assert batch.client.get_task(job_id, "t").state == "active"
    assert subtasks(batch, job_id) == []


def test_it_is_kept_and_queued_again_when_local_azure_restarts(tmp_path: Path) -> None:
    config = replace(CONFIG, state_dir=tmp_path)
    with LocalAzure(config) as azure:
        batch = Batch(azure)
        pool_id = connected_pool(batch, 2)
        job_id = batch.create_job(pool_id)
        batch.run(job_id, "ended", "/bin/true", **instances(2))
        again = "test -e ../again || { touch ../again; sleep 1000; }"
        batch.add(job_id, "t", shell(again), **instances(2))
        eventually(lambda: batch.send("HEAD", f"/jobs/{job_id}/tasks/t/files/again").ok)
        before = subtasks(batch, job_id, "ended")
        batch.close()
    with started(config) as azure:
        batch = Batch(azure)
        assert subtasks(batch, job_id, "ended") == before
        assert info(batch.finished(job_id, "t")).exit_code == 0
        assert [one.exit_code for one in subtasks(batch, job_id)] == [0]
        assert {node.running_tasks_count for node in nodes_in(batch, pool_id, "idle")} == {0}
        batch.close()


@pytest.mark.skipif(sys.platform != "linux", reason="adopting orphans is Linux's")
def test_nothing_of_it_runs_when_local_azure_was_killed(tmp_path: Path) -> None:
    found = tmp_path / "found"
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, os.fspath(found)],
        stdin=subprocess.PIPE,
        env={**os.environ, "TMPDIR": os.fspath(tmp_path)},
    )
    with server:
        eventually(lambda: found.exists() and len(found.read_text().split()) == 3 * 2 + 1)
        numbers = [int(number) for number in found.read_text().split()]
        assert all(map(is_running, numbers))
        server.send_signal(signal.SIGKILL)
        server.wait()
        eventually(lambda: not any(map(is_running, numbers)))
