"""The operations of the REST API that local Azure has, by Azure's names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from airflow_provider_batchad.local.batch.exchange import Exchange
from airflow_provider_batchad.local.batch.handlers import files, jobs, pools, tasks

_JOB: Final = "/jobs/{job_id}"
_TASK: Final = f"{_JOB}/tasks/{{task_id}}"
_TASK_FILE: Final = f"{_TASK}/files/{{file_path:.+}}"
_POOL: Final = "/pools/{pool_id}"
_NODE: Final = f"{_POOL}/nodes/{{node_id}}"
_NODE_FILE: Final = f"{_NODE}/files/{{file_path:.+}}"

OperationHandler = Callable[[Exchange], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: where it is found, and what answers it."""

    name: str
    method: str
    path: str
    handler: OperationHandler


OPERATIONS: Final = (
    Operation("Create Job", "POST", "/jobs", jobs.create_job),
    Operation("List Jobs", "GET", "/jobs", jobs.list_jobs),
    Operation("Get Job", "GET", _JOB, jobs.get_job),
    Operation("Update Job", "PATCH", _JOB, jobs.update_job),
    Operation("Replace Job", "PUT", _JOB, jobs.replace_job),
    Operation("Delete Job", "DELETE", _JOB, jobs.delete_job),
    Operation("Disable Job", "POST", f"{_JOB}/disable", jobs.disable_job),
    Operation("Enable Job", "POST", f"{_JOB}/enable", jobs.enable_job),
    Operation("Terminate Job", "POST", f"{_JOB}/terminate", jobs.terminate_job),
    Operation("Get Job Task Counts", "GET", f"{_JOB}/taskcounts", jobs.get_task_counts),
    Operation(
        "List Job Preparation And Release Task Status",
        "GET",
        f"{_JOB}/jobpreparationandreleasetaskstatus",
        jobs.list_preparation_status,
    ),
    Operation("Create Task", "POST", f"{_JOB}/tasks", tasks.create_task),
    Operation("Create Task Collection", "POST", f"{_JOB}/addtaskcollection", tasks.create_task_collection),
    Operation("List Tasks", "GET", f"{_JOB}/tasks", tasks.list_tasks),
    Operation("Get Task", "GET", _TASK, tasks.get_task),
    Operation("Replace Task", "PUT", _TASK, tasks.replace_task),
    Operation("Delete Task", "DELETE", _TASK, tasks.delete_task),
    Operation("Terminate Task", "POST", f"{_TASK}/terminate", tasks.terminate_task),
    Operation("Reactivate Task", "POST", f"{_TASK}/reactivate", tasks.reactivate_task),
    Operation("List Task Files", "GET", f"{_TASK}/files", files.list_task_files),
    Operation("Get Task File", "GET", _TASK_FILE, files.get_task_file),
    Operation("Get Task File Properties", "HEAD", _TASK_FILE, files.get_task_file_properties),
    Operation("Delete Task File", "DELETE", _TASK_FILE, files.delete_task_file),
    Operation("List Pools", "GET", "/pools", pools.list_pools),
    Operation("Get Pool", "GET", _POOL, pools.get_pool),
    Operation("Pool Exists", "HEAD", _POOL, pools.check_pool_exists),
    Operation("List Pool Node Counts", "GET", "/nodecounts", pools.list_node_counts),
    Operation("List Nodes", "GET", f"{_POOL}/nodes", pools.list_nodes),
    Operation("Get Node", "GET", _NODE, pools.get_node),
    Operation("List Node Files", "GET", f"{_NODE}/files", files.list_node_files),
    Operation("Get Node File", "GET", _NODE_FILE, files.get_node_file),
    Operation("Get Node File Properties", "HEAD", _NODE_FILE, files.get_node_file_properties),
    Operation("Delete Node File", "DELETE", _NODE_FILE, files.delete_node_file),
)
