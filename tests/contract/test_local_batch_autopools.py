"""Pools that local Batch makes for jobs and job schedules."""

from __future__ import annotations

import re
from typing import Any

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.contract.batch_fixtures import Batch, eventually
from tests.contract.pool_fixtures import MACHINE, code_of
from tests.contract.test_local_batch_schedules import HOUR, end_job, recent

GUID = r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}"


def auto_pool(lifetime: str = "job", *, nodes: int = 1, **options: Any) -> models.BatchPoolInfo:
    pool = models.BatchPoolSpecification(
        vm_size="Standard_D2_v2", virtual_machine_configuration=MACHINE, target_dedicated_nodes=nodes
    )
    return models.BatchPoolInfo(
        auto_pool_specification=models.BatchAutoPoolSpecification(
            pool_lifetime_option=lifetime, pool=pool, **options
        )
    )


def create_job(batch: Batch, pool: models.BatchPoolInfo, **options: Any) -> models.BatchJob:
    job_id = batch.new_id()
    batch.client.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=pool, **options))
    return batch.client.get_job(job_id)


def is_gone(batch: Batch, pool_id: str) -> bool:
    try:
        batch.client.get_pool(pool_id)
    except ResourceNotFoundError:
        return True
    return False


def test_job_gets_a_pool_of_its_own_that_goes_with_it(batch: Batch) -> None:
    job = create_job(batch, auto_pool(auto_pool_id_prefix="mine"))
    pool_id = job.execution_info.pool_id
    assert re.fullmatch(f"mine{GUID}", pool_id)
    assert job.pool_info.pool_id is None
    specification = batch.send("GET", f"/jobs/{job.id}").json()["poolInfo"]["autoPoolSpecification"]
    assert specification["keepAlive"] is False
    assert specification["pool"] == {
        "vmSize": "standard_d2_v2",
        "virtualMachineConfiguration": MACHINE.as_dict(),
        "taskSlotsPerNode": 1,
        "taskSchedulingPolicy": {"nodeFillType": "Spread", "jobDefaultOrder": "none"},
        "resizeTimeout": "PT15M",
        "targetDedicatedNodes": 1,
        "targetLowPriorityNodes": 0,
        "enableAutoScale": False,
        "enableInterNodeCommunication": False,
    }
    assert batch.run(job.id, "t", "/bin/true").node_info.pool_id == pool_id
    end_job(batch, job.id)
    eventually(lambda: is_gone(batch, pool_id))
    assert batch.client.get_job(job.id).execution_info.pool_id == pool_id


def test_deleted_job_takes_its_pool_along(batch: Batch) -> None:
    job = create_job(batch, auto_pool())
    batch.client.begin_delete_job(job.id, polling_interval=0.02).result()
    eventually(lambda: is_gone(batch, job.execution_info.pool_id))


def test_pool_that_is_kept_alive_outlives_its_job(batch: Batch) -> None:
    job = create_job(batch, auto_pool(nodes=0, keep_alive=True))
    end_job(batch, job.id)
    batch.client.begin_delete_job(job.id, polling_interval=0.02).result()
    pool = batch.client.get_pool(job.execution_info.pool_id)
    assert pool.state == "active"
    batch.client.begin_delete_pool(pool.id)


def test_schedule_keeps_one_pool_for_all_its_jobs(own_batch: Batch) -> None:
    batch = own_batch
    pools = []
    for lifetime in ("jobschedule", "job"):
        schedule_id = f"s-{lifetime}"
        batch.client.create_job_schedule(
            models.BatchJobScheduleCreateOptions(
                id=schedule_id,
                schedule=models.BatchJobScheduleConfiguration(recurrence_interval=HOUR),
                job_specification=models.BatchJobSpecification(pool_info=auto_pool(lifetime, nodes=0)),
            )
        )
        for number in (1, 2):
            recent(batch, schedule_id, number)
            job_id = f"{schedule_id}:job-{number}"
            pools.append(batch.client.get_job(job_id).execution_info.pool_id)
            end_job(batch, job_id)
            batch.azure.clock.advance(HOUR)
    kept, again, first, second = pools
    assert kept == again
    assert len({kept, first, second}) == 3
    eventually(lambda: is_gone(batch, first))
    assert batch.client.get_pool(kept).state == "active"
    batch.client.begin_terminate_job_schedule("s-jobschedule", polling_interval=0.02).result()
    eventually(lambda: is_gone(batch, kept))


def test_job_whose_pool_the_quota_forbids_is_completed_and_says_so(own_batch: Batch) -> None:
    batch = own_batch
    batch.azure.batch.pool_flow.quota = 3
    job = create_job(batch, auto_pool())
    error = job.execution_info.scheduling_error
    assert (job.state, job.execution_info.pool_id) == ("completed", None)
    assert (error.category, error.code) == ("UserError", "AutoPoolCreationFailedWithQuotaReached")


def test_only_keep_alive_of_an_auto_pool_can_be_changed(batch: Batch) -> None:
    job = create_job(batch, auto_pool(nodes=0))
    kept = models.BatchJobUpdateOptions(pool_info=auto_pool(nodes=0, keep_alive=True))
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.update_job(job.id, kept)
    assert code_of(raised) == (409, "OperationInvalidForCurrentState")
    batch.client.begin_disable_job(
        job.id, models.BatchJobDisableOptions(disable_tasks="requeue"), polling_interval=0.02
    ).result()
    with pytest.raises(HttpResponseError) as refused:
        batch.client.update_job(job.id, models.BatchJobUpdateOptions(pool_info=auto_pool(nodes=3)))
    assert code_of(refused) == (400, "InvalidPropertyValue")
    batch.client.update_job(job.id, kept)
    assert batch.client.get_job(job.id).pool_info.auto_pool_specification.keep_alive
    assert batch.client.get_job(job.id).execution_info.pool_id == job.execution_info.pool_id


def test_refused_auto_pools(batch: Batch) -> None:
    with pytest.raises(HttpResponseError) as raised:
        create_job(batch, auto_pool("jobschedule"))
    assert code_of(raised) == (400, "InvalidPropertyValue")
    with pytest.raises(HttpResponseError) as raised:
        create_job(batch, auto_pool(auto_pool_id_prefix="x" * 21))
    assert code_of(raised) == (400, "InvalidPropertyValue")
    both = auto_pool()
    both.pool_id = "cpu"
    with pytest.raises(HttpResponseError) as raised:
        create_job(batch, both)
    assert code_of(raised) == (400, "InvalidPropertyValue")
