"""A Batch account in memory that answers the requests of ``jobs/`` by the documented rules.

It loses an answer before or after the request's effect where it is told to, and counts what ran.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import unquote

from airflow_provider_batchad.errors import (
    BatchServiceError,
    Conflict,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Unreachable,
)
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse

ACCOUNT_URL = "https://demo.westeurope.batch.azure.com"
MAX_BODY_BYTES = 1024 * 1024
ALIVE = {"active", "disabling", "disabled", "enabling"}
_BY_STATUS: dict[int, type[BatchServiceError]] = {
    404: NotFound,
    409: Conflict,
    503: ServiceUnavailable,
}
_FILE = {"ocp-batch-file-url": "https%3A%2F%2Fdemo"}
_WHY_NOT = {
    "completed": "JobCompleted",
    "terminating": "JobBeingTerminated",
    "deleting": "JobBeingDeleted",
}


@dataclass(kw_only=True)
class ModelTask:
    body: dict[str, Any]
    state: str = "active"
    execution: dict[str, Any] = field(default_factory=lambda: {"retryCount": 0, "requeueCount": 0})
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(kw_only=True)
class ModelJob:
    body: dict[str, Any]
    created: datetime
    etag: str
    state: str = "active"
    execution: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, ModelTask] = field(default_factory=dict)

    @property
    def sealed(self) -> bool:
        return bool(self.body["onAllTasksComplete"] == "terminatejob")

    @property
    def metadata(self) -> dict[str, str]:
        return {item["name"]: item["value"] for item in self.body.get("metadata", ())}

    def json(self) -> dict[str, Any]:
        # The service writes seven digits of a second.
        created = self.created.strftime("%Y-%m-%dT%H:%M:%S.%f") + "1Z"
        known = {"state": self.state, "eTag": self.etag, "creationTime": created}
        return {**self.body, **known, "executionInfo": self.execution}


class BatchModel:
    """One account.

    :ivar fault: for a request, ``before`` or ``after`` (its answer is lost before or after its effect),
        ``busy`` (503 without effect), or ``None``.
    :ivar item_fault: the same for one task of a collection: ``before`` or ``after``, as ``ServerError``.
    :ivar refusals: operation → status and code that it is answered with, always.
    :ivar rejected: Batch task id → code of the ``ClientError`` that it is answered with.
    :ivar exit_codes: of the tasks, 0 unless told.
    :ivar most_alive: the most jobs that were alive at the same time.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, ModelJob] = {}
        self.sent: list[BatchRequest] = []
        self.ran: Counter[str] = Counter()
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.fault: Callable[[BatchRequest], str | None] = lambda _: None
        self.item_fault: Callable[[str], str | None] = lambda _: None
        self.refusals: dict[str, tuple[int, str]] = {}
        self.rejected: dict[str, str] = {}
        self.exit_codes: dict[str, int] = {}
        self.max_body_bytes = MAX_BODY_BYTES
        self.takes_id_filter = True
        self.adding_moves_etag = False
        self.most_alive = 0
        self._version = 0
        self._changes = {
            "Update Job": self._update,
            "Terminate Job": self._terminate,
            "Create Task Collection": self._add,
            "Delete Job": self._delete,
        }

    @property
    def operations(self) -> list[str]:
        return [request.operation for request in self.sent]

    def alive(self) -> list[ModelJob]:
        return [job for job in self.jobs.values() if job.state in ALIVE]

    def send(self, request: BatchRequest) -> BatchResponse:
        self.sent.append(request)
        fault = self.fault(request)
        if fault == "busy":
            self.refuse(request, 503, "ServerBusy")
        if fault != "before":
            if request.operation in self.refusals:
                self.refuse(request, *self.refusals[request.operation])
            response = self._answer(request)
            self.most_alive = max(self.most_alive, len(self.alive()))
        if fault in {"before", "after"}:
            raise Unreachable(f"{request.operation}: the answer was lost", step="batch")
        return response

    def settle(self) -> None:
        """What the service does by itself: tasks run, sealed jobs and jobs that are being ended end."""
        for key, job in list(self.jobs.items()):
            if job.state == "active":
                for task in job.tasks.values():
                    self._run(task)
                if job.sealed and job.tasks:
                    self._end(job, "AllTasksComplete")
            elif job.state == "terminating":
                self._end(job, job.execution["terminateReason"])
            elif job.state == "deleting":
                del self.jobs[key]

    def touch(self, job_id: str) -> None:
        """Somebody else, such as a person, writes the job."""
        self.jobs[job_id.casefold()].etag = self._next_etag()

    def refuse(self, request: BatchRequest, status: int, code: str) -> NoReturn:
        message = f"{request.operation} on {ACCOUNT_URL}: HTTP {status} {code} - The service says so."
        fields: dict[str, Any] = {"operation": request.operation, "status": status, "code": code}
        if status == 403:
            raise PermissionDenied(message, actions=("Microsoft.Batch/batchAccounts/jobs/write",), **fields)
        raise _BY_STATUS.get(status, BatchServiceError)(message, **fields)

    def _run(self, task: ModelTask) -> None:
        if task.state == "active":
            task_id = task.body["id"]
            exit_code = self.exit_codes.get(task_id, 0)
            result = "success" if exit_code == 0 else "failure"
            task.state, task.execution = (
                "completed",
                {**task.execution, "exitCode": exit_code, "result": result},
            )
            self.ran[task_id] += 1

    def _end(self, job: ModelJob, reason: str) -> None:
        job.state = "completed"
        job.execution = {**job.execution, "terminateReason": reason, "endTime": self.now.isoformat()}

    def _next_etag(self) -> str:
        self._version += 1
        return f"0x8D{self._version:013X}"

    def _answer(self, request: BatchRequest) -> BatchResponse:
        if request.path.startswith(ACCOUNT_URL):
            path, _, skip = request.path.removeprefix(ACCOUNT_URL).partition("?$skiptoken=")
            return self._list(request, path, json.loads(bytes.fromhex(skip)))
        parts = [unquote(part) for part in request.path.strip("/").split("/")]
        if len(parts) == 1:
            return self._create(request) if request.method == "POST" else self._list(request, "/jobs")
        job = self.jobs.get(parts[1].casefold())
        if job is None:
            self.refuse(request, 404, "JobNotFound")
        return self._of_job(request, job, parts[2:])

    def _of_job(self, request: BatchRequest, job: ModelJob, rest: list[str]) -> BatchResponse:
        match [request.method, *rest]:
            case ["GET"]:
                return _json(_select(job.json(), request.query))
            case ["PATCH"] | ["DELETE"] | ["POST", "terminate" | "addtaskcollection"]:
                return self._changes[request.operation](request, job)
            case ["GET", "taskcounts"]:
                return self._counts(job)
            case ["GET", "tasks"]:
                return self._list(request, request.path)
            case [_, "tasks", task_id, "files", name]:
                return self._file(request, job.tasks.get(task_id.casefold()), name)
        raise AssertionError(f"the model has no {request.method} {request.path}")

    def _counts(self, job: ModelJob) -> BatchResponse:
        counts = Counter(task.state for task in job.tasks.values())
        ended = Counter(task.execution.get("result") for task in job.tasks.values())
        return _json(
            {
                "taskCounts": {
                    **{name: counts[name] for name in ("active", "running", "completed")},
                    "succeeded": ended["success"],
                    "failed": ended["failure"],
                }
            }
        )

    def _create(self, request: BatchRequest) -> BatchResponse:
        body = json.loads(request.body or b"")
        there = self.jobs.get(body["id"].casefold())
        if there is not None:
            self.refuse(request, 409, "JobBeingDeleted" if there.state == "deleting" else "JobExists")
        job = ModelJob(body=body, created=self.now, etag=self._next_etag())
        self.jobs[body["id"].casefold()] = job
        return BatchResponse(status=201, headers={"etag": job.etag})

    def _check_writable(self, request: BatchRequest, job: ModelJob) -> None:
        if job.state in _WHY_NOT:
            self.refuse(request, 409, _WHY_NOT[job.state])
        if request.headers.get("If-Match", job.etag) != job.etag:
            self.refuse(request, 412, "ConditionNotMet")

    def _update(self, request: BatchRequest, job: ModelJob) -> BatchResponse:
        self._check_writable(request, job)
        change = json.loads(request.body or b"")
        if "constraints" in change:
            change["constraints"] = {"maxTaskRetryCount": 0, **change["constraints"]}
        job.body |= change
        job.etag = self._next_etag()
        if job.sealed and not job.tasks:
            self._end(job, "AllTasksComplete")
        return BatchResponse(status=200, headers={"etag": job.etag})

    def _terminate(self, request: BatchRequest, job: ModelJob) -> BatchResponse:
        self._check_writable(request, job)
        job.state = "terminating"
        job.execution["terminateReason"] = json.loads(request.body or b"")["terminateReason"]
        job.etag = self._next_etag()
        return BatchResponse(status=202, headers={"etag": job.etag})

    def _delete(self, request: BatchRequest, job: ModelJob) -> BatchResponse:
        if job.state == "deleting":
            self.refuse(request, 409, "JobBeingDeleted")
        if request.headers.get("If-Match", job.etag) != job.etag:
            self.refuse(request, 412, "ConditionNotMet")
        job.state = "deleting"
        return BatchResponse(status=202)

    def _add(self, request: BatchRequest, job: ModelJob) -> BatchResponse:
        if len(request.body or b"") >= self.max_body_bytes:
            self.refuse(request, 413, "RequestBodyTooLarge")
        if job.state in {"disabling", "disabled"}:
            self.refuse(request, 409, "JobDisabled")
        self._check_writable(request, job)
        tasks = json.loads(request.body or b"")["value"]
        if len(tasks) > 100:
            self.refuse(request, 400, "InvalidPropertyValue")
        results = [self._add_one(job, task) for task in tasks]
        if self.adding_moves_etag:
            job.etag = self._next_etag()
        # The service answers in an order of its own.
        return _json({"value": results[::-1]})

    def _add_one(self, job: ModelJob, body: dict[str, Any]) -> dict[str, Any]:
        task_id = body["id"]
        fault = self.item_fault(task_id)
        if fault == "before":
            return _item(task_id, "ServerError", "OperationTimedOut")
        if task_id in self.rejected:
            return _item(task_id, "ClientError", self.rejected[task_id])
        if task_id.casefold() in job.tasks:
            return _item(task_id, "ClientError", "TaskExists")
        job.tasks[task_id.casefold()] = ModelTask(body=body)
        return _item(task_id, "ServerError", "OperationTimedOut") if fault else _item(task_id, "Success")

    def _list(self, request: BatchRequest, path: str, page: Mapping[str, Any] | None = None) -> BatchResponse:
        query = page["query"] if page else dict(request.query)
        items = self._listed(request, path.strip("/").split("/"), query.get("$filter"))
        start, size = page["start"] if page else 0, int(query["maxresults"])
        body: dict[str, Any] = {"value": [_select(item, query) for item in items[start : start + size]]}
        if start + size < len(items):
            token = json.dumps({"query": query, "start": start + size}).encode().hex()
            body["odata.nextLink"] = f"{ACCOUNT_URL}{path}?$skiptoken={token}"
        return _json(body)

    def _listed(self, request: BatchRequest, parts: list[str], where: str | None) -> list[dict[str, Any]]:
        if len(parts) == 3:
            job = self.jobs[parts[1].casefold()]
            tasks = sorted(job.tasks.items())
            return [{**task.body, "state": task.state, "executionInfo": task.execution} for _, task in tasks]
        match = re.fullmatch(r"startswith\(id,'([^']*)'\)", where or "startswith(id,'')")
        if match is None or (where and not self.takes_id_filter):
            self.refuse(request, 400, "InvalidQueryParameterValue")
        prefix = match[1].casefold()
        return [job.json() for key, job in sorted(self.jobs.items()) if key.startswith(prefix)]

    def _file(self, request: BatchRequest, task: ModelTask | None, name: str) -> BatchResponse:
        if task is None:
            self.refuse(request, 404, "TaskNotFound")
        if name not in task.files:
            self.refuse(request, 404, "FileNotFound")
        content = task.files[name]
        if request.method == "HEAD":
            return BatchResponse(status=200, headers={**_FILE, "content-length": str(len(content))})
        first, last = request.headers["ocp-range"].removeprefix("bytes=").split("-")
        if int(first) >= len(content):
            self.refuse(request, 416, "InvalidRange")
        part = content[int(first) : int(last) + 1]
        return BatchResponse(status=206, headers=_FILE, content=part[: request.max_bytes])

    def advance(self, step: timedelta) -> None:
        self.now += step


def _json(body: object) -> BatchResponse:
    return BatchResponse(status=200, content=json.dumps(body).encode())


def _select(item: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    names = query.get("$select", "").split(",")
    return {name: value for name, value in item.items() if name in names} if names != [""] else item


def _item(task_id: str, status: str, code: str | None = None) -> dict[str, Any]:
    error = {"code": code, "message": {"lang": "en-US", "value": f"{code}.\nRequestId:1\nTime:2"}}
    return {"taskId": task_id, "status": status, **({"error": error} if code else {})}
