"""The requests that a job's life needs, one function for each REST operation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from airflow_provider_batchad.jobs.rest import JSON_CONTENT_TYPE, BatchRequest, Steps, ask

PAGE_SIZE = 1000


_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def dump(body: object) -> bytes:
    """``body`` as compact JSON."""
    return _encode(body).encode()


def _segment(name: str) -> str:
    return quote(name, safe="")


def _with_body(
    operation: str, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None
) -> BatchRequest:
    return BatchRequest(
        operation=operation,
        method=method,
        path=path,
        body=body,
        headers={"Content-Type": JSON_CONTENT_TYPE, **(headers or {})},
    )


def create_job(body: Mapping[str, Any]) -> BatchRequest:
    """Create Job.

    Source: https://learn.microsoft.com/rest/api/batchservice/jobs/create-job
    """
    return _with_body("Create Job", "POST", "/jobs", dump(body))


def get_job(job_id: str, *, select: str | None = None) -> BatchRequest:
    """Get Job.

    Source: https://learn.microsoft.com/rest/api/batchservice/jobs/get-job
    """
    query = {"$select": select} if select else {}
    return BatchRequest(operation="Get Job", method="GET", path=f"/jobs/{_segment(job_id)}", query=query)


def list_jobs(
    *, where: str | None = None, select: str | None = None, page_size: int = PAGE_SIZE
) -> BatchRequest:
    """List Jobs, the first page.

    Source: https://learn.microsoft.com/rest/api/batchservice/jobs/list-jobs

    :param where: an OData ``$filter``.
    :param page_size: 1 to 1000.
    """
    return _list("List Jobs", "/jobs", where, select, page_size)


def update_job(job_id: str, body: Mapping[str, Any], *, etag: str | None = None) -> BatchRequest:
    """Update Job (PATCH).

    Source: https://learn.microsoft.com/rest/api/batchservice/jobs/update-job
    """
    headers = {"If-Match": etag} if etag else {}
    return _with_body("Update Job", "PATCH", f"/jobs/{_segment(job_id)}", dump(body), headers)


def terminate_job(job_id: str, *, reason: str, etag: str | None = None) -> BatchRequest:
    """Terminate Job.

    Source: https://learn.microsoft.com/rest/api/batchservice/jobs/terminate-job

    :param reason: shown as ``terminateReason`` of the job.
    :param etag: terminate only the version of the job that has this ETag.
    """
    headers = {"If-Match": etag} if etag else {}
    body = dump({"terminateReason": reason})
    return _with_body("Terminate Job", "POST", f"/jobs/{_segment(job_id)}/terminate", body, headers)


def delete_job(job_id: str, *, etag: str | None = None) -> BatchRequest:
    """Delete Job.

    Source: https://learn.microsoft.com/rest/api/batchservice/jobs/delete-job

    :param etag: delete only the version of the job that has this ETag.
    """
    headers = {"If-Match": etag} if etag else {}
    path = f"/jobs/{_segment(job_id)}"
    return BatchRequest(operation="Delete Job", method="DELETE", path=path, headers=headers)


def create_task_collection(job_id: str, tasks: Iterable[bytes]) -> BatchRequest:
    """Create Task Collection.

    Source: https://learn.microsoft.com/rest/api/batchservice/tasks/create-task-collection

    :param tasks: up to 100 tasks, each as JSON.
    """
    body = b'{"value":[' + b",".join(tasks) + b"]}"
    path = f"/jobs/{_segment(job_id)}/addtaskcollection"
    return _with_body("Create Task Collection", "POST", path, body)


def list_tasks(job_id: str, *, where: str | None = None, select: str | None = None) -> BatchRequest:
    """List Tasks, the first page.

    Source: https://learn.microsoft.com/rest/api/batchservice/tasks/list-tasks

    :param where: an OData ``$filter``.
    """
    return _list("List Tasks", f"/jobs/{_segment(job_id)}/tasks", where, select)


def get_task_counts(job_id: str) -> BatchRequest:
    """Get Job Task Counts.

    Source: https://learn.microsoft.com/rest/api/batchservice/jobs/get-job-task-counts
    """
    path = f"/jobs/{_segment(job_id)}/taskcounts"
    return BatchRequest(operation="Get Job Task Counts", method="GET", path=path)


def list_preparation_status(job_id: str) -> BatchRequest:
    """List Job Preparation and Release Task Status, the first page.

    Source: https://learn.microsoft.com/rest/api/batchservice/jobs/list-job-preparation-and-release-task-status
    """
    path = f"/jobs/{_segment(job_id)}/jobpreparationandreleasetaskstatus"
    return _list("List Job Preparation And Release Task Status", path, None, None)


def get_task_file_properties(job_id: str, task_id: str, file_path: str) -> BatchRequest:
    """Get Task File Properties (HEAD).

    Source: https://learn.microsoft.com/rest/api/batchservice/tasks/get-task-file-properties
    """
    path = _file(job_id, task_id, file_path)
    return BatchRequest(operation="Get Task File Properties", method="HEAD", path=path)


def get_task_file(
    job_id: str, task_id: str, file_path: str, *, max_bytes: int, start: int = 0
) -> BatchRequest:
    """Get Task File.

    Source: https://learn.microsoft.com/rest/api/batchservice/tasks/get-task-file

    :param max_bytes: the most that is read.
    :param start: the first byte wanted, counted from 0.
    """
    headers = {"ocp-range": f"bytes={start}-{start + max_bytes - 1}"}
    path = _file(job_id, task_id, file_path)
    return BatchRequest(
        operation="Get Task File", method="GET", path=path, headers=headers, max_bytes=max_bytes
    )


def _file(job_id: str, task_id: str, file_path: str) -> str:
    return f"/jobs/{_segment(job_id)}/tasks/{_segment(task_id)}/files/{_segment(file_path)}"


def _list(
    operation: str, path: str, where: str | None, select: str | None, page_size: int = PAGE_SIZE
) -> BatchRequest:
    query = {"maxresults": str(page_size)}
    if where:
        query["$filter"] = where
    if select:
        query["$select"] = select
    return BatchRequest(operation=operation, method="GET", path=path, query=query)


def all_pages(first: BatchRequest) -> Steps[list[dict[str, Any]]]:
    """Every item of a list, following ``odata.nextLink`` to its end."""
    items: list[dict[str, Any]] = []
    request = first
    while True:
        body = (yield from ask(request)).json()
        items.extend(body.get("value", ()))
        link = body.get("odata.nextLink")
        if not link:
            return items
        request = BatchRequest(operation=first.operation, method="GET", path=link)
