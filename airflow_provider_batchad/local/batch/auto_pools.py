"""Auto pools: made for a job or for a job schedule, and deleted when that ends."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.pool import PoolState

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.index import IdIndex
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.job_schedule import JobSchedule
    from airflow_provider_batchad.local.batch.packages import Packages
    from airflow_provider_batchad.local.batch.pool import Pool
    from airflow_provider_batchad.local.batch.pool_flow import PoolFlow

# "Job/Task Scheduling Error Codes": what a job shows that has got no pool.
_QUOTA_REACHED = {
    "category": "UserError",
    "code": "AutoPoolCreationFailedWithQuotaReached",
    "message": "The pool quota for the account is reached",
}
_NO_SUCH_PACKAGES = {
    "category": "UserError",
    "code": "InvalidApplicationPackageReferencesInAutoPool",
    "message": "One or more application package references of the auto pool could not be satisfied",
}


class AutoPools:
    """Makes and deletes them."""

    def __init__(self, *, pools: IdIndex[Pool], flow: PoolFlow, packages: Packages) -> None:
        self._pools = pools
        self._packages = packages
        self._flow = flow

    def open(self, job: Job, schedule: JobSchedule | None) -> None:
        """Give a new job its pool, if it is to have one of its own; or say on the job why there is none."""
        spec = job.properties["poolInfo"].get("autoPoolSpecification")
        if spec is None:
            return
        if schedule is not None and spec["poolLifetimeOption"] == "jobschedule":
            # "The Batch service creates the pool when it creates the first job on the schedule."
            if schedule.auto_pool_id is None or schedule.auto_pool_id not in self._pools:
                schedule.auto_pool_id = self._make(job, spec)
            job.auto_pool_id = schedule.auto_pool_id
        else:
            job.auto_pool_id = self._make(job, spec)

    def close_job(self, job: Job) -> None:
        """Delete the pool of a job that has ended."""
        spec = job.properties["poolInfo"].get("autoPoolSpecification")
        if spec is not None and (job.schedule_id is None or spec["poolLifetimeOption"] == "job"):
            self._delete(job.auto_pool_id, spec)

    def close_schedule(self, schedule: JobSchedule) -> None:
        """Delete the pool of a schedule that has ended."""
        spec = schedule.job_specification["poolInfo"].get("autoPoolSpecification")
        if spec is not None:
            self._delete(schedule.auto_pool_id, spec)

    def _make(self, job: Job, spec: dict[str, Any]) -> str | None:
        # Recorded: the id is the prefix and a GUID in upper case.
        pool_id = f"{spec.get('autoPoolIdPrefix', '')}{str(uuid.uuid4()).upper()}"
        try:
            self._packages.check_of_pool(spec["pool"].get("applicationPackageReferences") or ())
        except BatchError:
            job.scheduling_error = _NO_SUCH_PACKAGES
            return None
        try:
            self._flow.create(pool_id, spec["pool"])
        except BatchError:
            job.scheduling_error = _QUOTA_REACHED
            return None
        return pool_id

    def _delete(self, pool_id: str | None, spec: dict[str, Any]) -> None:
        pool = self._pools.get(pool_id) if pool_id is not None else None
        if pool is not None and pool.state is PoolState.ACTIVE and not spec["keepAlive"]:
            self._flow.delete(pool)
