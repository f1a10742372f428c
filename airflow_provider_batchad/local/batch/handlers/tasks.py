"""Operations on tasks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.bodies import read_model
from airflow_provider_batchad.local.batch.errors import BatchError, render_error
from airflow_provider_batchad.local.batch.handlers.pools import pick
from airflow_provider_batchad.local.batch.index import fold
from airflow_provider_batchad.local.batch.listing import SUBTASK_MEMBERS, TASK_FILTER, TASK_MEMBERS
from airflow_provider_batchad.local.batch.paging import take_page
from airflow_provider_batchad.local.batch.subtask_view import show_subtask
from airflow_provider_batchad.local.batch.task import Task, TaskState
from airflow_provider_batchad.local.batch.task_factory import (
    build_constraints,
    check_task,
    dependencies_of,
    make_task,
    render_settings,
)
from airflow_provider_batchad.local.batch.task_flow import refuse_closed
from airflow_provider_batchad.local.batch.task_view import render_task
from airflow_provider_batchad.local.batch.ticks import to_etag, to_iso
from airflow_provider_batchad.local.batch.wire.tasks import TaskCollection, TaskCreate, TaskUpdate

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.batch.exchange import Exchange
    from airflow_provider_batchad.local.batch.job import Job


async def create_task(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobs/{jobId}/tasks``."""
    body = await read_model(exchange.request, TaskCreate)
    job = exchange.job()
    refuse_closed(job)
    task = _add(exchange, job, body)
    return exchange.empty(201, modified=task.modified, about=f"/jobs/{job.id}/tasks/{task.id}", location=True)


async def create_task_collection(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobs/{jobId}/addtaskcollection``: each task is taken or refused by itself."""
    body = await read_model(exchange.request, TaskCollection)
    job = exchange.job()
    refuse_closed(job)
    results = [_try_add(exchange, job, item) for item in body.value]
    # The service answers in an order of its own (recorded); clients must go by the id.
    results.sort(key=lambda result: fold(result["taskId"]))
    return exchange.text("taskaddresult", json.dumps({"value": results})[1:-1])


async def list_tasks(exchange: Exchange) -> web.StreamResponse:
    """``GET /jobs/{jobId}/tasks``."""
    query = exchange.query
    query.check_expand()
    selected = query.select(TASK_MEMBERS)
    predicate = query.compile_filter(TASK_FILTER)
    job = exchange.job()
    page = take_page(job.tasks.walk, query, predicate)
    values = (f"{{{render_task(job, task, exchange.base_url, selected)}}}" for task in page.entities)
    return exchange.listing("tasks", ",".join(values), page)


async def get_task(exchange: Exchange) -> web.StreamResponse:
    """``GET /jobs/{jobId}/tasks/{taskId}``."""
    exchange.query.check_expand()
    selected = exchange.query.select(TASK_MEMBERS)
    job, task = exchange.job_and_task()
    exchange.check_conditions(task, is_read=True)
    members = render_task(job, task, exchange.base_url, selected)
    return exchange.text("tasks/@Element", members, modified=task.modified)


async def list_subtasks(exchange: Exchange) -> web.StreamResponse:
    """``GET /jobs/{jobId}/tasks/{taskId}/subtasksinfo``: without the primary, which is the task itself."""
    selected = exchange.query.select(SUBTASK_MEMBERS)
    job, task = exchange.job_and_task()
    subtasks = task.execution.subtasks if task.execution is not None else ()
    shown = (pick(show_subtask(job, task, one, exchange.base_url), selected) for one in subtasks)
    return exchange.text("subtaskinfo", f'"value":[{",".join(map(json.dumps, shown))}]')


async def replace_task(exchange: Exchange) -> web.StreamResponse:
    """``PUT /jobs/{jobId}/tasks/{taskId}``: its constraints; what the body leaves out goes to its default."""
    body = await read_model(exchange.request, TaskUpdate)
    job, task = _find_changeable(exchange)
    if task.state is TaskState.COMPLETED:
        raise BatchError("TaskCompleted")
    constraints = build_constraints(body.constraints, job.properties["constraints"]["maxTaskRetryCount"])
    task.settings = render_settings(task.read_definition()["userIdentity"], constraints, task.slots)
    task.modified = exchange.account.ticks.now()
    return exchange.empty(200, modified=task.modified, about=f"/jobs/{job.id}/tasks/{task.id}")


async def delete_task(exchange: Exchange) -> web.StreamResponse:
    """``DELETE /jobs/{jobId}/tasks/{taskId}``."""
    job, task = exchange.job_and_task()
    exchange.check_conditions(task)
    await exchange.account.task_flow.delete(job, task)
    return exchange.empty(200)


async def terminate_task(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobs/{jobId}/tasks/{taskId}/terminate``."""
    job, task = _find_changeable(exchange)
    await exchange.account.task_flow.terminate(job, task)
    return exchange.empty(204, modified=task.modified, about=f"/jobs/{job.id}/tasks/{task.id}/terminate")


async def reactivate_task(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobs/{jobId}/tasks/{taskId}/reactivate``."""
    job, task = _find_changeable(exchange)
    exchange.account.task_flow.reactivate(job, task)
    return exchange.empty(204, modified=task.modified)


def _find_changeable(exchange: Exchange) -> tuple[Job, Task]:
    job, task = exchange.job_and_task()
    exchange.check_conditions(task)
    refuse_closed(job)
    return job, task


def _add(exchange: Exchange, job: Job, body: TaskCreate) -> Task:
    check_task(job, body, exchange.account.packages)
    task = make_task(job, body, exchange.account.ticks.now())
    exchange.account.task_flow.add(job, task, dependencies_of(body))
    return task


def _try_add(exchange: Exchange, job: Job, body: TaskCreate) -> dict[str, Any]:
    try:
        task = _add(exchange, job, body)
    except BatchError as error:
        ticks = exchange.account.ticks.now()
        rendered = render_error(error, request_id=exchange.request_id, ticks=ticks)
        return {"status": "ClientError", "taskId": body.id, "error": rendered}
    return {
        "status": "Success",
        "taskId": task.id,
        "eTag": to_etag(task.modified),
        "lastModified": to_iso(task.modified),
        "location": f"{exchange.base_url}/jobs/{job.id}/tasks/{task.id}",
    }
