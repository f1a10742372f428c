"""Subtasks as the REST API shows them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.directories import task_path
from airflow_provider_batchad.local.batch.ticks import to_iso

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.task import Subtask, Task


def show_subtask(job: Job, task: Task, subtask: Subtask, base_url: str) -> dict[str, Any]:
    """``BatchSubtask``."""
    node = subtask.node
    node_url = f"{base_url}/pools/{node.pool_id}/nodes/{node.id}"
    directory = task_path(job.id, task.id)
    shown: dict[str, Any] = {
        "id": subtask.id,
        "nodeInfo": {
            "affinityId": f"TVM:{node.id}",
            "nodeUrl": node_url,
            "poolId": node.pool_id,
            "nodeId": node.id,
            "taskRootDirectory": directory,
            "taskRootDirectoryUrl": f"{node_url}/files/{directory}",
        },
        "state": subtask.state,
        "stateTransitionTime": to_iso(subtask.transition),
    }
    if subtask.start:
        shown["startTime"] = to_iso(subtask.start)
    if subtask.end:
        shown["endTime"] = to_iso(subtask.end)
    if subtask.exit_code is not None:
        shown["exitCode"] = subtask.exit_code
    if subtask.failure is not None:
        shown["failureInfo"] = json.loads(subtask.failure)
    if subtask.previous_state is not None:
        shown["previousState"] = subtask.previous_state
        shown["previousStateTransitionTime"] = to_iso(subtask.previous_transition)
    if subtask.result is not None:
        shown["result"] = subtask.result
    return shown
