"""The asynchronous Batch client against pools, nodes and job schedules of local Batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.batch import models
from azure.batch.aio import BatchClient
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from tests.contract.batch_fixtures import Batch
from tests.contract.pool_fixtures import MACHINE
from tests.contract.test_local_batch_aio import client

__all__ = ["client"]


async def comes_true(ask: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(20):
        while not await ask():  # noqa: ASYNC110 - the service tells nobody
            await asyncio.sleep(0.02)


async def ready_pool(batch: Batch, client: BatchClient, *, nodes: int = 1) -> str:
    pool_id = batch.new_id()
    await client.create_pool(
        models.BatchPoolCreateOptions(
            id=pool_id,
            vm_size="small",
            virtual_machine_configuration=MACHINE,
            target_dedicated_nodes=nodes,
            start_task=models.BatchStartTask(command_line="/bin/echo hello"),
        )
    )

    async def is_ready() -> bool:
        states = [node.state async for node in client.list_nodes(pool_id)]
        pool = await client.get_pool(pool_id)
        return states == ["idle"] * nodes and pool.allocation_state == "steady"

    await comes_true(is_ready)
    return pool_id


async def test_pool_from_its_creation_to_its_deletion(batch: Batch, client: BatchClient) -> None:
    pool_id = await ready_pool(batch, client)
    assert await client.pool_exists(pool_id)
    assert pool_id in [pool.id async for pool in client.list_pools(max_results=2)]
    await client.update_pool(pool_id, models.BatchPoolUpdateOptions(metadata=[]))
    await client.replace_pool_properties(
        pool_id, models.BatchPoolReplaceOptions(application_package_references=[], metadata=[])
    )
    resize = await client.begin_resize_pool(
        pool_id, models.BatchPoolResizeOptions(target_dedicated_nodes=2), polling_interval=0.02
    )
    stop = await client.begin_stop_pool_resize(pool_id, polling_interval=0.02)
    await asyncio.gather(resize.result(), stop.result())
    pool = await client.get_pool(pool_id)
    assert (pool.allocation_state, pool.current_dedicated_nodes, pool.start_task) == ("steady", 1, None)
    await client.enable_pool_auto_scale(
        pool_id, models.BatchPoolEnableAutoScaleOptions(auto_scale_formula="$TargetDedicatedNodes=1")
    )
    run = await client.evaluate_pool_auto_scale(
        pool_id, models.BatchPoolEvaluateAutoScaleOptions(auto_scale_formula="$TargetLowPriorityNodes=2")
    )
    assert "$TargetLowPriorityNodes=2" in run.results
    await client.disable_pool_auto_scale(pool_id)
    counts = [one async for one in client.list_pool_node_counts(filter=f"poolId eq '{pool_id}'")]
    assert [one.dedicated.total for one in counts] == [1]
    poller = await client.begin_delete_pool(pool_id, polling_interval=0.02)
    await poller.result()
    with pytest.raises(ResourceNotFoundError):
        await client.get_pool(pool_id)


async def test_node_through_all_that_can_be_done_to_it(batch: Batch, client: BatchClient) -> None:
    pool_id = await ready_pool(batch, client, nodes=2)
    first, second = [node.id async for node in client.list_nodes(pool_id, select=["id"])]
    for begin, options in (
        (client.begin_reboot_node, {"nodeRebootOption": "requeue"}),
        (client.begin_reimage_node, {"nodeReimageOption": "requeue"}),
        (client.begin_deallocate_node, {"nodeDeallocateOption": "requeue"}),
    ):
        poller = await begin(pool_id, first, options, polling_interval=0.02)
        await poller.result()

        async def has_settled() -> bool:
            return (await client.get_node(pool_id, first)).state in ("idle", "deallocated")

        await comes_true(has_settled)
    started = await client.begin_start_node(pool_id, first, polling_interval=0.02)
    await started.result()
    await client.disable_node_scheduling(pool_id, second, {"nodeDisableSchedulingOption": "terminate"})
    assert (await client.get_node(pool_id, second)).state == "offline"
    await client.enable_node_scheduling(pool_id, second)
    user = models.BatchNodeUserCreateOptions(name="somebody", is_admin=True)
    await client.create_node_user(pool_id, second, user)
    with pytest.raises(ResourceExistsError):
        await client.create_node_user(pool_id, second, user)
    await client.replace_node_user(pool_id, second, "somebody", models.BatchNodeUserReplaceOptions())
    await client.delete_node_user(pool_id, second, "somebody")
    assert (await client.get_node_remote_login_settings(pool_id, second)).remote_login_port
    names = [file.name async for file in client.list_node_files(pool_id, second, recursive=True)]
    assert "startup/stdout.txt" in names
    content = await client.download_node_file(pool_id, second, "startup/stdout.txt")
    assert b"".join([block async for block in content]) == b"hello\n"
    assert (await client.get_node_file_properties(pool_id, second, "startup/stdout.txt")).content_length == 6
    await client.delete_node_file(pool_id, second, "startup/stdout.txt")
    poller = await client.begin_remove_nodes(
        pool_id, models.BatchNodeRemoveOptions(node_ids=[second]), polling_interval=0.02
    )
    await poller.result()

    async def is_gone() -> bool:
        return [node.id async for node in client.list_nodes(pool_id)] == [first]

    await comes_true(is_gone)


async def test_schedule_from_its_creation_to_its_deletion(batch: Batch, client: BatchClient) -> None:
    schedule_id = batch.new_id()
    specification = models.BatchJobSpecification(pool_info=models.BatchPoolInfo(pool_id="empty"))
    await client.create_job_schedule(
        models.BatchJobScheduleCreateOptions(id=schedule_id, job_specification=specification)
    )
    assert await client.job_schedule_exists(schedule_id)
    assert schedule_id in [one.id async for one in client.list_job_schedules()]
    assert [job.id async for job in client.list_jobs_from_schedule(schedule_id)] == [f"{schedule_id}:job-1"]
    await client.disable_job_schedule(schedule_id)
    assert (await client.get_job_schedule(schedule_id)).state == "disabled"
    await client.enable_job_schedule(schedule_id)
    await client.update_job_schedule(schedule_id, models.BatchJobScheduleUpdateOptions(metadata=[]))
    await client.replace_job_schedule(schedule_id, models.BatchJobSchedule(job_specification=specification))
    ending = await client.begin_terminate_job_schedule(schedule_id, polling_interval=0.02)
    await ending.result()
    assert (await client.get_job_schedule(schedule_id)).state == "completed"
    going = await client.begin_delete_job_schedule(schedule_id, polling_interval=0.02)
    await going.result()
    with pytest.raises(ResourceNotFoundError):
        await client.get_job_schedule(schedule_id)


async def test_images_and_applications(client: BatchClient) -> None:
    windows = [image.os_type async for image in client.list_supported_images(filter="osType eq 'windows'")]
    assert set(windows) == {"windows"}
    assert [one async for one in client.list_applications()] == []
    with pytest.raises(ResourceNotFoundError):
        await client.get_application("none")
