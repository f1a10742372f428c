"""Bodies about job schedules."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator

from airflow_provider_batchad.local.batch.durations import parse_duration
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, to_iso
from airflow_provider_batchad.local.batch.wire.jobs import JobSpecification
from airflow_provider_batchad.local.batch.wire.types import (
    DisplayName,
    Duration,
    Id,
    MetadataItem,
    WireModel,
    read_moment,
)


def _check_minute(value: str) -> str:
    if parse_duration(value) < 60 * TICKS_PER_SECOND:
        raise ValueError("The value must be at least 1 minute")
    return value


def _to_utc(value: str) -> str:
    ticks = read_moment(value)
    if ticks <= 0:
        raise ValueError("The value must be later than 1970")
    return to_iso(ticks)


AtLeastAMinute = Annotated[Duration, AfterValidator(_check_minute)]
Moment = Annotated[str, AfterValidator(_to_utc)]


class ScheduleConfiguration(WireModel):
    """``BatchJobScheduleConfiguration``."""

    do_not_run_until: Moment | None = None
    do_not_run_after: Moment | None = None
    start_window: AtLeastAMinute | None = None
    recurrence_interval: AtLeastAMinute | None = None


class JobScheduleUpdate(WireModel):
    """``BatchJobScheduleUpdateOptions``, and of ``BatchJobSchedule`` what a full update may hold."""

    edm_type: ClassVar[str] = f"{WireModel.edm_type}.CloudJobSchedule"

    schedule: ScheduleConfiguration | None = None
    job_specification: JobSpecification | None = None
    metadata: list[MetadataItem] | None = None


class JobScheduleReplace(JobScheduleUpdate):
    """``BatchJobSchedule`` as a full update."""

    job_specification: JobSpecification


class JobScheduleCreate(JobScheduleReplace):
    """``BatchJobScheduleCreateOptions``."""

    id: Id
    display_name: DisplayName | None = None
    schedule: ScheduleConfiguration | None = None
