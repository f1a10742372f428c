"""Pools of local Batch: created, changed, refused, deleted, as Microsoft's client sees them."""

from __future__ import annotations

from typing import Any

import pytest
from azure.batch import models
from azure.core import MatchConditions
from azure.core.exceptions import (
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from tests.contract.batch_fixtures import Batch
from tests.contract.pool_fixtures import MACHINE, code_of, create_pool, steady


def test_pool_exists_once_in_whatever_case(batch: Batch) -> None:
    pool_id = create_pool(batch, nodes=0)
    assert batch.client.pool_exists(pool_id.upper())
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.create_pool(
            models.BatchPoolCreateOptions(
                id=pool_id.upper(), vm_size="small", virtual_machine_configuration=MACHINE
            )
        )
    assert code_of(raised) == (409, "PoolExists")
    with pytest.raises(ResourceNotFoundError):
        batch.client.pool_exists("no-such-pool")
    found = batch.client.list_pools(
        filter=f"id eq '{pool_id}' and allocationState eq 'steady'", select=["id"]
    )
    steady(batch, pool_id)
    assert [pool.id for pool in found] == [pool_id]


def test_deleted_pool_is_deleting_and_then_gone_and_its_tasks_wait_again(batch: Batch) -> None:
    pool_id = create_pool(batch)
    job_id = batch.create_job(pool_id)
    batch.add(job_id, "t", "/bin/sleep 100")
    batch.running(job_id, "t")
    poller = batch.client.begin_delete_pool(pool_id, polling_interval=0.02)
    assert batch.client.get_pool(pool_id).state == "deleting"
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.begin_delete_pool(pool_id)
    assert code_of(raised) == (409, "PoolBeingDeleted")
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.begin_resize_pool(pool_id, models.BatchPoolResizeOptions(target_dedicated_nodes=1))
    assert code_of(raised) == (409, "PoolBeingDeleted")
    poller.result()
    with pytest.raises(ResourceNotFoundError):
        batch.client.get_pool(pool_id)
    task = batch.client.get_task(job_id, "t")
    assert (task.state, task.execution_info.requeue_count) == ("active", 1)
    batch.client.begin_delete_job(job_id)


def test_patch_leaves_the_rest_and_replacement_does_not(batch: Batch) -> None:
    start = models.BatchStartTask(command_line="/bin/true")
    pool_id = create_pool(batch, start_task=start, metadata=[models.BatchMetadataItem(name="a", value="b")])
    before = steady(batch, pool_id)
    item = models.BatchMetadataItem(name="c", value="d")
    batch.client.update_pool(pool_id, models.BatchPoolUpdateOptions(metadata=[item]))
    patched = batch.client.get_pool(pool_id)
    assert (patched.metadata, patched.start_task.command_line) == ([item], "/bin/true")
    assert patched.etag != before.etag
    batch.client.replace_pool_properties(
        pool_id, models.BatchPoolReplaceOptions(application_package_references=[], metadata=[])
    )
    replaced = batch.client.get_pool(pool_id)
    assert (replaced.metadata, replaced.start_task) == (None, None)
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.update_pool(pool_id, models.BatchPoolUpdateOptions(task_slots_per_node=4))
    assert code_of(raised) == (409, "OperationInvalidForCurrentState")


def test_empty_pool_takes_any_change(batch: Batch) -> None:
    pool_id = create_pool(batch, nodes=0)
    batch.client.update_pool(
        pool_id,
        models.BatchPoolUpdateOptions(
            display_name="D",
            vm_size="Standard_A1",
            task_slots_per_node=8,
            task_scheduling_policy=models.BatchTaskSchedulingPolicy(node_fill_type="pack"),
        ),
    )
    pool = batch.client.get_pool(pool_id)
    assert (pool.display_name, pool.vm_size, pool.task_slots_per_node) == ("D", "standard_a1", 8)


def test_conditional_requests_follow_what_users_change(batch: Batch) -> None:
    pool_id = create_pool(batch)
    created = batch.client.get_pool(pool_id)
    settled = steady(batch, pool_id)
    assert (settled.etag, settled.last_modified) == (created.etag, created.last_modified)
    options = models.BatchPoolUpdateOptions(metadata=[])
    with pytest.raises(ResourceModifiedError):
        batch.client.update_pool(pool_id, options, etag="0x1", match_condition=MatchConditions.IfNotModified)
    batch.client.update_pool(
        pool_id, options, etag=created.etag, match_condition=MatchConditions.IfNotModified
    )
    with pytest.raises(ResourceModifiedError):
        batch.client.begin_delete_pool(
            pool_id, etag=created.etag, match_condition=MatchConditions.IfNotModified
        )


@pytest.mark.parametrize(
    ("changes", "code", "name"),
    [
        ({"virtualMachineConfiguration": None}, "InvalidRequestBody", None),
        ({"resizeTimeout": "PT4M"}, "InvalidPropertyValue", "resizeTimeout"),
        ({"taskSlotsPerNode": 257}, "InvalidPropertyValue", "taskSlotsPerNode"),
        ({"targetDedicatedNodes": -1}, "InvalidPropertyValue", "targetDedicatedNodes"),
        ({"enableAutoScale": True}, "InvalidPropertyValue", "targetDedicatedNodes"),
        ({"autoScaleFormula": "$TargetDedicatedNodes=1"}, "InvalidPropertyValue", "autoScaleFormula"),
        ({"unknown": 1}, "InvalidRequestBody", None),
        ({"mountConfiguration": []}, "UnsupportedProperty", "mountConfiguration"),
        ({"networkConfiguration": {"subnetId": "/subscriptions/x"}}, "Forbidden", None),
        (
            {"applicationPackageReferences": [{"applicationId": "x"}]},
            "InvalidApplicationPackageReferences",
            None,
        ),
    ],
)
def test_refused_pools(batch: Batch, changes: dict[str, Any], code: str, name: str | None) -> None:
    body: dict[str, Any] = {
        "id": batch.new_id(),
        "vmSize": "standard_d2s_v3",
        "virtualMachineConfiguration": MACHINE.as_dict(),
        "targetDedicatedNodes": 1,
        **changes,
    }
    if changes.get("virtualMachineConfiguration", 1) is None:
        body["virtualMachineConfiguration"] = "x"
    answer = batch.send("POST", "/pools", body)
    assert answer.json()["code"] == code
    if name is not None:
        assert {"key": "PropertyName", "value": name} in answer.json()["values"]
    assert batch.send("GET", f"/pools/{body['id']}").status_code == 404


def test_pool_shows_no_secret_that_it_was_given(batch: Batch) -> None:
    pool_id = create_pool(
        batch,
        nodes=0,
        user_accounts=[models.UserAccount(name="somebody", password="Tr0ub4dor&3")],
    )
    shown = batch.send("GET", f"/pools/{pool_id}").text
    assert "somebody" in shown
    assert "Tr0ub4dor" not in shown
