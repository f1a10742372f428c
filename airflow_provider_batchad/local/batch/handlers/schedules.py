"""Operations on job schedules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_provider_batchad.local.batch.bodies import read_model
from airflow_provider_batchad.local.batch.errors import invalid_property
from airflow_provider_batchad.local.batch.handlers.pools import pick
from airflow_provider_batchad.local.batch.listing import (
    JOB_MEMBERS,
    JOB_OF_SCHEDULE_FILTER,
    SCHEDULE_FILTER,
    SCHEDULE_MEMBERS,
)
from airflow_provider_batchad.local.batch.paging import take_page
from airflow_provider_batchad.local.batch.permissions import AUTO_POOL_OF_SCHEDULE
from airflow_provider_batchad.local.batch.schedule_flow import refuse_closed_schedule
from airflow_provider_batchad.local.batch.schedule_view import show_schedule
from airflow_provider_batchad.local.batch.ticks import parse_moment
from airflow_provider_batchad.local.batch.views import show_job
from airflow_provider_batchad.local.batch.wire.jobs import JobSpecification, build_properties
from airflow_provider_batchad.local.batch.wire.schedules import (
    JobScheduleCreate,
    JobScheduleReplace,
    JobScheduleUpdate,
    ScheduleConfiguration,
)

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.batch.exchange import Exchange
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.job_schedule import JobSchedule


async def create_schedule(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobschedules``."""
    body = await read_model(exchange.request, JobScheduleCreate)
    _require_pools(exchange, body.job_specification)
    schedule = exchange.account.schedule_flow.create(
        body.id,
        configuration=_read_times(exchange, body.schedule),
        job_specification=build_properties(body.job_specification),
        display_name=body.display_name,
        metadata=None if body.metadata is None else [item.to_wire() for item in body.metadata],
    )
    about = f"/jobschedules/{schedule.id}"
    return exchange.empty(201, modified=schedule.modified, about=about, location=True)


async def list_schedules(exchange: Exchange) -> web.StreamResponse:
    """``GET /jobschedules``."""
    query = exchange.query
    query.check_expand()
    selected = query.select(SCHEDULE_MEMBERS)
    page = take_page(exchange.account.schedules.walk, query, query.compile_filter(SCHEDULE_FILTER))
    shown = [pick(show_schedule(schedule, exchange.base_url), selected) for schedule in page.entities]
    return exchange.listing("jobschedules", ",".join(map(json.dumps, shown)), page)


async def get_schedule(exchange: Exchange) -> web.StreamResponse:
    """``GET /jobschedules/{jobScheduleId}``."""
    exchange.query.check_expand()
    selected = exchange.query.select(SCHEDULE_MEMBERS)
    schedule = exchange.schedule()
    exchange.check_conditions(schedule, is_read=True)
    shown = pick(show_schedule(schedule, exchange.base_url), selected)
    return exchange.element("jobschedules", shown, modified=schedule.modified)


async def check_schedule_exists(exchange: Exchange) -> web.StreamResponse:
    """``HEAD /jobschedules/{jobScheduleId}``."""
    schedule = exchange.schedule()
    exchange.check_conditions(schedule, is_read=True)
    return exchange.empty(200, modified=schedule.modified)


async def update_schedule(exchange: Exchange) -> web.StreamResponse:
    """``PATCH /jobschedules/{jobScheduleId}``: only what the body holds changes."""
    body = await read_model(exchange.request, JobScheduleUpdate)
    schedule = _find_open(exchange)
    _require_pools(exchange, body.job_specification)
    times = _read_times(exchange, body.schedule)
    if body.job_specification is not None:
        schedule.job_specification = build_properties(body.job_specification)
    if times is not None:
        schedule.configuration = times
    if body.metadata is not None:
        schedule.metadata = [item.to_wire() for item in body.metadata] or None
    exchange.account.schedule_flow.take_up(schedule, is_rescheduled=times is not None)
    return exchange.empty(200, modified=schedule.modified, about=f"/jobschedules/{schedule.id}")


async def replace_schedule(exchange: Exchange) -> web.StreamResponse:
    """``PUT /jobschedules/{jobScheduleId}``: what the body leaves out goes."""
    body = await read_model(exchange.request, JobScheduleReplace)
    schedule = _find_open(exchange)
    _require_pools(exchange, body.job_specification)
    specification, times = build_properties(body.job_specification), _read_times(exchange, body.schedule)
    schedule.job_specification, schedule.configuration = specification, times
    schedule.metadata = None if not body.metadata else [item.to_wire() for item in body.metadata]
    exchange.account.schedule_flow.take_up(schedule, is_rescheduled=True)
    return exchange.empty(200, modified=schedule.modified, about=f"/jobschedules/{schedule.id}")


async def delete_schedule(exchange: Exchange) -> web.StreamResponse:
    """``DELETE /jobschedules/{jobScheduleId}``."""
    schedule = exchange.schedule()
    exchange.check_conditions(schedule)
    exchange.query.is_true("force")
    exchange.account.schedule_flow.delete(schedule)
    return exchange.empty(202)


async def disable_schedule(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobschedules/{jobScheduleId}/disable``."""
    schedule = exchange.schedule()
    exchange.check_conditions(schedule)
    exchange.account.schedule_flow.disable(schedule)
    return exchange.empty(204, modified=schedule.modified, about=f"/jobschedules/{schedule.id}/disable")


async def enable_schedule(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobschedules/{jobScheduleId}/enable``."""
    schedule = exchange.schedule()
    exchange.check_conditions(schedule)
    exchange.account.schedule_flow.enable(schedule)
    return exchange.empty(204, modified=schedule.modified, about=f"/jobschedules/{schedule.id}/enable")


async def terminate_schedule(exchange: Exchange) -> web.StreamResponse:
    """``POST /jobschedules/{jobScheduleId}/terminate``."""
    schedule = exchange.schedule()
    exchange.check_conditions(schedule)
    exchange.query.is_true("force")
    exchange.account.schedule_flow.terminate(schedule)
    return exchange.empty(202, modified=schedule.modified, about=f"/jobschedules/{schedule.id}/terminate")


async def list_jobs_from_schedule(exchange: Exchange) -> web.StreamResponse:
    """``GET /jobschedules/{jobScheduleId}/jobs``."""
    query = exchange.query
    query.check_expand()
    selected = query.select(JOB_MEMBERS)
    schedule = exchange.schedule()

    def walk(after: str) -> Iterator[tuple[str, Job]]:
        jobs = exchange.account.jobs.walk(after)
        return ((key, job) for key, job in jobs if job.schedule_id == schedule.key)

    page = take_page(walk, query, query.compile_filter(JOB_OF_SCHEDULE_FILTER))
    shown = [pick(show_job(job, exchange.base_url), selected) for job in page.entities]
    return exchange.listing("jobs", ",".join(map(json.dumps, shown)), page)


def _find_open(exchange: Exchange) -> JobSchedule:
    schedule = exchange.schedule()
    exchange.check_conditions(schedule)
    refuse_closed_schedule(schedule)
    return schedule


def _require_pools(exchange: Exchange, specification: JobSpecification | None) -> None:
    if specification is not None and specification.pool_info.auto_pool_specification is not None:
        exchange.require(AUTO_POOL_OF_SCHEDULE)


def _read_times(exchange: Exchange, configuration: ScheduleConfiguration | None) -> dict[str, str] | None:
    if configuration is None:
        return None
    last = configuration.do_not_run_after
    if last is not None:
        first = configuration.do_not_run_until
        ends = parse_moment(last)
        if ends <= exchange.account.ticks.now() or (first is not None and ends <= parse_moment(first)):
            raise invalid_property(
                "doNotRunAfter", last, "The value must be later than now and than doNotRunUntil"
            )
    return configuration.to_wire()
