"""Faults between this package and Batch, and what it does with a job while one is in force."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

import pytest

from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, AzureBatchAdHook, clients
from airflow_provider_batchad.jobs.naming import Attempt
from airflow_provider_batchad.jobs.plan import Plan
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, Steps
from airflow_provider_batchad.local.client_settings import (
    CLOUD_NAME,
    client_environment,
    describe_cloud,
    describe_connection,
)
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.fault_matrix import HTML, date_ahead
from tests.contract.signing_in import SigningIn

T = TypeVar("T")
Way = Literal["sync", "async"]

HANG_SECONDS = 0.25
ACTIONS = ("jobs/read", "jobs/write", "jobs/delete")
WRONG = '{"id": 7, "state": {}, "value": 7, "taskCounts": [], "odata.nextLink": 7}'
FAULTS: dict[str, Callable[[], dict[str, Any]] | None] = {
    "refused": None,
    "hangs": lambda: {"hold": True},
    "reset": lambda: {"broken": "reset"},
    "reset, done": lambda: {"broken": "reset", "when": "after"},
    "cut": lambda: {"broken": "truncate"},
    "half a JSON": lambda: {"status": 200, "body": '{"value": [{"id": "x"'},
    "HTML 502": lambda: {"status": 502, "body": HTML, "headers": {"Content-Type": "text/html"}},
    "429, seconds": lambda: {"status": 429, "headers": {"Retry-After": "7"}},
    "429, date": lambda: {"status": 429, "headers": {"Retry-After": date_ahead()}},
    "429, garbage": lambda: {"status": 429, "headers": {"Retry-After": "soon"}},
    "500": lambda: {"status": 500},
    "503": lambda: {"status": 503},
    "wrong types": lambda: {"status": 200, "body": WRONG},
    "empty": lambda: {"status": 200, "body": ""},
}


@dataclass
class Line:
    """The way to Batch, on which one operation goes wrong.

    :param dead: a connection to a port where nothing listens.
    :param slept: the waits of azure-core between its tries; none is slept.
    """

    signing_in: SigningIn
    way: Way
    slept: list[float] = field(default_factory=list)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    fault: str | None = None
    operation: str = ""

    def __post_init__(self) -> None:
        self._runner = asyncio.Runner()
        self._hook = _SyncHook(self)
        self._async_hook = _AsyncHook(self)

    def run(self, steps: Steps[T]) -> T:
        """Run steps to their end, over whatever is in force; only the test's clock passes in their pauses."""
        if self.way == "sync":
            return self._hook.run(steps, self._pass_time)
        return self._runner.run(self._async_hook.run(steps, self._pass_time_on_loop))

    def close(self) -> None:
        """End its connections."""
        self._hook.close()
        self._runner.run(self._async_hook.close())
        self._runner.close()

    @contextmanager
    def broken(self, operation: str, fault: str) -> Iterator[Callable[[], int]]:
        """The fault in force; gives how many requests it has met."""
        make = FAULTS[fault]
        self.fault, self.operation = fault, operation
        faults = self.signing_in.azure.faults
        rule = faults.add(FaultRule(service="batch", operation=operation, **make())) if make else None
        try:
            yield lambda: faults.hits(rule.id) if rule else 1
        finally:
            self.fault = None
            if rule is not None:
                faults.remove(rule.id)

    def connection_for(self, request: BatchRequest) -> str:
        """Over which connection a request goes."""
        if self.fault == "refused" and request.operation == self.operation:
            return "dead"
        return "hasty" if self.fault == "hangs" else "batchad_default"

    def _pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def _pass_time_on_loop(self, seconds: float) -> None:
        self._pass_time(seconds)


class _SyncHook(AzureBatchAdHook):
    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self._hooks: dict[str, AzureBatchAdHook] = {}

    def send(self, request: BatchRequest) -> BatchResponse:
        # Each signs in once: Airflow's masker compiles all of its secrets anew with each.
        name = self._line.connection_for(request)
        return self._hooks.setdefault(name, AzureBatchAdHook(name, actions=ACTIONS)).send(request)

    def close(self) -> None:
        for hook in self._hooks.values():
            hook.close()


class _AsyncHook(AzureBatchAdAsyncHook):
    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line
        self._hooks: dict[str, AzureBatchAdAsyncHook] = {}

    async def send(self, request: BatchRequest) -> BatchResponse:
        name = self._line.connection_for(request)
        return await self._hooks.setdefault(name, AzureBatchAdAsyncHook(name, actions=ACTIONS)).send(request)

    async def close(self) -> None:
        for hook in self._hooks.values():
            await hook.close()


def connect(signing_in: SigningIn, dead_port: int, patch: pytest.MonkeyPatch) -> None:
    """The connections of a :class:`Line`: as it is, with little patience, and to nobody."""
    azure = signing_in.azure
    described, cloud = describe_connection(azure), describe_cloud(azure)
    dead = f"localhost:{dead_port}"
    hasty = {**described, "extra": {**described["extra"], "account_resource_id": None}}
    nobody = {**described, "host": f"https://{dead}", "extra": {**described["extra"], "cloud": "dead"}}
    environment = {
        **client_environment(azure),
        "AIRFLOW__BATCHAD__CLOUDS": json.dumps({CLOUD_NAME: cloud, "dead": {**cloud, "batch_suffix": dead}}),
        "AIRFLOW_CONN_HASTY": json.dumps(hasty),
        "AIRFLOW_CONN_DEAD": json.dumps(nobody),
    }
    for name, value in environment.items():
        patch.setenv(name, value)


def spare_the_waits(line: Line, patch: pytest.MonkeyPatch) -> None:
    """azure-core tries again at once, and gives a silent host up soon on the hasty connection."""

    def sleep(_: object, settings: dict[str, Any], transport: object, response: Any = None) -> None:
        wait = clients.ShortRetryPolicy().get_retry_after(response) if response is not None else None
        line.slept.append(wait or 0.0)

    async def sleep_async(*arguments: Any, **named: Any) -> None:
        sleep(*arguments, **named)

    def hasty(make: Callable[..., T]) -> Callable[..., T]:
        def made(connection: Any, *arguments: Any, **named: Any) -> T:
            with pytest.MonkeyPatch.context() as shortened:
                if not connection.account_resource_id:
                    shortened.setitem(clients._PATIENT, "read_timeout", HANG_SECONDS)
                    shortened.setitem(clients._RETRIES, "retry_total", 1)
                return make(connection, *arguments, **named)

        return made

    patch.setattr(clients.ShortRetryPolicy, "sleep", sleep)
    patch.setattr(clients.AsyncShortRetryPolicy, "sleep", sleep_async)
    patch.setattr(clients, "batch_client", hasty(clients.batch_client))
    patch.setattr(clients, "async_batch_client", hasty(clients.async_batch_client))


_numbers = itertools.count(1)


def new_plan() -> Plan:
    """The plan of a task instance of its own."""
    return Plan(
        prefix=f"wire-{next(_numbers):04d}-",
        attempt=Attempt(epoch=0, number=1),
        first_try=1,
        metadata={"airflow_dag": "wire"},
        owner="the-task-instance",
        limit=timedelta(hours=1),
        outputs=("r.json",),
        max_output_bytes=1000,
    )
