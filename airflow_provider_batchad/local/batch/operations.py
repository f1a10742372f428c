"""The operations of the REST API that local Azure has, by Azure's names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from airflow_provider_batchad.local.batch.exchange import Exchange
from airflow_provider_batchad.local.batch.handlers import (
    applications,
    files,
    jobs,
    nodes,
    pools,
    schedules,
    tasks,
)

_JOB: Final = "/jobs/{job_id}"
_TASK: Final = f"{_JOB}/tasks/{{task_id}}"
_TASK_FILE: Final = f"{_TASK}/files/{{file_path:.+}}"
_POOL: Final = "/pools/{pool_id}"
_NODE: Final = f"{_POOL}/nodes/{{node_id}}"
_NODE_USER: Final = f"{_NODE}/users/{{user_name}}"
_SCHEDULE: Final = "/jobschedules/{schedule_id}"
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
    Operation("List Subtasks", "GET", f"{_TASK}/subtasksinfo", tasks.list_subtasks),
    Operation("List Task Files", "GET", f"{_TASK}/files", files.list_task_files),
    Operation("Get Task File", "GET", _TASK_FILE, files.get_task_file),
    Operation("Get Task File Properties", "HEAD", _TASK_FILE, files.get_task_file_properties),
    Operation("Delete Task File", "DELETE", _TASK_FILE, files.delete_task_file),
    Operation("Create Job Schedule", "POST", "/jobschedules", schedules.create_schedule),
    Operation("List Job Schedules", "GET", "/jobschedules", schedules.list_schedules),
    Operation("Get Job Schedule", "GET", _SCHEDULE, schedules.get_schedule),
    Operation("Job Schedule Exists", "HEAD", _SCHEDULE, schedules.check_schedule_exists),
    Operation("Update Job Schedule", "PATCH", _SCHEDULE, schedules.update_schedule),
    Operation("Replace Job Schedule", "PUT", _SCHEDULE, schedules.replace_schedule),
    Operation("Delete Job Schedule", "DELETE", _SCHEDULE, schedules.delete_schedule),
    Operation("Disable Job Schedule", "POST", f"{_SCHEDULE}/disable", schedules.disable_schedule),
    Operation("Enable Job Schedule", "POST", f"{_SCHEDULE}/enable", schedules.enable_schedule),
    Operation("Terminate Job Schedule", "POST", f"{_SCHEDULE}/terminate", schedules.terminate_schedule),
    Operation("List Jobs From Schedule", "GET", f"{_SCHEDULE}/jobs", schedules.list_jobs_from_schedule),
    Operation("Create Pool", "POST", "/pools", pools.create_pool),
    Operation("List Pools", "GET", "/pools", pools.list_pools),
    Operation("Get Pool", "GET", _POOL, pools.get_pool),
    Operation("Pool Exists", "HEAD", _POOL, pools.check_pool_exists),
    Operation("Update Pool", "PATCH", _POOL, pools.update_pool),
    Operation("Replace Pool Properties", "POST", f"{_POOL}/updateproperties", pools.replace_properties),
    Operation("Delete Pool", "DELETE", _POOL, pools.delete_pool),
    Operation("Resize Pool", "POST", f"{_POOL}/resize", pools.resize_pool),
    Operation("Stop Pool Resize", "POST", f"{_POOL}/stopresize", pools.stop_resize),
    Operation("Enable Pool Auto Scale", "POST", f"{_POOL}/enableautoscale", pools.enable_autoscale),
    Operation("Disable Pool Auto Scale", "POST", f"{_POOL}/disableautoscale", pools.disable_autoscale),
    Operation("Evaluate Pool Auto Scale", "POST", f"{_POOL}/evaluateautoscale", pools.evaluate_autoscale),
    Operation("Remove Nodes", "POST", f"{_POOL}/removenodes", pools.remove_nodes),
    Operation("List Pool Node Counts", "GET", "/nodecounts", pools.list_node_counts),
    Operation("List Nodes", "GET", f"{_POOL}/nodes", nodes.list_nodes),
    Operation("Get Node", "GET", _NODE, nodes.get_node),
    Operation("Reboot Node", "POST", f"{_NODE}/reboot", nodes.reboot_node),
    Operation("Reimage Node", "POST", f"{_NODE}/reimage", nodes.reimage_node),
    Operation("Start Node", "POST", f"{_NODE}/start", nodes.start_node),
    Operation("Deallocate Node", "POST", f"{_NODE}/deallocate", nodes.deallocate_node),
    Operation("Disable Node Scheduling", "POST", f"{_NODE}/disablescheduling", nodes.disable_scheduling),
    Operation("Enable Node Scheduling", "POST", f"{_NODE}/enablescheduling", nodes.enable_scheduling),
    Operation("Create Node User", "POST", f"{_NODE}/users", nodes.create_user),
    Operation("Replace Node User", "PUT", _NODE_USER, nodes.replace_user),
    Operation("Delete Node User", "DELETE", _NODE_USER, nodes.delete_user),
    Operation(
        "Get Node Remote Login Settings", "GET", f"{_NODE}/remoteloginsettings", nodes.get_login_settings
    ),
    Operation("List Node Files", "GET", f"{_NODE}/files", files.list_node_files),
    Operation("Get Node File", "GET", _NODE_FILE, files.get_node_file),
    Operation("Get Node File Properties", "HEAD", _NODE_FILE, files.get_node_file_properties),
    Operation("Delete Node File", "DELETE", _NODE_FILE, files.delete_node_file),
    Operation("List Applications", "GET", "/applications", applications.list_applications),
    Operation("Get Application", "GET", "/applications/{application_id}", applications.get_application),
    Operation("List Supported Images", "GET", "/supportedimages", applications.list_supported_images),
)
