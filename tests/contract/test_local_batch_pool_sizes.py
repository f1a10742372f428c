"""How large pools of local Batch are: resized, scaled, preempted, packed, within quotas."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from azure.batch import models
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
)

from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import CONFIG, Batch, eventually, shell
from tests.contract.pool_fixtures import MACHINE, code_of, create_pool, nodes_in, pool_when, steady


def test_pool_grows_to_its_size_and_runs_tasks_that_waited_for_it(batch: Batch) -> None:
    job_id = batch.create_job("later-pool")
    batch.add(job_id, "t", "/bin/echo hello")
    batch.client.create_pool(
        models.BatchPoolCreateOptions(
            id="Later-Pool",
            vm_size="Standard_D2s_v3",
            virtual_machine_configuration=MACHINE,
            target_dedicated_nodes=2,
            task_slots_per_node=2,
            metadata=[models.BatchMetadataItem(name="a", value="b")],
        )
    )
    pool = batch.client.get_pool("later-pool")
    assert (pool.id, pool.state, pool.allocation_state) == ("Later-Pool", "active", "resizing")
    assert (pool.vm_size, pool.current_dedicated_nodes, pool.target_dedicated_nodes) == (
        "standard_d2s_v3",
        0,
        2,
    )
    assert (pool.resize_timeout, pool.task_slots_per_node) == (dt.timedelta(minutes=15), 2)
    assert pool.metadata == [models.BatchMetadataItem(name="a", value="b")]
    assert steady(batch, pool.id).current_dedicated_nodes == 2
    assert batch.finished(job_id, "t").node_info.pool_id == "Later-Pool"
    assert all(node.is_dedicated for node in nodes_in(batch, pool.id, "idle"))


def test_resize_changes_both_kinds_of_nodes(batch: Batch) -> None:
    pool_id = create_pool(batch, nodes=2)
    nodes_in(batch, pool_id, "idle")
    steady(batch, pool_id)
    batch.client.begin_resize_pool(
        pool_id,
        models.BatchPoolResizeOptions(target_dedicated_nodes=1, target_low_priority_nodes=2),
        polling_interval=0.02,
    )
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.begin_resize_pool(pool_id, models.BatchPoolResizeOptions(target_dedicated_nodes=5))
    assert code_of(raised) == (409, "PoolBeingResized")
    pool = steady(batch, pool_id)
    assert (pool.current_dedicated_nodes, pool.current_low_priority_nodes) == (1, 2)
    nodes = nodes_in(batch, pool_id, "idle")
    assert sorted((node.is_dedicated, node.id[-2:]) for node in nodes) == [
        (False, "_p"),
        (False, "_p"),
        (True, "_d"),
    ]
    counts = next(iter(batch.client.list_pool_node_counts(filter=f"poolId eq '{pool_id}'")))
    assert (counts.dedicated.idle, counts.dedicated.total) == (1, 1)
    assert (counts.low_priority.idle, counts.low_priority.total) == (2, 2)


@pytest.mark.parametrize(
    ("option", "state", "requeues"),
    [("requeue", "active", 1), ("terminate", "completed", 0), ("taskcompletion", "completed", 0)],
)
def test_shrinking_pool_does_with_its_tasks_as_it_is_told(
    batch: Batch, option: str, state: str, requeues: int, tmp_path: Path
) -> None:
    pool_id = create_pool(batch)
    job_id = batch.create_job(pool_id)
    batch.add(job_id, "t", shell(f"until test -e {tmp_path}/go; do sleep 0.02; done"))
    batch.running(job_id, "t")
    steady(batch, pool_id)
    resizing = batch.client.begin_resize_pool(
        pool_id,
        models.BatchPoolResizeOptions(target_dedicated_nodes=0, node_deallocation_option=option),
        polling_interval=0.02,
    )
    if option == "taskcompletion":
        (tmp_path / "go").touch()
    resizing.result()
    pool_when(batch, pool_id, lambda pool: pool.current_dedicated_nodes == 0)
    task = batch.client.get_task(job_id, "t")
    assert (task.state, task.execution_info.requeue_count) == (state, requeues)
    if state == "completed":
        assert task.execution_info.result == ("success" if option == "taskcompletion" else "failure")
        lost = batch.send("GET", f"/jobs/{job_id}/tasks/t/files/stdout.txt")
        assert (lost.status_code, lost.json()["code"]) == (404, "NodeNotFound")
    batch.client.begin_delete_job(job_id)


def test_stopped_resize_keeps_the_present_size_and_the_etag(batch: Batch) -> None:
    pool_id = create_pool(batch, nodes=3)
    created = batch.client.get_pool(pool_id)
    batch.client.begin_stop_pool_resize(pool_id, polling_interval=0.02)
    assert batch.client.get_pool(pool_id).allocation_state == "stopping"
    pool = steady(batch, pool_id)
    assert (pool.current_dedicated_nodes, pool.target_dedicated_nodes) == (0, 3)
    assert [error.code for error in pool.resize_errors] == ["ResizeStopped"]
    assert pool.etag == created.etag
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.begin_stop_pool_resize(pool_id)
    assert code_of(raised) == (409, "OperationInvalidForCurrentState")


def test_autoscale_sets_the_size_and_follows_the_clock(own_batch: Batch) -> None:
    batch = own_batch
    pool_id = create_pool(batch, nodes=1)
    steady(batch, pool_id)
    batch.client.enable_pool_auto_scale(
        pool_id,
        models.BatchPoolEnableAutoScaleOptions(
            auto_scale_formula="n = 1 + 1;\n$TargetDedicatedNodes = min(n, 5);",
            auto_scale_evaluation_interval=dt.timedelta(minutes=6),
        ),
    )
    pool = pool_when(batch, pool_id, lambda pool: pool.current_dedicated_nodes == 2)
    assert pool.enable_auto_scale
    assert pool.auto_scale_evaluation_interval == dt.timedelta(minutes=6)
    assert pool.auto_scale_run.results == (
        "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue"
    )
    first = steady(batch, pool_id).auto_scale_run.timestamp
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.begin_resize_pool(pool_id, models.BatchPoolResizeOptions(target_dedicated_nodes=5))
    assert code_of(raised) == (409, "OperationInvalidForCurrentState")
    batch.azure.clock.advance(361)
    pool_when(batch, pool_id, lambda pool: pool.auto_scale_run.timestamp > first)
    again = models.BatchPoolEnableAutoScaleOptions(auto_scale_formula="$TargetDedicatedNodes = 0")
    before = batch.client.get_pool(pool_id).etag
    batch.client.enable_pool_auto_scale(pool_id, again)
    enabled = batch.client.get_pool(pool_id)
    assert enabled.etag != before
    batch.client.disable_pool_auto_scale(pool_id)
    disabled = batch.client.get_pool(pool_id)
    assert (disabled.enable_auto_scale, disabled.allocation_state) == (False, "stopping")
    assert disabled.etag != enabled.etag
    assert disabled.auto_scale_run is None
    steady(batch, pool_id)
    with pytest.raises(HttpResponseError) as refused:
        batch.client.enable_pool_auto_scale(pool_id, again)
    assert code_of(refused) == (503, "TooManyEnableAutoScaleRequests")


def test_autoscale_formula_is_evaluated_without_a_change(batch: Batch) -> None:
    pool_id = create_pool(
        batch, nodes=None, enable_auto_scale=True, auto_scale_formula="$TargetDedicatedNodes=1"
    )
    steady(batch, pool_id)

    def evaluate(formula: str) -> models.AutoScaleRun:
        return batch.client.evaluate_pool_auto_scale(
            pool_id, models.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula=formula)
        )

    run = evaluate("$TargetDedicatedNodes=3; $NodeDeallocationOption = taskcompletion;")
    assert run.results == (
        "$TargetDedicatedNodes=3;$TargetLowPriorityNodes=0;$NodeDeallocationOption=taskcompletion"
    )
    assert run.error is None
    failed = evaluate("something_else")
    assert failed.results.startswith("$TargetDedicatedNodes=1;")
    assert failed.error.code == "AutoScalingFormulaEvaluationError"
    assert failed.error.error_values[0].value == "Line 1, Col 1: Undefined symbol: something_else"
    assert evaluate("a=$PendingTasks.GetSample(1);").error.error_values[0].value == (
        "Line 1, Col 3: Undefined symbol: $PendingTasks"
    )
    with pytest.raises(HttpResponseError) as raised:
        evaluate("$TargetDedicatedNodes = ")
    assert code_of(raised) == (400, "AutoScalingFormulaSyntaxError")
    with pytest.raises(HttpResponseError) as raised:
        evaluate("1+" * 5000)
    assert code_of(raised) == (400, "AutoScalingFormulaTooLong")
    assert batch.client.get_pool(pool_id).target_dedicated_nodes == 1


def test_quota_of_pools_and_of_cores(own_batch: Batch) -> None:
    batch = own_batch
    batch.azure.batch.pool_flow.quota = 4
    batch.azure.batch.pool_flow.core_quota = 30
    pool_id = create_pool(batch, nodes=30)
    with pytest.raises(ResourceExistsError) as raised:
        create_pool(batch)
    assert code_of(raised) == (409, "PoolQuotaReached")
    pool = steady(batch, pool_id)
    # Three nodes of two cores were there before.
    assert (pool.current_dedicated_nodes, pool.target_dedicated_nodes) == (12, 30)
    assert [error.code for error in pool.resize_errors] == ["AccountCoreQuotaReached"]


def test_preempted_spot_nodes_give_their_tasks_back_and_return_with_their_ids(own_batch: Batch) -> None:
    batch = own_batch
    pool_id = create_pool(batch, nodes=0, spot=1)
    job_id = batch.create_job(pool_id)
    batch.add(job_id, "t", shell("echo $AZ_BATCH_NODE_IS_DEDICATED; test -f ../../again || sleep 100"))
    batch.running(job_id, "t")
    (node,) = batch.client.list_nodes(pool_id)
    assert batch.azure.preempt_nodes(pool_id) == (node.id,)
    (gone,) = nodes_in(batch, pool_id, "preempted")
    waiting = eventually(
        lambda: next(iter(batch.client.list_tasks(job_id, filter="state eq 'active'")), None)
    )
    assert waiting is not None
    execution = waiting.execution_info
    assert (execution.requeue_count, execution.retry_count) == (0, 0)
    pool = batch.client.get_pool(pool_id)
    assert (pool.current_low_priority_nodes, pool.target_low_priority_nodes) == (1, 1)
    batch.azure.clock.advance(61)
    (back,) = nodes_in(batch, pool_id, "idle", "running")
    assert back.id == gone.id
    batch.running(job_id, "t")
    assert batch.azure.preempt_nodes(pool_id, node_ids=[node.id], back_after_seconds=None) == (node.id,)
    nodes_in(batch, pool_id, "preempted")
    with pytest.raises(KeyError):
        batch.azure.preempt_nodes("cpu", node_ids=["no-such-node"])


def test_preemption_on_the_control_port() -> None:
    with LocalAzure(CONFIG) as azure:
        batch = Batch(azure)
        pool_id = create_pool(batch, nodes=0, spot=2)
        nodes = nodes_in(batch, pool_id, "idle")
        url = f"{azure.endpoints.control}/batch/pools/{pool_id}/preempt"
        first = nodes[0].id
        answer = batch.session.post(url, json={"node_ids": [first], "back_after_seconds": None}, timeout=30)
        assert answer.json() == {"preempted": [first]}
        states = {node.id: node.state for node in batch.client.list_nodes(pool_id)}
        assert states == {first: "preempted", nodes[1].id: "idle"}
        assert batch.session.post(url, json={"node_ids": ["x"]}, timeout=30).status_code == 404
        batch.close()


def test_pack_fills_one_node_before_the_next(batch: Batch) -> None:
    pool_id = create_pool(
        batch,
        nodes=2,
        task_slots_per_node=2,
        task_scheduling_policy=models.BatchTaskSchedulingPolicy(node_fill_type="Pack"),
    )
    nodes_in(batch, pool_id, "idle")
    job_id = batch.create_job(pool_id)
    for name in ("a", "b"):
        batch.add(job_id, name, "/bin/sleep 100")
        batch.running(job_id, name)
    assert {node.running_tasks_count for node in batch.client.list_nodes(pool_id)} == {0, 2}
    batch.client.begin_delete_job(job_id)
