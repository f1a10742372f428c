"""Which tasks of local Batch run where and when."""

from __future__ import annotations

from pathlib import Path

from azure.batch import models

from tests.contract.batch_fixtures import Batch, eventually, info, shell


def gate(path: Path) -> str:
    """A program that waits until a file is there."""
    return shell(f"while [ ! -e {path} ]; do sleep 0.01; done")


def order_of(batch: Batch, *job_ids: str) -> list[str]:
    tasks = [task for job_id in job_ids for task in batch.client.list_tasks(job_id)]
    started = sorted(tasks, key=lambda task: info(task).start_time)
    return [task.id for task in started if task.id != "gate"]


def test_tasks_of_a_job_start_in_the_order_in_which_they_came(batch: Batch) -> None:
    job_id = batch.create_job(pool="one")
    for task_id in ("c", "a", "b"):
        batch.add(job_id, task_id)
    batch.finished(job_id, "b")
    assert order_of(batch, job_id) == ["c", "a", "b"]


def test_job_of_higher_priority_goes_first(batch: Batch, tmp_path: Path) -> None:
    holder = batch.create_job(pool="one")
    batch.add(holder, "gate", gate(tmp_path / "go"))
    batch.running(holder, "gate")
    low, high = batch.create_job(pool="one", priority=-5), batch.create_job(pool="one", priority=5)
    batch.add(low, "low")
    batch.add(high, "high")
    (tmp_path / "go").touch()
    batch.finished(low, "low")
    assert order_of(batch, low, high) == ["high", "low"]


def test_priority_of_a_waiting_job_can_be_raised(batch: Batch, tmp_path: Path) -> None:
    holder = batch.create_job(pool="one")
    batch.add(holder, "gate", gate(tmp_path / "go"))
    batch.running(holder, "gate")
    first, second = batch.create_job(pool="one"), batch.create_job(pool="one")
    batch.add(first, "first")
    batch.add(second, "second")
    batch.client.update_job(second, models.BatchJobUpdateOptions(priority=1))
    (tmp_path / "go").touch()
    batch.finished(first, "first")
    assert order_of(batch, first, second) == ["second", "first"]


def test_job_runs_no_more_than_its_parallel_tasks(batch: Batch, tmp_path: Path) -> None:
    job_id = batch.create_job(max_parallel_tasks=2)
    for number in range(4):
        batch.add(job_id, f"t{number}", gate(tmp_path / "go"))
    eventually(lambda: batch.counts(job_id).running == 2)
    assert batch.counts(job_id).active == 2
    batch.client.update_job(job_id, models.BatchJobUpdateOptions(max_parallel_tasks=3))
    eventually(lambda: batch.counts(job_id).running == 3)
    (tmp_path / "go").touch()
    eventually(lambda: batch.counts(job_id).succeeded == 4)


def test_tasks_need_their_slots_on_one_node(batch: Batch, tmp_path: Path) -> None:
    job_id = batch.create_job()
    for number in range(2):
        batch.add(job_id, f"big{number}", gate(tmp_path / "go"), required_slots=3)
    for number in range(2):
        batch.running(job_id, f"big{number}")
    batch.add(job_id, "third", required_slots=2)
    batch.add(job_id, "small", required_slots=1)
    counts = batch.client.get_job_task_counts(job_id).task_slot_counts
    assert (counts.running, counts.active) == (6, 3)
    nodes = [batch.client.get_task(job_id, f"big{number}").node_info for number in range(2)]
    assert len({node.node_id for node in nodes if node is not None}) == 2
    (tmp_path / "go").touch()
    batch.finished(job_id, "third")
    batch.finished(job_id, "small")


def test_two_hundred_tasks_on_eight_slots_are_never_more_than_eight(batch: Batch, tmp_path: Path) -> None:
    job_id = batch.create_job()
    script = (
        f"d={tmp_path}; touch $d/$AZ_BATCH_TASK_ID; ls $d | wc -l; sleep 0.02; rm $d/$AZ_BATCH_TASK_ID; "
        "exit ${AZ_BATCH_TASK_ID#t}"
    )
    batch.client.create_tasks(
        job_id,
        [models.BatchTaskCreateOptions(id=f"t{n}", command_line=shell(script)) for n in range(200)],
        max_concurrency=2,
    )
    eventually(lambda: batch.counts(job_id).completed == 200, seconds=60)
    tasks = list(batch.client.list_tasks(job_id))
    assert {task.id: info(task).exit_code for task in tasks} == {f"t{n}": n for n in range(200)}
    together = [int(batch.read(job_id, task.id)) for task in tasks]
    assert max(together) <= 8
    nodes = list(batch.client.list_nodes("cpu"))
    assert all(node.running_tasks_count == 0 and node.state == "idle" for node in nodes)


def test_nodes_of_a_pool_share_the_work(batch: Batch, tmp_path: Path) -> None:
    job_id = batch.create_job()
    for number in range(8):
        batch.add(job_id, f"t{number}", gate(tmp_path / "go"))
    eventually(lambda: batch.counts(job_id).running == 8)
    assert [node.running_tasks_count for node in batch.client.list_nodes("cpu")] == [4, 4]
    dedicated = {one.pool_id: one.dedicated for one in batch.client.list_pool_node_counts()}["cpu"]
    assert dedicated is not None
    assert dedicated.running == 2
    (tmp_path / "go").touch()
    eventually(lambda: batch.counts(job_id).succeeded == 8)


def test_task_with_more_slots_than_any_node_has_holds_up_nobody(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "never", required_slots=5)
    batch.run(job_id, "small", "/bin/true")
    assert batch.client.get_task(job_id, "never").state == "active"
    batch.client.terminate_task(job_id, "never")
    assert batch.finished(job_id, "never").state == "completed"
