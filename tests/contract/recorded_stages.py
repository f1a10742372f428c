"""For each recorded exchange of Batch the same state on local Azure, and the request: jobs, tasks, files."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from tests.contract.batch_fixtures import Batch, eventually

Stage = Callable[[Batch, str], tuple[str, object]]


def job(batch: Batch, _: str) -> tuple[str, object]:
    return f"/jobs/{batch.create_job(pool='empty', priority=500)}", None


def with_waiting_task(batch: Batch, body: object = None) -> tuple[str, object]:
    job_id = batch.create_job(pool="empty")
    batch.add(job_id, "t")
    return f"/jobs/{job_id}/tasks/t", body


def with_ended_task(batch: Batch) -> tuple[str, str]:
    job_id = batch.create_job()
    batch.run(job_id, "t", "/bin/echo hello")
    return job_id, "t"


def failed_task(batch: Batch, _: str) -> tuple[str, object]:
    job_id = batch.create_job()
    body = {
        "id": "t",
        "commandLine": "/bin/sh -c 'exit 2'",
        "userIdentity": {"username": "somebody"},
        "constraints": {"maxTaskRetryCount": 3},
    }
    assert batch.send("POST", f"/jobs/{job_id}/tasks", body).status_code == 201
    batch.finished(job_id, "t")
    return f"/jobs/{job_id}/tasks/t", None


def node_file(batch: Batch, _: str) -> tuple[str, object]:
    job_id, task_id = with_ended_task(batch)
    info = batch.client.get_task(job_id, task_id).node_info
    assert info is not None
    path = quote(f"{info.task_root_directory}/stdout.txt", safe="")
    return f"/pools/cpu/nodes/{info.node_id}/files/{path}", None


def node(batch: Batch) -> str:
    return next(iter(batch.client.list_nodes("cpu"))).id


def then(suffix: str, body: object = None) -> Stage:
    """A request below a job of its own."""

    def stage(batch: Batch, _: str) -> tuple[str, object]:
        path, _body = job(batch, "")
        return path + suffix, body

    return stage


def at(path: str) -> Stage:
    return lambda batch, query: (path + query, None)


def second_page(batch: Batch, _: str) -> tuple[str, object]:
    link = batch.send("GET", "/pools?maxresults=1&api-version=2020-03-01.11.0").json()["odata.nextLink"]
    return link.removeprefix(batch.url), None


def disabled(batch: Batch, _: str) -> tuple[str, object]:
    path, _body = job(batch, "")
    batch.send("POST", f"{path}/disable", {"disableTasks": "requeue"})
    return f"{path}/enable", None


def task_of(suffix: str) -> Stage:
    def stage(batch: Batch, _: str) -> tuple[str, object]:
        job_id, task_id = with_ended_task(batch)
        return f"/jobs/{job_id}/tasks/{task_id}{suffix}", None

    return stage


def reactivatable(batch: Batch, _: str) -> tuple[str, object]:
    path, _body = with_waiting_task(batch)
    batch.send("POST", f"{path}/terminate")
    return f"{path}/reactivate", None


def too_large(batch: Batch, _: str) -> tuple[str, object]:
    path, _body = job(batch, "")
    return f"{path}/addtaskcollection", {"value": [{"id": "t", "commandLine": "x" * 1_100_000}]}


def deleted(batch: Batch, _: str) -> tuple[str, object]:
    path, _body = job(batch, "")
    batch.send("DELETE", path)
    eventually(lambda: batch.send("GET", path).status_code == 404)
    return path, None


def pool_select(path: str) -> Stage:
    return lambda batch, _: (path, None)


STAGES: dict[str, Stage] = {
    "count_tasks_sucessfully": then("/taskcounts"),
    "create_a_job_successfully": lambda b, _: ("/jobs", {"id": b.new_id(), "poolInfo": {"poolId": "cpu"}}),
    "create_a_task_successfully": then("/tasks", {"id": "t", "commandLine": "/bin/true"}),
    "create_a_task_with_a_user_identity_successfully 1": then(
        "/tasks", {"id": "t", "commandLine": "/bin/true", "userIdentity": {"username": "x"}}
    ),
    "create_a_task_with_a_user_identity_successfully 2": failed_task,
    "delete_a_job_successfully": job,
    "delete_a_second_task_successfully": lambda b, _: with_waiting_task(b),
    "delete_file_from_node_successfully": node_file,
    "disable_a_job_successfully": then("/disable", {"disableTasks": "requeue"}),
    "enable_a_job_successfully": disabled,
    "fail_to_list_pools_with_invalid_max": at("/pools?maxresults=-5"),
    "get_a_job_reference_successfully": job,
    "get_a_pool_reference_with_odata_successfully": pool_select(
        "/pools/cpu?$select=id%2Cstate&$expand=stats"
    ),
    "get_file_from_node_successfully": node_file,
    "get_file_properties_from_node_successfully": node_file,
    "get_file_properties_from_task_successfully": task_of("/files/stderr.txt"),
    "get_pool_node_counts_successfully": at("/nodecounts"),
    "list_a_maximum_number_of_pools 1": at("/pools?maxresults=1"),
    "list_a_maximum_number_of_pools 2": second_page,
    "list_compute_nodes_successfully": at("/pools/cpu/nodes"),
    "list_files_from_compute_node_successfully": lambda b, _: (f"/pools/cpu/nodes/{node(b)}/files", None),
    "list_jobs_successfully": lambda b, _: (f"/jobs?$filter=id eq '{b.create_job()}'", None),
    "list_pools_according_to_filter": pool_select(
        "/pools?$filter=startswith(id%2C%27cpu%27)&$select=id%2Cstate&$expand=stats"
    ),
    "list_pools_without_filters": at("/pools"),
    "reactivate_a_task_successfully": reactivatable,
    "terminate_a_job_successfully": then("/terminate"),
    "update_a_task_successfully": lambda b, _: with_waiting_task(
        b, {"constraints": {"maxTaskRetryCount": 3}}
    ),
    "GET /pools/non-existent-pool-id 2025": at("/pools/nowhere"),
    "GET /jobs/{deleted} 2025": deleted,
    "POST /jobs/{id}/addtaskcollection 2025": too_large,
    "POST /jobs/batchJob1/addtaskcollection 2025": then(
        "/addtaskcollection", {"value": [{"id": "t", "commandLine": "/bin/true"}]}
    ),
    "POST /jobs/batchJob1/tasks 2025": then("/tasks", {"id": "t", "commandLine": "/bin/true"}),
    "POST /jobs/batchJob1/tasks/Task1/terminate 2025": lambda b, _: (
        with_waiting_task(b)[0] + "/terminate",
        None,
    ),
    "POST /jobs/batchJob1/tasks/Task1/reactivate 2025": reactivatable,
    "POST /jobs/terminateJob/terminate 2025": then("/terminate?force=true"),
    "HEAD /jobs/batchJob1/tasks/task-4/files/stdout.txt 2025": task_of("/files/stdout.txt"),
    "GET /jobs/batchJob1/tasks/task-4/files 2025": task_of("/files"),
}
