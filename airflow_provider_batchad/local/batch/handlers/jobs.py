"""Operations on jobs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.bodies import read_model
from airflow_provider_batchad.local.batch.errors import BatchError, invalid_property
from airflow_provider_batchad.local.batch.job import Job, JobState
from airflow_provider_batchad.local.batch.listing import (
    JOB_FILTER,
    JOB_MEMBERS,
    PREPARATION_FILTER,
    PREPARATION_MEMBERS,
)
from airflow_provider_batchad.local.batch.paging import take_page
from airflow_provider_batchad.local.batch.permissions import AUTO_POOL
from airflow_provider_batchad.local.batch.task_flow import refuse_closed
from airflow_provider_batchad.local.batch.views import show_counts, show_job, show_job_on_node
from airflow_provider_batchad.local.batch.wire.jobs import (
    JobCreate,
    JobDisable,
    JobTerminate,
    JobUpdate,
    PoolInfo,
    build_constraints,
    build_pool_info,
    build_properties,
)
from airflow_provider_batchad.local.batch.wire.types import refuse_unsupported

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.batch.exchange import Exchange

# Counts of tasks and slots apart came with this version; before, the counts of tasks were the whole answer.
_FIRST_WITH_SLOT_COUNTS = "2020-09"


async def create_job(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobs``."""
    body = await read_model(exchange.request, JobCreate)
    auto_pool = body.pool_info.auto_pool_specification
    if auto_pool is not None:
        exchange.require(AUTO_POOL)
        if auto_pool.pool_lifetime_option == "jobschedule":
            # "You may apply this option only to job schedules, not to jobs" (BatchPoolLifetimeOption).
            raise invalid_property(
                "poolLifetimeOption", "jobschedule", "The value applies to job schedules, not to jobs"
            )
    if body.job_manager_task is not None:
        references = body.job_manager_task.application_package_references or ()
        exchange.account.packages.check(one.to_wire() for one in references)
    job = exchange.account.job_flow.create(body.id, build_properties(body))
    # Recorded, whatever the job's id: the service names its own first run of the job.
    return exchange.empty(201, modified=job.modified, about="/jobs/job-1", location=True)


async def list_jobs(exchange: Exchange) -> web.StreamResponse:
    """``GET /jobs``."""
    query = exchange.query
    query.check_expand()
    selected = query.select(JOB_MEMBERS)
    page = take_page(exchange.account.jobs.walk, query, query.compile_filter(JOB_FILTER))
    values = ",".join(json.dumps(_pick(show_job(job, exchange.base_url), selected)) for job in page.entities)
    return exchange.listing("jobs", values, page)


async def get_job(exchange: Exchange) -> web.StreamResponse:
    """``GET /jobs/{jobId}``."""
    exchange.query.check_expand()
    selected = exchange.query.select(JOB_MEMBERS)
    job = exchange.job()
    exchange.check_conditions(job, is_read=True)
    shown = _pick(show_job(job, exchange.base_url), selected)
    return exchange.element("jobs", shown, modified=job.modified)


async def update_job(exchange: Exchange) -> web.StreamResponse:
    """``PATCH /jobs/{jobId}``: only what the body holds changes."""
    body = await read_model(exchange.request, JobUpdate)
    job = _find_open(exchange)
    refuse_unsupported(body, "network_configuration")
    changes = body.to_wire()
    if "constraints" in changes:
        # Recorded: what the new ones leave out goes back to its default.
        changes["constraints"] = build_constraints(body.constraints)
    return _apply(exchange, job, body, changes)


async def replace_job(exchange: Exchange) -> web.StreamResponse:
    """``PUT /jobs/{jobId}``: what the body leaves out goes back to its default."""
    body = await read_model(exchange.request, JobUpdate)
    job = _find_open(exchange)
    refuse_unsupported(body, "network_configuration")
    if body.pool_info is None:
        raise BatchError("MissingRequiredProperty", (("PropertyName", "poolInfo"),))
    defaults = {
        "priority": 0,
        "maxParallelTasks": -1,
        "allowTaskPreemption": False,
        "onAllTasksComplete": "noaction",
    }
    changes = defaults | body.to_wire() | {"constraints": build_constraints(body.constraints)}
    changes.setdefault("metadata", None)
    return _apply(exchange, job, body, changes)


async def delete_job(exchange: Exchange) -> web.StreamResponse:
    """``DELETE /jobs/{jobId}``."""
    job = exchange.job()
    exchange.check_conditions(job)
    exchange.account.job_flow.delete(job)
    return exchange.empty(202)


async def disable_job(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobs/{jobId}/disable``."""
    body = await read_model(exchange.request, JobDisable)
    job = exchange.job()
    exchange.check_conditions(job)
    exchange.account.job_flow.disable(job, body.disable_tasks)
    return exchange.empty(202, modified=job.modified, about=f"/jobs/{job.id}/disable")


async def enable_job(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobs/{jobId}/enable``."""
    job = exchange.job()
    exchange.check_conditions(job)
    exchange.account.job_flow.enable(job)
    return exchange.empty(202, modified=job.modified, about=f"/jobs/{job.id}/enable")


async def terminate_job(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobs/{jobId}/terminate``, with or without a body."""
    body = await read_model(exchange.request, JobTerminate, or_empty=True)
    job = exchange.job()
    exchange.check_conditions(job)
    exchange.account.job_flow.terminate(job, body.terminate_reason)
    return exchange.empty(202, modified=job.modified, about=f"/jobs/{job.id}/terminate")


async def get_task_counts(exchange: Exchange) -> web.StreamResponse:
    """``GET /jobs/{jobId}/taskcounts``."""
    job = exchange.job()
    counts: dict[str, Any] = dict(show_counts(job.counts))
    if exchange.version >= _FIRST_WITH_SLOT_COUNTS:
        counts = {"taskCounts": counts, "taskSlotCounts": show_counts(job.slot_counts)}
    return exchange.element("taskcounts", counts)


async def list_preparation_status(exchange: Exchange) -> web.StreamResponse:
    """``GET /jobs/{jobId}/jobpreparationandreleasetaskstatus``."""
    query = exchange.query
    selected = query.select(PREPARATION_MEMBERS)
    predicate = query.compile_filter(PREPARATION_FILTER)
    job = exchange.job()
    if job.preparation_id is None:
        raise BatchError("JobPreparationTaskOrReleaseTaskNotSpecified")
    places = sorted((place.node.id, place) for place in job.on_nodes.values())
    page = take_page(lambda after: (one for one in places if one[0] > after), query, predicate)
    shown = (_pick(show_job_on_node(job, place, exchange.base_url), selected) for place in page.entities)
    values = ",".join(map(json.dumps, shown))
    return exchange.listing("jobpreparationandreleasetaskstatuslist", values, page)


def _find_open(exchange: Exchange) -> Job:
    job = exchange.job()
    exchange.check_conditions(job)
    refuse_closed(job)
    return job


def _apply(exchange: Exchange, job: Job, body: JobUpdate, changes: dict[str, Any]) -> web.StreamResponse:
    _check_mode(job, changes)
    old_pool = job.pool_id
    if body.pool_info is not None:
        _check_pool_change(job, body.pool_info)
    job.properties = {name: value for name, value in (job.properties | changes).items() if value is not None}
    job.modified = exchange.account.ticks.now()
    account = exchange.account
    if "constraints" in changes:
        account.job_flow.apply_constraints(job)
    if job.pool_id != old_pool or job.state is JobState.ACTIVE:
        account.scheduler.wake(job)
    account.job_flow.settle(job)
    return exchange.empty(200, modified=job.modified, about=f"/jobs/{job.id}")


def _check_mode(job: Job, changes: dict[str, Any]) -> None:
    # BatchJobUpdateOptions: "You may not change the value from terminatejob to noaction".
    if changes.get("onAllTasksComplete") == "noaction" and (
        job.properties["onAllTasksComplete"] == "terminatejob"
    ):
        raise invalid_property(
            "onAllTasksComplete", "noaction", "The value cannot be changed from terminatejob to noaction"
        )


def _check_pool_change(job: Job, pool: PoolInfo) -> None:
    # Update Job: a job's pool can be changed only while it is disabled.
    wanted = build_pool_info(pool)
    present = job.properties["poolInfo"]
    if wanted == present:
        return
    if job.state is not JobState.DISABLED:
        raise BatchError("OperationInvalidForCurrentState")
    # BatchJobUpdateOptions: of an auto pool "only the keepAlive property … can be updated".
    changed = {"keepAlive": wanted.get("autoPoolSpecification", {}).get("keepAlive")}
    if _auto_pool(wanted) != _auto_pool(present) | (changed if _auto_pool(present) else {}):
        raise invalid_property("poolInfo", "autoPoolSpecification", "Only keepAlive can be changed")


def _auto_pool(pool_info: dict[str, Any]) -> dict[str, Any]:
    specification: dict[str, Any] = pool_info.get("autoPoolSpecification", {})
    return specification


def _pick(shown: dict[str, Any], selected: frozenset[str] | None) -> dict[str, Any]:
    if selected is None:
        return shown
    return {name: value for name, value in shown.items() if name in selected}
