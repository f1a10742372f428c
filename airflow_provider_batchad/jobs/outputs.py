"""Brings back what tasks wrote, one result a task, in the order of the tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_batchad.errors import BatchServiceError, OutputUnavailable
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.output_names import LOGS, file_path
from airflow_provider_batchad.jobs.output_source import NodeFiles, OutputSource
from airflow_provider_batchad.jobs.output_values import (
    UnfitValue,
    json_bytes,
    parse_json,
    parse_lines,
    parse_text,
)
from airflow_provider_batchad.jobs.rest import Steps, ask

SEARCHED_LOG_BYTES: Final = 1024 * 1024
"""How much of a log's beginning, and of its end, is searched for lines that say outputs."""

_GONE = (404, 409, 416)
_BETWEEN_ITEMS: Final = len(", ")


def read_outputs(
    job_id: str,
    task_ids: Sequence[str],
    names: str | Sequence[str],
    max_bytes: int,
    *,
    failed: Collection[str] = (),
    kept: Mapping[str, str] | None = None,
    source: OutputSource | None = None,
) -> Steps[list[Any]]:
    """One result for each task: what the name stands for, or a dict of them where ``names`` is a list.

    :param names: files below the tasks' working directories, or logs whose lines say the result; ``*.json``
        is parsed, any other file is text.
    :param max_bytes: the most that all results together may take as JSON, since they go to XCom.
    :param failed: tasks whose failure was let pass: ``None`` stands for what they did not write whole.
    :param kept: task id → the earlier job that holds its files.
    :param source: where they are; the nodes' files unless told.
    :raises OutputUnavailable: something is not there, or XCom cannot hold it; names the task.
    """
    reader = _Reader(source or NodeFiles(), max_bytes)
    results: list[Any] = []
    left = max_bytes - json_bytes([])
    for task_id in task_ids:
        job = (kept or {}).get(task_id, job_id)
        files: dict[str, Any] = {}
        for name in [names] if isinstance(names, str) else names:
            try:
                files[name] = yield from reader.read(job, task_id, name)
            except OutputUnavailable as error:
                if task_id not in failed or error.too_large:
                    raise
                files[name] = None
        result = files[names] if isinstance(names, str) else files
        left -= json_bytes(result) + (_BETWEEN_ITEMS if results else 0)
        if left < 0:
            raise _too_large(job, task_id, names if isinstance(names, str) else ", ".join(names))
        results.append(result)
    return results


@dataclass(frozen=True, slots=True)
class _Reader:
    source: OutputSource
    max_bytes: int

    def read(self, job_id: str, task_id: str, name: str) -> Steps[Any]:
        try:
            if name in LOGS:
                return parse_lines((yield from self._read_log(job_id, task_id, name)))
            content = yield from self._fetch(job_id, task_id, name, 0, self.max_bytes + 1)
            if len(content) > self.max_bytes:
                raise _too_large(job_id, task_id, name)
            return parse_json(content) if name.endswith(".json") else parse_text(content)
        except UnfitValue as error:
            raise OutputUnavailable(
                f"Output {name!r} of Batch task {task_id!r} (job {job_id!r}) is not what its name says: "
                f"{error}.",
                job_id=job_id,
                task_id=task_id,
            ) from error

    def _read_log(self, job_id: str, task_id: str, name: str) -> Steps[list[bytes]]:
        """The whole log, or the whole lines at its beginning and at its end."""
        most = SEARCHED_LOG_BYTES
        head = yield from self._fetch(job_id, task_id, name, 0, most)
        if len(head) < most:
            return [head]
        properties = yield from ask(requests.get_task_file_properties(job_id, task_id, file_path(name)))
        size = int(properties.headers.get("content-length", "0"))
        if size <= 2 * most:
            return [head + (yield from self._fetch(job_id, task_id, name, most, most))]
        tail = yield from self._fetch(job_id, task_id, name, size - most, most)
        return [head.rpartition(b"\n")[0], tail.partition(b"\n")[2]]

    def _fetch(self, job_id: str, task_id: str, name: str, start: int, most: int) -> Steps[bytes]:
        request = self.source.request(job_id, task_id, name, start=start, max_bytes=most)
        try:
            return (yield from ask(request)).content
        except BatchServiceError as error:
            # Nothing is at that byte: the file is empty, or ends there.
            if error.status == 416:
                return b""
            if error.status not in _GONE:
                raise
            raise OutputUnavailable(
                f"Output {name!r} of Batch task {task_id!r} (job {job_id!r}) cannot be read: {error.message}",
                job_id=job_id,
                task_id=task_id,
                remedy=self.source.remedy,
            ) from error


def _too_large(job_id: str, task_id: str, name: str) -> OutputUnavailable:
    return OutputUnavailable(
        f"The outputs of job {job_id!r} are larger than max_output_bytes, reached at {name!r} of Batch "
        f"task {task_id!r}.",
        job_id=job_id,
        task_id=task_id,
        too_large=True,
        remedy="Write large results to storage, and hand over only where they are.",
    )
