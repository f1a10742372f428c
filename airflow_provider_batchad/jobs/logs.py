"""Reads the ends of the logs of tasks that failed; a log that is gone with its node is no verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_batchad.errors import BatchServiceError, Unreachable
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.rest import Steps, ask

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.outcome import JobOutcome

TAIL_BYTES = 4096


def with_logs(outcome: JobOutcome, *, most: int) -> Steps[JobOutcome]:
    """``outcome`` with the ends of stderr and stdout of the first ``most`` failures."""
    failures = list(outcome.failures)
    for number, failure in enumerate(failures[:most]):
        stderr = yield from read_tail(outcome.job_id, failure.task_id, "stderr.txt")
        stdout = yield from read_tail(outcome.job_id, failure.task_id, "stdout.txt")
        failures[number] = replace(failure, stderr_tail=stderr, stdout_tail=stdout)
    return replace(outcome, failures=tuple(failures))


def read_tail(job_id: str, task_id: str, file_path: str, max_bytes: int = TAIL_BYTES) -> Steps[str]:
    """The last ``max_bytes`` bytes of a task's file; empty where it cannot be read now, or its node is gone.

    :raises BatchServiceError: the principal may not read it.
    """
    try:
        properties = yield from ask(requests.get_task_file_properties(job_id, task_id, file_path))
        size = int(properties.headers.get("content-length", "0"))
        if not size:
            return ""
        start = max(0, size - max_bytes)
        tail = yield from ask(
            requests.get_task_file(job_id, task_id, file_path, start=start, max_bytes=max_bytes)
        )
    except Unreachable:
        return ""
    except BatchServiceError as error:
        # The tail of a log is no verdict, and must not stand in for one.
        if error.retryable or error.status in (404, 409, 416):
            return ""
        raise
    text = tail.content.decode(errors="replace")
    whole_lines = text.partition("\n")[2] if start else text
    return whole_lines or text
