"""Brings back files that tasks wrote, one result a task, in the order of the tasks."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from airflow_provider_batchad.errors import BatchServiceError, OutputUnavailable
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.rest import Steps, ask

_GONE = (404, 409, 416)


def read_outputs(
    job_id: str,
    task_ids: Sequence[str],
    names: str | Sequence[str],
    max_bytes: int,
    *,
    failed: Collection[str] = (),
    kept: Mapping[str, str] | None = None,
) -> Steps[list[Any]]:
    """One result for each task: the file's content, or a dict of them where ``names`` is a list.

    :param names: files below the tasks' working directories; ``*.json`` is parsed, the rest is text.
    :param max_bytes: the most that all results together may take, since they go to XCom.
    :param failed: tasks whose failure was let pass: ``None`` stands for a file that they did not write whole.
    :param kept: task id → the earlier job that holds its files.
    :raises OutputUnavailable: a file is not there, is no JSON, or there is too much; names the task.
    """
    results = []
    left = max_bytes
    for task_id in task_ids:
        job = (kept or {}).get(task_id, job_id)
        files: dict[str, Any] = {}
        for name in [names] if isinstance(names, str) else names:
            try:
                content = yield from _read(job, task_id, name, left)
                left -= len(content)
                files[name] = _parse(job, task_id, name, content)
            except OutputUnavailable as error:
                if task_id not in failed or error.too_large:
                    raise
                files[name] = None
        results.append(files[names] if isinstance(names, str) else files)
    return results


def _read(job_id: str, task_id: str, name: str, left: int) -> Steps[bytes]:
    request = requests.get_task_file(job_id, task_id, f"wd/{name}", max_bytes=left + 1)
    try:
        content = (yield from ask(request)).content
    except BatchServiceError as error:
        # An empty file has no first byte to ask for.
        if error.status == 416:
            return b""
        if error.status not in _GONE:
            raise
        raise OutputUnavailable(
            f"Output {name!r} of Batch task {task_id!r} (job {job_id!r}) cannot be read: {error.message}",
            job_id=job_id,
            task_id=task_id,
            remedy="Let the task write it to its working directory, and keep the node until it is read.",
        ) from error
    if len(content) > left:
        raise OutputUnavailable(
            f"The outputs of job {job_id!r} are larger than max_output_bytes, reached at {name!r} of Batch "
            f"task {task_id!r}.",
            job_id=job_id,
            task_id=task_id,
            too_large=True,
            remedy="Write large results to storage, and hand over only where they are.",
        )
    return content


def _parse(job_id: str, task_id: str, name: str, content: bytes) -> Any:
    try:
        text = content.decode()
        return json.loads(text) if name.endswith(".json") else text
    except ValueError as error:
        raise OutputUnavailable(
            f"Output {name!r} of Batch task {task_id!r} (job {job_id!r}) is not what its name says: {error}.",
            job_id=job_id,
            task_id=task_id,
        ) from error
