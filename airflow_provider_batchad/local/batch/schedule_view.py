"""Job schedules as the REST API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.ticks import to_etag, to_iso

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job_schedule import JobSchedule


def show_schedule(schedule: JobSchedule, base_url: str) -> dict[str, Any]:
    """``BatchJobSchedule``."""
    shown: dict[str, Any] = {
        "id": schedule.id,
        "url": f"{base_url}/jobschedules/{schedule.id}",
        "eTag": to_etag(schedule.modified),
        "lastModified": to_iso(schedule.modified),
        "creationTime": to_iso(schedule.created),
        "state": schedule.state,
        "stateTransitionTime": to_iso(schedule.transition),
    }
    if schedule.display_name is not None:
        shown["displayName"] = schedule.display_name
    if schedule.previous_state is not None:
        shown["previousState"] = schedule.previous_state
        shown["previousStateTransitionTime"] = to_iso(schedule.previous_transition)
    if schedule.configuration is not None:
        shown["schedule"] = schedule.configuration
    shown["jobSpecification"] = schedule.job_specification
    execution: dict[str, Any] = {}
    if schedule.next_run:
        execution["nextRunTime"] = to_iso(schedule.next_run)
    if schedule.recent_job_id is not None:
        job_id = schedule.recent_job_id
        execution["recentJob"] = {"id": job_id, "url": f"{base_url}/jobs/{job_id}"}
    if schedule.end:
        execution["endTime"] = to_iso(schedule.end)
    shown["executionInfo"] = execution
    if schedule.metadata is not None:
        shown["metadata"] = schedule.metadata
    return shown
