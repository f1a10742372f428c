"""One request in the hands of a handler, and the answers that it can make of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiohttp import web

from airflow_provider_batchad.local.batch.conditions import check_conditions
from airflow_provider_batchad.local.batch.errors import BatchError, render_envelope
from airflow_provider_batchad.local.batch.paging import Page, next_link
from airflow_provider_batchad.local.batch.ticks import to_etag, to_http_date
from airflow_provider_batchad.local.framing import chunk

if TYPE_CHECKING:
    from airflow_provider_batchad.local.access import Requirement
    from airflow_provider_batchad.local.batch.account import BatchAccount
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.job_schedule import JobSchedule
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.pool import Pool
    from airflow_provider_batchad.local.batch.query import Query
    from airflow_provider_batchad.local.batch.task import Task

T = TypeVar("T")

_JSON: Final = "application/json; odata=minimalmetadata"
# Recordings of before 2024 have it without the space. Tools that read it apart write it in their own way, so
# the bytes of the newer ones may well be the same.
_OLD_JSON: Final = "application/json;odata=minimalmetadata"
_FIRST_WITH_SPACE: Final = "2024"
_EVERY_ANSWER: Final = {
    "DataServiceVersion": "3.0",
    "Server": "Microsoft-HTTPAPI/2.0",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(slots=True)
class Exchange:
    """A request and what belongs to it.

    :param require: refuses a principal that lacks what a request needs beyond its operation.
    :param version: the API version; the newest until it was looked at.
    """

    account: BatchAccount
    request: web.Request
    query: Query
    require: Callable[[Requirement], None]
    version: str = "2025-06-01"
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def base_url(self) -> str:
        """The account's URL, without a slash at its end."""
        return self.account.base_url

    def pool(self) -> Pool:
        """The pool of the path.

        :raises BatchError: there is none.
        """
        pool = self.account.pools.get(self.request.match_info["pool_id"])
        if pool is None:
            raise BatchError("PoolNotFound")
        return pool

    def node(self) -> Node:
        """The node of the path.

        :raises BatchError: there is none.
        """
        node = self.pool().nodes.get(self.request.match_info["node_id"])
        if node is None:
            raise BatchError("NodeNotFound")
        return node

    def schedule(self) -> JobSchedule:
        """The job schedule of the path.

        :raises BatchError: there is none.
        """
        schedule = self.account.schedules.get(self.request.match_info["schedule_id"])
        if schedule is None:
            raise BatchError("JobScheduleNotFound")
        return schedule

    def job(self) -> Job:
        """The job of the path.

        :raises BatchError: there is none.
        """
        job = self.account.jobs.get(self.request.match_info["job_id"])
        if job is None:
            raise BatchError("JobNotFound")
        return job

    def job_and_task(self) -> tuple[Job, Task]:
        """The job and the task of the path.

        :raises BatchError: there is no such job, or no such task in it.
        """
        job = self.job()
        task = job.tasks.get(self.request.match_info["task_id"])
        if task is None:
            raise BatchError("TaskNotFound")
        return job, task

    def check_conditions(self, entity: Job | Task | Pool | JobSchedule, *, is_read: bool = False) -> None:
        """Hold the request's conditional headers against an entity."""
        check_conditions(self.request.headers, entity.modified, is_read=is_read)

    def headers(self, modified: int | None = None) -> dict[str, str]:
        """Those of every answer, and of an entity its ETag and last modification."""
        headers = {"request-id": self.request_id, **_EVERY_ANSWER}
        given = self.request.headers
        if given.get("return-client-request-id", "").lower() == "true" and "client-request-id" in given:
            headers["client-request-id"] = given["client-request-id"]
        if modified is not None:
            headers["ETag"] = to_etag(modified)
            headers["Last-Modified"] = to_http_date(modified)
        return headers

    def empty(
        self, status: int, *, modified: int | None = None, about: str | None = None, location: bool = False
    ) -> web.Response:
        """An answer without a body.

        :param about: the path of ``DataServiceId``, and with ``location`` of ``Location``.
        """
        headers = self.headers(modified)
        if about is not None:
            headers["DataServiceId"] = f"{self.base_url}{about}"
            if location:
                headers["Location"] = headers["DataServiceId"]
        return chunk(self.request, web.Response(status=status, headers=headers))

    def element(self, metadata: str, shown: dict[str, Any], *, modified: int | None = None) -> web.Response:
        """One entity."""
        return self.text(f"{metadata}/@Element", json.dumps(shown)[1:-1], modified=modified)

    def result(self, kind: str, shown: dict[str, Any], *, about: str | None = None) -> web.Response:
        """What an operation came to, where that is no entity.

        :param kind: the name of its type.
        :param about: the path of ``DataServiceId``.
        """
        response = self.text(f"Microsoft.Azure.Batch.Protocol.Entities.{kind}", json.dumps(shown)[1:-1])
        if about is not None:
            response.headers["DataServiceId"] = f"{self.base_url}{about}"
        return response

    def listing(self, metadata: str, values: str, page: Page[T]) -> web.Response:
        """A page of a list.

        :param values: its entities as JSON, with commas between.
        """
        members = f'"value":[{values}]'
        if page.next_key is not None:
            link = next_link(self.base_url, self.request.rel_url.raw_path, self.query, page.next_key)
            members += f',"odata.nextLink":{json.dumps(link)}'
        return self.text(metadata, members)

    def text(self, metadata: str, members: str, *, modified: int | None = None) -> web.Response:
        """A body of ready-made members."""
        url = f"{self.base_url}/$metadata#{metadata}"
        prefix = f'{{"odata.metadata":"{url}"'
        body = f"{prefix},{members}}}" if members else f"{prefix}}}"
        headers = self.headers(modified)
        headers["Content-Type"] = _JSON if self.version >= _FIRST_WITH_SPACE else _OLD_JSON
        return chunk(self.request, web.Response(body=body.encode(), headers=headers))

    def error(self, error: BatchError) -> web.Response:
        """An error; one has a length, where other answers come in chunks."""
        body = render_envelope(
            error, base_url=self.base_url, request_id=self.request_id, ticks=self.account.ticks.now()
        )
        headers = self.headers() | (error.headers or {})
        headers["Content-Type"] = _JSON if self.version >= _FIRST_WITH_SPACE else _OLD_JSON
        # Recorded: the message is the reason phrase too.
        return web.Response(status=error.status, reason=error.message, body=body, headers=headers)
