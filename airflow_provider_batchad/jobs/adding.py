"""Adds tasks to a job in chunks: a repeat after any lost answer does no harm, and no rejection is missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.errors import BatchServiceError, ServiceUnavailable, TasksRejected
from airflow_provider_batchad.jobs.redaction import redact_signatures
from airflow_provider_batchad.jobs.requests import create_task_collection
from airflow_provider_batchad.jobs.rest import Pause, Steps, ask

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.spec import TaskSpec

MAX_CHUNK_TASKS = 100
MAX_CHUNK_BYTES = 1024 * 1024
_ENVELOPE_BYTES = len(b'{"value":[]}')
_MAX_REPEATS = 6
_MAX_RETRY_AFTER_SECONDS = 300.0


def chunks(tasks: Iterable[TaskSpec]) -> Iterator[tuple[TaskSpec, ...]]:
    """Up to 100 tasks and under 1 MiB each, as Create Task Collection takes them."""
    chunk: list[TaskSpec] = []
    size = _ENVELOPE_BYTES
    for task in tasks:
        grown = size + len(task.body) + 1
        if chunk and (len(chunk) == MAX_CHUNK_TASKS or grown >= MAX_CHUNK_BYTES):
            yield tuple(chunk)
            chunk, grown = [], _ENVELOPE_BYTES + len(task.body) + 1
        chunk.append(task)
        size = grown
    if chunk:
        yield tuple(chunk)


def add_tasks(job_id: str, tasks: Iterable[TaskSpec]) -> Steps[None]:
    """Add every task; one that is there already was added before an answer was lost.

    :raises TasksRejected: Batch refused tasks for what they say.
    :raises ServiceUnavailable: Batch failed at the same tasks again and again.
    """
    for chunk in chunks(tasks):
        yield from _add_chunk(job_id, chunk)


def _add_chunk(job_id: str, chunk: Sequence[TaskSpec]) -> Steps[None]:
    left = tuple(chunk)
    asked_to_wait = 0.0
    for repeat in range(_MAX_REPEATS):
        if repeat:
            yield Pause(seconds=max(asked_to_wait, min(0.5 * 2**repeat, 15)))
        try:
            answer = yield from ask(create_task_collection(job_id, (task.body for task in left)))
        except ServiceUnavailable as error:
            if repeat == _MAX_REPEATS - 1:
                raise
            asked_to_wait = min(error.retry_after_seconds or 0.0, _MAX_RETRY_AFTER_SECONDS)
            continue
        except BatchServiceError as error:
            if error.status != 413:
                raise
            if len(left) == 1:
                raise TasksRejected(job_id=job_id, rejected={left[0].id: error.message}) from error
            yield from _add_chunk(job_id, left[: len(left) // 2])
            yield from _add_chunk(job_id, left[len(left) // 2 :])
            return
        asked_to_wait = 0.0
        left = _not_added(job_id, left, answer.json().get("value", ()))
        if not left:
            return
    raise ServiceUnavailable(
        f"Batch failed {_MAX_REPEATS} times to add {len(left)} task(s) to job {job_id!r}, the first being "
        f"{left[0].id!r}.",
        operation="Create Task Collection",
        status=500,
    )


def _not_added(
    job_id: str, sent: tuple[TaskSpec, ...], results: Iterable[dict[str, Any]]
) -> tuple[TaskSpec, ...]:
    # The wire says "Success" and "ClientError", azure-batch's enum "success" and "clienterror".
    by_id = {str(result.get("taskId", "")).casefold(): result for result in results}
    rejected: dict[str, str] = {}
    left = []
    for task in sent:
        result = by_id.get(task.id.casefold(), {})
        error = result.get("error") or {}
        code = str(error.get("code", ""))
        status = str(result.get("status", "")).casefold()
        if status == "success" or code.casefold() == "taskexists":
            continue
        if status == "clienterror":
            rejected[task.id] = _explain(code, error)
        else:
            left.append(task)
    if rejected:
        raise TasksRejected(job_id=job_id, rejected=rejected)
    return tuple(left)


def _explain(code: str, error: dict[str, Any]) -> str:
    text = str((error.get("message") or {}).get("value", "")).partition("\nRequestId:")[0]
    values = "; ".join(f"{item.get('key')}: {item.get('value')}" for item in error.get("values") or ())
    said = " ".join(part for part in (code, text, f"({values})" if values else "") if part)
    return redact_signatures(said)
