"""Jobs, pools and nodes as the REST API shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.directories import task_path
from airflow_provider_batchad.local.batch.job import Job, JobState, TaskCounts
from airflow_provider_batchad.local.batch.ticks import to_etag, to_iso

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.pool import Node, Pool
    from airflow_provider_batchad.local.batch.preparation import JobOnNode, NodeTask

_IMAGE: Final = {
    "publisher": "canonical",
    "offer": "0001-com-ubuntu-server-jammy",
    "sku": "22_04-lts",
    "version": "latest",
}
_NODE_COUNTS: Final = (
    "creating",
    "idle",
    "leavingPool",
    "offline",
    "preempted",
    "rebooting",
    "reimaging",
    "running",
    "starting",
    "startTaskFailed",
    "unusable",
    "unknown",
    "waitingForStartTask",
    "deallocated",
    "deallocating",
    "upgradingOS",
)


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
    execution["poolId"] = job.pool_id
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
    shown: dict[str, Any] = {
        "startTime": to_iso(run.start),
        "state": run.state,
        "taskRootDirectory": directory,
        "taskRootDirectoryUrl": f"{node_url}/files/{directory}",
    }
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


def show_pool(pool: Pool, base_url: str) -> dict[str, Any]:
    """``BatchPool``."""
    created = to_iso(pool.created)
    return {
        "id": pool.id,
        "url": f"{base_url}/pools/{pool.id}",
        "eTag": to_etag(pool.modified),
        "lastModified": to_iso(pool.modified),
        "creationTime": created,
        "state": "active",
        "stateTransitionTime": created,
        "allocationState": "steady",
        "allocationStateTransitionTime": created,
        "vmSize": pool.vm_size,
        "resizeTimeout": "PT15M",
        "currentDedicatedNodes": len(pool.nodes),
        "targetDedicatedNodes": len(pool.nodes),
        "currentLowPriorityNodes": 0,
        "targetLowPriorityNodes": 0,
        "enableAutoScale": False,
        "enableInterNodeCommunication": False,
        "taskSlotsPerNode": pool.slots_per_node,
        "taskSchedulingPolicy": {"nodeFillType": "Spread"},
        "virtualMachineConfiguration": {
            "imageReference": _IMAGE,
            "nodeAgentSKUId": "batch.node.ubuntu 22.04",
        },
    }


def show_node(node: Node, base_url: str) -> dict[str, Any]:
    """``BatchNode``; its public address is one of those that are kept for documentation."""
    allocated = to_iso(node.allocated)
    return {
        "id": node.id,
        "url": f"{base_url}/pools/{node.pool_id}/nodes/{node.id}",
        "state": node.state,
        "schedulingState": "enabled",
        "stateTransitionTime": to_iso(node.transition),
        "lastBootTime": allocated,
        "allocationTime": allocated,
        "ipAddress": f"10.0.{node.number // 250}.{node.number % 250 + 4}",
        "affinityId": f"TVM:{node.id}",
        "vmSize": node.vm_size,
        "totalTasksRun": node.total_tasks_run,
        "runningTasksCount": node.running_tasks,
        "runningTaskSlotsCount": node.slots - node.free_slots,
        "totalTasksSucceeded": node.total_tasks_succeeded,
        "isDedicated": True,
        "endpointConfiguration": {
            "inboundEndpoints": [
                {
                    "name": "SSHRule.0",
                    "protocol": "tcp",
                    "publicIPAddress": "192.0.2.1",
                    "frontendPort": 50_000 + node.number,
                    "backendPort": 22,
                }
            ]
        },
        "nodeAgentInfo": {"version": "1.12.4", "lastUpdateTime": allocated},
        "virtualMachineInfo": {"imageReference": _IMAGE | {"exactVersion": "22.04.202501010"}},
    }


def show_node_counts(pool: Pool) -> dict[str, Any]:
    """``BatchPoolNodeCounts``."""
    dedicated = dict.fromkeys(_NODE_COUNTS, 0)
    for node in pool.nodes.values():
        dedicated[node.state] += 1
    dedicated["total"] = len(pool.nodes)
    spot = dict.fromkeys((*_NODE_COUNTS, "total"), 0)
    return {"poolId": pool.id, "dedicated": dedicated, "lowPriority": spot}
