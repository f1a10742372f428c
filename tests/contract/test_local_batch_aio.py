"""The asynchronous Batch client against local Batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from azure.batch import models
from azure.batch.aio import BatchClient
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from tests.contract.batch_fixtures import Batch, aio_client


@pytest.fixture
async def client(batch: Batch) -> AsyncIterator[BatchClient]:
    async with aio_client(batch) as client:
        yield client


async def test_job_from_its_creation_to_its_deletion(batch: Batch, client: BatchClient) -> None:
    job_id = batch.new_id()
    pool = models.BatchPoolInfo(pool_id="cpu")
    await client.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=pool))
    with pytest.raises(ResourceExistsError):
        await client.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=pool))
    tasks = [
        models.BatchTaskCreateOptions(id=f"t{n}", command_line=f"/bin/sh -c 'echo {n}; exit {n % 2}'")
        for n in range(120)
    ]
    await client.create_tasks(job_id, tasks, max_concurrency=2)
    await client.update_job(job_id, models.BatchJobUpdateOptions(all_tasks_complete_mode="terminatejob"))
    async with asyncio.timeout(30):
        while (await client.get_job(job_id)).state != "completed":  # noqa: ASYNC110 - the service tells nobody
            await asyncio.sleep(0.02)
    counts = (await client.get_job_task_counts(job_id)).task_counts
    assert (counts.succeeded, counts.failed) == (60, 60)
    failed = [
        task.id
        async for task in client.list_tasks(
            job_id, filter="executionInfo/result eq 'failure'", select=["id"], max_results=7
        )
    ]
    assert sorted(failed) == sorted(f"t{n}" for n in range(1, 120, 2))
    stream = await client.download_task_file(job_id, "t7", "stdout.txt")
    assert b"".join([block async for block in stream]) == b"7\n"
    files = [file.name async for file in client.list_task_files(job_id, "t7")]
    assert files == ["stderr.txt", "stdout.txt", "wd"]
    poller = await client.begin_delete_job(job_id, polling_interval=0)
    await poller.wait()
    with pytest.raises(ResourceNotFoundError):
        await client.get_job(job_id)


async def test_task_is_terminated_and_reactivated(batch: Batch, client: BatchClient) -> None:
    job_id = batch.create_job(pool="empty")
    await client.create_task(job_id, models.BatchTaskCreateOptions(id="t", command_line="/bin/true"))
    await client.terminate_task(job_id, "t")
    assert (await client.get_task(job_id, "t")).state == "completed"
    await client.reactivate_task(job_id, "t")
    assert (await client.get_task(job_id, "t")).state == "active"
    await client.delete_task(job_id, "t")


async def test_job_is_terminated_with_a_reason(batch: Batch, client: BatchClient) -> None:
    job_id = batch.create_job()
    poller = await client.begin_terminate_job(
        job_id,
        options=models._models.BatchJobTerminateOptions(termination_reason="why"),
        polling_interval=0,
    )
    await poller.wait()
    job = await client.get_job(job_id)
    assert job.execution_info is not None
    assert (job.state, job.execution_info.termination_reason) == ("completed", "why")


async def test_pools_and_counts(client: BatchClient) -> None:
    assert [pool.id async for pool in client.list_pools()] == ["cpu", "empty", "one"]
    assert [one.pool_id async for one in client.list_pool_node_counts(filter="poolId eq 'one'")] == ["one"]
