"""Multi-instance tasks of local Batch: a primary, its subtasks, and when they start and end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError

from tests.contract.batch_fixtures import Batch, aio_client, eventually, failure, info, shell
from tests.contract.pool_fixtures import create_pool, nodes_in
from tests.contract.test_local_batch_members import check
from tests.contract.test_local_batch_transfers import put


@pytest.fixture(scope="module")
def pool(batch: Batch) -> str:
    """Three nodes that can talk to each other and take a task each."""
    pool_id = create_pool(batch, nodes=3, enable_inter_node_communication=True)
    assert len(nodes_in(batch, pool_id, "idle")) == 3
    return pool_id


@pytest.fixture(autouse=True)
def _nodes_are_free_again(batch: Batch, pool: str) -> Iterator[None]:
    """Every slot that a test has taken is given back."""
    yield
    for job in batch.client.list_jobs(filter="state eq 'active'"):
        batch.send("DELETE", f"/jobs/{job.id}")
    for node in nodes_in(batch, pool, "idle"):
        assert (node.running_tasks_count, node.running_task_slots_count) == (0, 0)


def instances(count: int, script: str = "true", **options: Any) -> dict[str, models.MultiInstanceSettings]:
    settings = models.MultiInstanceSettings(
        number_of_instances=count, coordination_command_line=shell(script), **options
    )
    return {"multi_instance_settings": settings}


def subtasks(batch: Batch, job_id: str, task_id: str = "t") -> list[models.BatchSubtask]:
    return list(batch.client.list_subtasks(job_id, task_id))


def read_file(batch: Batch, subtask: models.BatchSubtask, name: str = "stdout.txt") -> str:
    """A file of a subtask, as the documents say: by its node and its root directory."""
    where = subtask.node_info
    path = f"{where.task_root_directory}/{name}"
    return b"".join(batch.client.download_node_file(where.pool_id, where.node_id, path)).decode()


def is_running(number: int) -> bool:
    try:
        os.kill(number, 0)
        return "State:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_task_runs_on_the_primary_once_all_nodes_are_coordinated(batch: Batch, pool: str) -> None:
    job_id = batch.create_job(pool)
    coordinate = 'touch "$AZ_BATCH_TASK_SHARED_DIR/$AZ_BATCH_NODE_ID"; echo coordinated'
    run = 'ls "$AZ_BATCH_TASK_SHARED_DIR" | grep -c tvmps_'
    task = batch.run(job_id, "t", shell(run), **instances(3, coordinate))
    assert (info(task).exit_code, info(task).result, info(task).retry_count) == (0, "success", 0)
    assert task.multi_instance_settings.number_of_instances == 3
    assert batch.read(job_id, "t") == b"coordinated\n3\n"
    found = subtasks(batch, job_id)
    assert [one.id for one in found] == [1, 2]
    nodes = {one.node_info.node_id for one in found} | {task.node_info.node_id}
    assert len(nodes) == 3
    for one in found:
        assert (one.state, one.exit_code, one.result) == ("completed", 0, "success")
        assert one.previous_state == "running"
        assert one.failure_info is None
        assert task.execution_info.start_time == one.start_time <= one.end_time
        assert one.node_info.task_root_directory == f"workitems/{job_id}/job-1/t"
        assert read_file(batch, one) == "coordinated\n"


def test_nodes_know_each_other_by_the_documented_variables(batch: Batch, pool: str) -> None:
    job_id = batch.create_job(pool)
    task = batch.run(job_id, "t", "/usr/bin/env", **instances(2, "env"))
    (subtask,) = subtasks(batch, job_id)
    (other,) = (node for node in batch.client.list_nodes(pool) if node.id == subtask.node_info.node_id)
    master = batch.client.get_node(pool, task.node_info.node_id)
    primary = dict(line.split("=", 1) for line in batch.read(job_id, "t").decode().splitlines())
    beside = dict(line.split("=", 1) for line in read_file(batch, subtask).splitlines())
    for variables in (primary, beside):
        assert variables["AZ_BATCH_HOST_LIST"] == f"{master.ip_address},{other.ip_address}"
        assert variables["AZ_BATCH_NODE_LIST"] == f"{master.ip_address};{other.ip_address}"
        assert variables["AZ_BATCH_MASTER_NODE"] == f"{master.ip_address}:6000"
        assert variables["CCP_NODES"] == f"2 {master.ip_address} 2 {other.ip_address} 2"
        assert variables["AZ_BATCH_TASK_ID"] == "t"
    assert primary["AZ_BATCH_IS_CURRENT_NODE_MASTER"] == "true"
    assert beside["AZ_BATCH_IS_CURRENT_NODE_MASTER"] == "false"
    assert primary["AZ_BATCH_TASK_SHARED_DIR"] == beside["AZ_BATCH_TASK_SHARED_DIR"]
    assert primary["AZ_BATCH_TASK_DIR"] != beside["AZ_BATCH_TASK_DIR"]
    assert (primary["AZ_BATCH_NODE_ID"], beside["AZ_BATCH_NODE_ID"]) == (master.id, other.id)


def test_common_files_are_on_every_node_and_the_tasks_own_on_the_primary(batch: Batch, pool: str) -> None:
    container = f"{batch.new_id()}-common"
    assert batch.azure.storage.containers.create(container)
    put(batch, container, {"common": b"for all", "own": b"for one"})
    base, query = batch.azure.storage.container_url(container, permissions="rl").split("?")

    def file(name: str) -> models.ResourceFile:
        return models.ResourceFile(http_url=f"{base}/{name}?{query}", file_path=name)

    settings = instances(
        2, 'cat "$AZ_BATCH_TASK_SHARED_DIR/common" ../common; ls', common_resource_files=[file("common")]
    )
    job_id = batch.create_job(pool)
    task = batch.run(job_id, "t", shell("cat own"), resource_files=[file("own")], **settings)
    assert info(task).exit_code == 0
    assert batch.read(job_id, "t") == b"for allfor allfor one"
    assert batch.read(job_id, "t", "common") == b"for all"
    (subtask,) = subtasks(batch, job_id)
    assert read_file(batch, subtask) == "for allfor all"
    assert read_file(batch, subtask, "common") == "for all"


def test_common_file_that_is_missing_is_a_preparation_error(batch: Batch, pool: str) -> None:
    missing = models.ResourceFile(http_url=f"{batch.azure.endpoints.storage}/none", file_path="x")
    job_id = batch.create_job(pool)
    task = batch.run(job_id, "t", "/bin/true", **instances(3, common_resource_files=[missing]))
    assert failure(task).code == "BlobNotFound"
    assert info(task).exit_code is None
    assert {(one.state, one.result) for one in subtasks(batch, job_id)} == {("completed", "failure")}


def test_failed_coordination_fails_the_task_which_is_retried(batch: Batch, pool: str) -> None:
    script = 'test "$AZ_BATCH_IS_CURRENT_NODE_MASTER" = true && sleep 1000; exit 7'
    job_id = batch.create_job(pool)
    task = batch.run(
        job_id,
        "t",
        "/bin/true",
        constraints=models.BatchTaskConstraints(max_task_retry_count=1),
        **instances(2, script),
    )
    assert (info(task).exit_code, info(task).result, info(task).retry_count) == (7, "failure", 1)
    assert failure(task).code == "FailureExitCode"
    (subtask,) = subtasks(batch, job_id)
    assert (subtask.exit_code, subtask.result) == (7, "failure")
    assert subtask.failure_info.code == "FailureExitCode"


def test_exit_code_of_the_primary_is_the_tasks(batch: Batch, pool: str) -> None:
    job_id = batch.create_job(pool)
    task = batch.run(job_id, "t", shell("exit 5"), **instances(2))
    assert (info(task).exit_code, failure(task).code) == (5, "FailureExitCode")
    assert [one.exit_code for one in subtasks(batch, job_id)] == [0]


def test_what_a_coordination_command_leaves_running_ends_with_the_task(batch: Batch, pool: str) -> None:
    job_id = batch.create_job(pool)
    leave = "setsid sleep 1000 & echo $!; sleep 1000 & echo $!"
    check_it = "while ! test -e go; do sleep 0.02; done"
    batch.add(job_id, "t", shell(check_it), **instances(3, leave))
    batch.running(job_id, "t")
    found = subtasks(batch, job_id)
    assert {one.state for one in found} == {"running"}

    def started() -> list[int]:
        texts = [batch.read(job_id, "t").decode(), *(read_file(batch, one) for one in found)]
        numbers = [int(number) for text in texts for number in text.split()]
        return numbers if len(numbers) == 6 else []

    numbers = eventually(started)
    assert all(map(is_running, numbers))
    batch.client.terminate_task(job_id, "t")
    eventually(lambda: not any(map(is_running, numbers)))
    assert {(one.state, one.exit_code) for one in subtasks(batch, job_id)} == {("completed", 0)}


@pytest.mark.parametrize("ending", ["task", "job", "delete task", "delete job", "limit"])
def test_every_end_of_the_task_ends_it_on_all_nodes(batch: Batch, pool: str, ending: str) -> None:
    job_id = batch.create_job(pool)
    limit = models.BatchTaskConstraints(max_wall_clock_time="PT3S") if ending == "limit" else None
    batch.add(job_id, "t", "/bin/true", constraints=limit, **instances(3, "echo $$; exec sleep 1000"))
    batch.running(job_id, "t")
    found = subtasks(batch, job_id)

    def started() -> list[int]:
        numbers = [read_file(batch, one) for one in found]
        return [int(number) for number in numbers] if all(numbers) else []

    numbers = eventually(started)
    if ending == "task":
        batch.client.terminate_task(job_id, "t")
    elif ending == "job":
        batch.client.begin_terminate_job(job_id, {"terminateReason": "x"})
    elif ending == "delete task":
        batch.client.delete_task(job_id, "t")
    elif ending == "delete job":
        batch.client.begin_delete_job(job_id)
    eventually(lambda: not any(map(is_running, numbers)))
    if ending.startswith("delete"):
        for one in found:
            path = f"/pools/{pool}/nodes/{one.node_info.node_id}/files/{one.node_info.task_root_directory}"
            eventually(lambda path=path: batch.send("HEAD", path).status_code == 404)
        return
    task = batch.finished(job_id, "t")
    assert (info(task).exit_code, failure(task).code) == (None, "TaskEnded")
    ended = subtasks(batch, job_id)
    assert {(one.state, one.exit_code, one.result) for one in ended} == {("completed", 137, "failure")}


def test_subtasks_are_as_the_model_has_them_in_each_state(batch: Batch, pool: str) -> None:
    job_id = batch.create_job(
        pool,
        job_preparation_task=models.BatchJobPreparationTask(
            command_line=shell("while ! test -e ../go; do sleep 0.02; done")
        ),
    )
    batch.add(job_id, "t", "/bin/sleep 1000", **instances(2))
    path = f"/jobs/{job_id}/tasks/t"

    def shown(state: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found: list[dict[str, Any]] = batch.send("GET", f"{path}/subtasksinfo").json()["value"]
            return found[0] if found and found[0]["state"] == state else None

        one = eventually(look)
        assert one is not None
        check(one, models.BatchSubtask)
        return one

    preparing = shown("preparing")
    assert set(preparing) == {"id", "nodeInfo", "state", "stateTransitionTime"}
    for node in batch.client.list_nodes(pool):
        root = node_root(batch, pool, node.id)
        if (directory := root / "workitems" / job_id / "job-1" / "jobpreparation").exists():
            (directory / "go").touch()
    running = shown("running")
    assert running["previousState"] == "preparing"
    batch.send("POST", f"{path}/terminate")
    assert shown("completed")["previousState"] == "running"
    selected = batch.send("GET", f"{path}/subtasksinfo?$select=id,state").json()["value"]
    assert selected == [{"id": 1, "state": "completed"}]


def node_root(batch: Batch, pool_id: str, node_id: str) -> Path:
    account_pool = batch.azure.batch.pools.get(pool_id)
    assert account_pool is not None
    node = account_pool.nodes.get(node_id)
    assert node is not None
    return node.root


def test_slots_must_not_be_said_and_the_count_must_be_one_at_least(batch: Batch, pool: str) -> None:
    job_id = batch.create_job(pool)
    for options in ({"required_slots": 1, **instances(2)}, instances(0)):
        with pytest.raises(HttpResponseError) as error:
            batch.add(job_id, "t", "/bin/true", **options)
        assert error.value.status_code == 400
        assert error.value.error.code == "InvalidPropertyValue"


async def test_subtasks_are_listed_by_the_asynchronous_client_too(batch: Batch, pool: str) -> None:
    job_id = batch.create_job(pool)
    batch.run(job_id, "t", "/bin/true", **instances(3))
    async with aio_client(batch) as client:
        assert [one.id async for one in client.list_subtasks(job_id, "t")] == [1, 2]
