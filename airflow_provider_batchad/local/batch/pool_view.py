"""Pools and nodes as the REST API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.node import Node, NodeState
from airflow_provider_batchad.local.batch.pool import AllocationState, Pool
from airflow_provider_batchad.local.batch.ticks import to_etag, to_iso
from airflow_provider_batchad.local.batch.views import show_run

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.autoscale import AutoScaleRun
    from airflow_provider_batchad.local.batch.run_record import RunRecord

# ``BatchNodeCounts``; its names are the states' with capitals.
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
_COUNT_OF_STATE: Final = {name.lower(): name for name in _NODE_COUNTS}
# Kept for documentation (RFC 5737, RFC 2606): nobody can log in to a simulated node.
PUBLIC_ADDRESS: Final = "192.0.2.1"
PUBLIC_NAME: Final = "nodes.example.net"
SSH_PORTS: Final = 50_000
_SSH_PORT_COUNT: Final = 10_000


def show_pool(pool: Pool, base_url: str) -> dict[str, Any]:
    """``BatchPool``."""
    shown: dict[str, Any] = {
        "id": pool.id,
        "url": f"{base_url}/pools/{pool.id}",
        "eTag": to_etag(pool.modified),
        "lastModified": to_iso(pool.modified),
        "creationTime": to_iso(pool.created),
        "state": pool.state,
        "stateTransitionTime": to_iso(pool.transition),
        "allocationState": pool.allocation,
        "allocationStateTransitionTime": to_iso(pool.allocation_transition),
        "resizeTimeout": pool.resize_timeout,
        "currentDedicatedNodes": len(pool.members(dedicated=True)),
        "targetDedicatedNodes": pool.target_dedicated,
        "currentLowPriorityNodes": len(pool.members(dedicated=False)),
        "targetLowPriorityNodes": pool.target_spot,
        "enableAutoScale": pool.autoscale is not None,
        **pool.properties,
    }
    if pool.resize_errors and pool.allocation is AllocationState.STEADY:
        shown["resizeErrors"] = pool.resize_errors
    if pool.autoscale is not None:
        shown["autoScaleFormula"] = pool.autoscale.formula
        shown["autoScaleEvaluationInterval"] = pool.autoscale.interval
        if pool.autoscale.run is not None:
            shown["autoScaleRun"] = show_autoscale_run(pool.autoscale.run)
    return shown


def show_autoscale_run(run: AutoScaleRun) -> dict[str, Any]:
    """``AutoScaleRun``; the error as recorded."""
    shown: dict[str, Any] = {"timestamp": to_iso(run.ticks), "results": run.targets.render()}
    if run.error is not None:
        shown["error"] = {
            "code": "AutoScalingFormulaEvaluationError",
            "message": "The specified auto-scaling formula has evaluation error",
            "values": [{"name": "Message", "value": run.error}],
        }
    return shown


def show_node(node: Node, pool: Pool, base_url: str) -> dict[str, Any]:
    """``BatchNode``."""
    shown: dict[str, Any] = {
        "id": node.id,
        "url": f"{base_url}/pools/{node.pool_id}/nodes/{node.id}",
        "state": node.state,
        "schedulingState": "enabled" if node.is_scheduling else "disabled",
        "stateTransitionTime": to_iso(node.transition),
        "lastBootTime": to_iso(node.booted),
        "allocationTime": to_iso(node.allocated),
        "ipAddress": node.address,
        "affinityId": f"TVM:{node.id}",
        "vmSize": node.vm_size,
        "totalTasksRun": node.total_tasks_run,
        "runningTasksCount": node.running_tasks,
        "runningTaskSlotsCount": node.slots - node.free_slots,
        "totalTasksSucceeded": node.total_tasks_succeeded,
        "isDedicated": node.is_dedicated,
        "endpointConfiguration": {"inboundEndpoints": _show_endpoints(node, pool)},
        "nodeAgentInfo": {"version": "1.12.4", "lastUpdateTime": to_iso(node.booted)},
        "virtualMachineInfo": {"imageReference": _show_image(pool)},
    }
    if node.start_task is not None:
        shown["startTask"] = node.start_task
    if node.start_task_info is not None:
        shown["startTaskInfo"] = _show_start_task(node.start_task_info)
    if node.errors:
        shown["errors"] = node.errors
    if node.phase is NodeState.START_TASK_FAILED:
        shown["errors"] = [{"code": "StartTaskFailed", "message": "The start task has failed"}]
    return shown


def show_node_counts(pool: Pool) -> dict[str, Any]:
    """``BatchPoolNodeCounts``."""
    return {
        "poolId": pool.id,
        "dedicated": _count(pool.members(dedicated=True)),
        "lowPriority": _count(pool.members(dedicated=False)),
    }


def ssh_port(node: Node) -> int:
    """The port of the public address that stands for the node's own 22."""
    return SSH_PORTS + node.number % _SSH_PORT_COUNT


def _count(nodes: list[Node]) -> dict[str, int]:
    counts = dict.fromkeys(_NODE_COUNTS, 0)
    for node in nodes:
        counts[_COUNT_OF_STATE[node.state]] += 1
    return counts | {"total": len(nodes)}


def _show_endpoints(node: Node, pool: Pool) -> list[dict[str, Any]]:
    network = pool.properties.get("networkConfiguration", {})
    nat_pools = network.get("endpointConfiguration", {}).get("inboundNATPools", ())
    endpoints = [
        {
            "name": f"{nat_pool['name']}.{node.number}",
            "protocol": nat_pool["protocol"],
            "publicIPAddress": PUBLIC_ADDRESS,
            "publicFQDN": PUBLIC_NAME,
            "frontendPort": min(
                nat_pool["frontendPortRangeStart"] + node.number, nat_pool["frontendPortRangeEnd"]
            ),
            "backendPort": nat_pool["backendPort"],
        }
        for nat_pool in nat_pools
    ]
    ssh = {
        "name": f"SSHRule.{node.number}",
        "protocol": "tcp",
        "publicIPAddress": PUBLIC_ADDRESS,
        "publicFQDN": PUBLIC_NAME,
        "frontendPort": ssh_port(node),
        "backendPort": 22,
    }
    return [*endpoints, ssh]


def _show_image(pool: Pool) -> dict[str, Any]:
    image: dict[str, Any] = dict(pool.properties["virtualMachineConfiguration"]["imageReference"])
    # Which version "latest" stood for; only marketplace images have one.
    return image | {"exactVersion": "22.04.202501010"} if image.get("version") == "latest" else image


def _show_start_task(info: RunRecord) -> dict[str, Any]:
    shown = show_run(info) | {"retryCount": info.retry_count}
    return shown | {"lastRetryTime": to_iso(info.last_retry)} if info.last_retry else shown
