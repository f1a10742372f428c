"""Jobs as the REST API shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.directories import task_path
from airflow_provider_batchad.local.batch.job import Job, JobState, TaskCounts
from airflow_provider_batchad.local.batch.ticks import to_etag, to_iso

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.preparation import JobOnNode, NodeTask
    from airflow_provider_batchad.local.batch.run_record import RunRecord


def show_job(job: Job, base_url: str) -> dict[str, Any]:
    """``BatchJob``."""
    shown: dict[str, Any] = {
        "id": job.id,
        "url": f"{base_url}/jobs/{job.id}",
        "eTag": to_etag(job.modified),
        "lastModified": to_iso(job.modified),
        "creationTime": to_iso(job.created),
        "state": job.state,
        "stateTransitionTime": to_iso(job.transition),
    }
    if job.previous_state is not None:
        shown["previousState"] = job.previous_state
        shown["previousStateTransitionTime"] = to_iso(job.previous_transition)
    shown.update(job.properties)
    execution: dict[str, Any] = {"startTime": to_iso(job.start)}
    if job.end:
        execution["endTime"] = to_iso(job.end)
    if job.pool_id:
        execution["poolId"] = job.pool_id
    if job.scheduling_error is not None:
        execution["schedulingError"] = job.scheduling_error
    if job.terminate_reason is not None and job.state is not JobState.ACTIVE:
        execution["terminateReason"] = job.terminate_reason
    shown["executionInfo"] = execution
    return shown


def show_job_on_node(job: Job, place: JobOnNode, base_url: str) -> dict[str, Any]:
    """``BatchJobPreparationAndReleaseTaskStatus``."""
    node = place.node
    node_url = f"{base_url}/pools/{node.pool_id}/nodes/{node.id}"
    retries: dict[str, Any] = {"retryCount": place.preparation.retry_count}
    if place.preparation.last_retry:
        retries["lastRetryTime"] = to_iso(place.preparation.last_retry)
    shown = {
        "poolId": node.pool_id,
        "nodeId": node.id,
        "nodeUrl": node_url,
        "jobPreparationTaskExecutionInfo": _show_node_task(job, place.preparation, node_url) | retries,
    }
    if place.release is not None:
        shown["jobReleaseTaskExecutionInfo"] = _show_node_task(job, place.release, node_url)
    return shown


def _show_node_task(job: Job, run: NodeTask, node_url: str) -> dict[str, Any]:
    directory = task_path(job.id, run.id)
    where = {"taskRootDirectory": directory, "taskRootDirectoryUrl": f"{node_url}/files/{directory}"}
    return show_run(run) | where


def show_run(run: RunRecord) -> dict[str, Any]:
    """What a node's start task and a job's preparation and release there have in common."""
    shown: dict[str, Any] = {"startTime": to_iso(run.start), "state": run.state}
    if run.end:
        shown["endTime"] = to_iso(run.end)
    if run.exit_code is not None:
        shown["exitCode"] = run.exit_code
    if run.failure is not None:
        shown["failureInfo"] = json.loads(run.failure)
    if run.result is not None:
        shown["result"] = run.result
    return shown


def show_counts(counts: TaskCounts) -> dict[str, int]:
    """``BatchTaskCounts`` and ``BatchTaskSlotCounts``."""
    return {
        "active": counts.active,
        "running": counts.running,
        "completed": counts.completed,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
    }
