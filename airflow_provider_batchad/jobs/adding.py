"""Adds tasks to a job in chunks, several at once: a repeat does no harm, and no rejection is missed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.errors import (
    BatchAdError,
    BatchServiceError,
    Conflict,
    ServiceUnavailable,
    TasksRejected,
)
from airflow_provider_batchad.jobs.redaction import redact_signatures
from airflow_provider_batchad.jobs.requests import create_task_collection
from airflow_provider_batchad.jobs.rest import Answered, BatchRequest, BatchResponse, Pause, Several, Steps
from airflow_provider_batchad.jobs.termination import OVER_CODES

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.tasks import TaskSpec

MAX_CHUNK_TASKS = 100
MAX_CHUNK_BYTES = 1024 * 1024
_ENVELOPE_BYTES = len(b'{"value":[]}')
# azure-core keeps ten connections; a few are enough to hide the way to the region and back.
AT_ONCE = 6
MAX_REPEATS = 6
_THERE = frozenset({"taskexists", "taskcompleted", "tasksucceeded"})
# They are about the job, which somebody ended or disabled meanwhile, and not about what the task says.
_OF_THE_JOB = frozenset(code.casefold() for code in (*OVER_CODES, "JobDisabled", "JobNotFound"))
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


def add_tasks(job_id: str, tasks: Iterable[TaskSpec], *, run_others: bool = False) -> Steps[dict[str, str]]:
    """Add every task, several chunks at once; one that is there already was added before an answer was lost.

    :param tasks: read once, as places come free; never held whole.
    :param run_others: add all others though Batch refuses some, and return those: id → why.
    :raises TasksRejected: Batch refused tasks for what they say: those sent by then, or all.
    :raises ServiceUnavailable: Batch failed at the same tasks again and again.
    """
    adding = _Adding(job_id, tasks, run_others)
    while True:
        yield Several(requests=adding.requests(), at_once=AT_ONCE)
        adding.check()
        if adding.is_done:
            return adding.rejected
        seconds = adding.take_pause()
        if seconds:
            yield Pause(seconds=seconds)


@dataclass(frozen=True, slots=True)
class _Chunk:
    tasks: tuple[TaskSpec, ...]
    failed: int = 0


class _Adding:
    """How far the tasks of a job are added."""

    def __init__(self, job_id: str, tasks: Iterable[TaskSpec], run_others: bool) -> None:
        self.rejected: dict[str, str] = {}
        self._job_id = job_id
        self._new = chunks(tasks)
        self._read = 0
        self._read_all = False
        self._next: deque[_Chunk] = deque()
        self._later: list[_Chunk] = []
        self._run_others = run_others
        self._busy = False
        self._asked_to_wait = 0.0
        self._error: Exception | None = None

    @property
    def is_done(self) -> bool:
        """Whether every task is added or refused."""
        return self._read_all and not self._next and not self._later

    def requests(self) -> Iterator[tuple[BatchRequest, Answered]]:
        """What can be sent now, until the service is busy or refuses."""
        while not self._is_held_up():
            chunk = self._next.popleft() if self._next else self._take_new()
            if chunk is None:
                self._read_all = True
                return
            request = create_task_collection(self._job_id, (task.body for task in chunk.tasks))
            yield request, partial(self._answered, chunk)

    def check(self) -> None:
        """Raise what went wrong, once nothing is under way."""
        if self._error is not None:
            raise self._error
        none_is_left = self.is_done and len(self.rejected) == self._read
        if self.rejected and (none_is_left or not self._run_others):
            raise TasksRejected(job_id=self._job_id, rejected=self.rejected)

    def take_pause(self) -> float:
        """Seconds to wait before what failed is sent again, and everything else with it."""
        failed = max((chunk.failed for chunk in self._later), default=0)
        seconds = max(self._asked_to_wait, min(0.5 * 2**failed, 15)) if failed else 0.0
        self._next.extend(self._later)
        self._later, self._busy, self._asked_to_wait = [], False, 0.0
        return seconds

    def _take_new(self) -> _Chunk | None:
        tasks = next(self._new, None)
        if tasks is None:
            return None
        self._read += len(tasks)
        return _Chunk(tasks)

    def _is_held_up(self) -> bool:
        stopped = self._error is not None or (self.rejected and not self._run_others)
        return bool(stopped or self._busy or len(self._later) >= AT_ONCE)

    def _answered(self, chunk: _Chunk, answer: BatchResponse | Exception) -> None:
        try:
            if isinstance(answer, Exception):
                self._refused(chunk, answer)
                return
            left, rejected = _read(chunk.tasks, answer.json().get("value", ()))
            self.rejected |= rejected
            if left:
                failure = ServiceUnavailable(
                    f"Batch failed {MAX_REPEATS} times to add {len(left)} task(s) to job {self._job_id!r}, "
                    f"the first being {left[0].id!r}.",
                    operation="Create Task Collection",
                    status=500,
                )
                self._again(_Chunk(left, chunk.failed + 1), failure)
        except BatchAdError as error:
            self._error = self._error or error

    def _refused(self, chunk: _Chunk, error: Exception) -> None:
        if isinstance(error, ServiceUnavailable):
            asked = min(error.retry_after_seconds or 0.0, _MAX_RETRY_AFTER_SECONDS)
            self._busy, self._asked_to_wait = True, max(self._asked_to_wait, asked)
            self._again(_Chunk(chunk.tasks, chunk.failed + 1), error)
        elif not isinstance(error, BatchServiceError) or error.status != 413:
            self._error = self._error or error
        elif len(chunk.tasks) == 1:
            self.rejected[chunk.tasks[0].id] = error.message
        else:
            half = len(chunk.tasks) // 2
            self._next.appendleft(_Chunk(chunk.tasks[half:], chunk.failed))
            self._next.appendleft(_Chunk(chunk.tasks[:half], chunk.failed))

    def _again(self, chunk: _Chunk, failure: Exception) -> None:
        if chunk.failed == MAX_REPEATS:
            self._error = self._error or failure
        self._later.append(chunk)


def _read(
    sent: tuple[TaskSpec, ...], results: Iterable[dict[str, Any]]
) -> tuple[tuple[TaskSpec, ...], dict[str, str]]:
    """The tasks that are to be sent again, and those that Batch refuses: id → why."""
    # The wire says "Success" and "ClientError", azure-batch's enum "success" and "clienterror".
    by_id = {str(result.get("taskId", "")).casefold(): result for result in results}
    rejected: dict[str, str] = {}
    left = []
    for task in sent:
        result = by_id.get(task.id.casefold(), {})
        status = str(result.get("status", "")).casefold()
        if status == "success":
            continue
        error = result.get("error") or {}
        code = str(error.get("code", ""))
        if code.casefold() in _THERE:
            continue
        if code.casefold() in _OF_THE_JOB:
            message = f"Task {task.id!r} was not added: {_explain(code, error)}"
            raise Conflict(message, operation="Create Task Collection", status=409, code=code)
        if status == "clienterror":
            rejected[task.id] = _explain(code, error)
        else:
            left.append(task)
    return tuple(left), rejected


def _explain(code: str, error: dict[str, Any]) -> str:
    text = str((error.get("message") or {}).get("value", "")).partition("\nRequestId:")[0]
    values = "; ".join(f"{item.get('key')}: {item.get('value')}" for item in error.get("values") or ())
    said = " ".join(part for part in (code, text, f"({values})" if values else "") if part)
    return redact_signatures(said)
