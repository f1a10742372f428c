"""Tasks as the REST API shows them, as JSON text: a page holds a thousand, so no object is built for any."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

from airflow_provider_batchad.local.batch.directories import task_path
from airflow_provider_batchad.local.batch.ticks import to_etag, to_iso

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.task import Execution, Task


def render_task(job: Job, task: Task, base_url: str, selected: Collection[str] | None) -> str:
    """The members of ``BatchTask``, without braces.

    :param selected: top-level names; all of them where it is ``None``.
    """
    head = _head(job, task, base_url)
    if selected is None:
        head.append(f"{task.content},{task.settings}")
        head.extend(_tail(job, task, base_url))
        return ",".join(head)
    members = [part for part in head if _name_of(part) in selected]
    definition = _select_definition(task, selected)
    tail = [part for part in _tail(job, task, base_url) if _name_of(part) in selected]
    return ",".join([*members, *definition, *tail])


def _head(job: Job, task: Task, base_url: str) -> list[str]:
    # Ids are checked to hold nothing that JSON would escape.
    head = [
        f'"id":"{task.id}"',
        f'"url":"{base_url}/jobs/{job.id}/tasks/{task.id}"',
        f'"eTag":"{to_etag(task.modified)}"',
        f'"creationTime":"{to_iso(task.created)}"',
        f'"lastModified":"{to_iso(task.modified)}"',
        f'"state":"{task.state}"',
        f'"stateTransitionTime":"{to_iso(task.transition)}"',
    ]
    if task.previous_state is not None:
        head.append(f'"previousState":"{task.previous_state}"')
        head.append(f'"previousStateTransitionTime":"{to_iso(task.previous_transition)}"')
    return head


def _tail(job: Job, task: Task, base_url: str) -> list[str]:
    execution = task.execution
    if execution is None:
        return ['"executionInfo":{"retryCount":0,"requeueCount":0}']
    tail = [f'"executionInfo":{{{",".join(_execution(execution))}}}']
    node = execution.node
    if node is not None:
        node_url = f"{base_url}/pools/{node.pool_id}/nodes/{node.id}"
        directory = task_path(job.id, task.id)
        tail.append(
            f'"nodeInfo":{{"affinityId":"TVM:{node.id}","nodeUrl":"{node_url}","poolId":"{node.pool_id}",'
            f'"nodeId":"{node.id}","taskRootDirectory":"{directory}",'
            f'"taskRootDirectoryUrl":"{node_url}/files/{directory}"}}'
        )
    return tail


def _execution(execution: Execution) -> list[str]:
    members = []
    if execution.start:
        members.append(f'"startTime":"{to_iso(execution.start)}"')
    if execution.end:
        members.append(f'"endTime":"{to_iso(execution.end)}"')
    if execution.exit_code is not None:
        members.append(f'"exitCode":{execution.exit_code}')
    if execution.failure is not None:
        members.append(f'"failureInfo":{execution.failure}')
    if execution.result is not None:
        members.append(f'"result":"{execution.result}"')
    members.append(f'"retryCount":{execution.retry_count}')
    if execution.last_retry:
        members.append(f'"lastRetryTime":"{to_iso(execution.last_retry)}"')
    members.append(f'"requeueCount":{execution.requeue_count}')
    if execution.last_requeue:
        members.append(f'"lastRequeueTime":"{to_iso(execution.last_requeue)}"')
    return members


def _select_definition(task: Task, selected: Collection[str]) -> list[str]:
    if not any(f'"{name}"' in text for name in selected for text in (task.content, task.settings)):
        return []
    definition = task.read_definition()
    return [
        f'"{name}":{json.dumps(value, separators=(",", ":"))}'
        for name, value in definition.items()
        if name in selected
    ]


def _name_of(member: str) -> str:
    return member[1 : member.index('"', 1)]
