"""A Batch account of local Azure with Microsoft's client signed in to it."""

from __future__ import annotations

import itertools
import os
import shlex
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
import requests
from azure.batch import BatchClient, models
from azure.batch.aio import BatchClient as AsyncBatchClient
from azure.identity import ClientSecretCredential
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential

from airflow_provider_batchad.local.config import (
    BATCH_RESOURCE,
    AssignmentConfig,
    LocalAzureConfig,
    PoolConfig,
)
from airflow_provider_batchad.local.server import LocalAzure

T = TypeVar("T")

API_VERSION = "2025-06-01"
CONFIG = LocalAzureConfig(
    port=0,
    token_lifetime_seconds=10_000_000,
    pools=(
        PoolConfig(id="cpu", nodes=2, slots=4),
        PoolConfig(id="one", nodes=1, slots=1),
        PoolConfig(id="empty", nodes=0, slots=4),
    ),
    assignments=(
        AssignmentConfig(principal="airflow-batch", role="Azure Batch Data Contributor", resource="batch"),
    ),
)


def eventually(ask: Callable[[], T | None], *, seconds: float = 20.0) -> T:
    """What ``ask`` answers as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not come true in time")
        time.sleep(0.01)
    return answer


def shell(script: str) -> str:
    return f"/bin/sh -c {shlex.quote(script)}"


@asynccontextmanager
async def aio_client(batch: Batch) -> AsyncIterator[AsyncBatchClient]:
    """Microsoft's asynchronous client of the same account."""
    azure = batch.azure
    application = azure.config.applications[0]
    registered = azure.directory.application(application.client_id)
    assert registered is not None
    ca_file = os.fspath(azure.ca_file)
    async with (
        AsyncClientSecretCredential(
            azure.config.tenant.id,
            application.client_id,
            registered.secrets[0].value,
            authority=azure.endpoints.entra,
            connection_verify=ca_file,
        ) as credential,
        AsyncBatchClient(batch.url, credential, connection_verify=ca_file, retry_total=0) as client,
    ):
        yield client


def info(task: models.BatchTask) -> models.BatchTaskExecutionInfo:
    assert task.execution_info is not None
    return task.execution_info


def failure(task: models.BatchTask) -> models.BatchTaskFailureInfo:
    found = info(task).failure_info
    assert found is not None
    return found


class Batch:
    """The account, seen by Microsoft's client and by a bare one."""

    def __init__(self, azure: LocalAzure) -> None:
        self.azure = azure
        self.url = azure.endpoints.batch
        application = azure.config.applications[0]
        registered = azure.directory.application(application.client_id)
        assert registered is not None
        self.credential = ClientSecretCredential(
            azure.config.tenant.id,
            application.client_id,
            registered.secrets[0].value,
            authority=azure.endpoints.entra,
            disable_instance_discovery=True,
            connection_verify=os.fspath(azure.ca_file),
        )
        self.client = BatchClient(
            self.url, self.credential, connection_verify=os.fspath(azure.ca_file), retry_total=0
        )
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = os.fspath(azure.ca_file)
        token = self.credential.get_token(f"{BATCH_RESOURCE}/.default").token
        self.session.headers["Authorization"] = f"Bearer {token}"
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self.session.close()
        self.client.close()
        self.credential.close()

    def send(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        """A bare request; ``api-version`` is added unless the path has a query."""
        separator = "&" if "?" in path else "?"
        if "api-version" not in path:
            path = f"{path}{separator}api-version={API_VERSION}"
        return self.session.request(method, f"{self.url}{path}", json=body, timeout=30, **options)

    def new_id(self) -> str:
        return f"job-{next(self._numbers)}"

    def create_job(self, pool: str = "cpu", **options: Any) -> str:
        job_id = self.new_id()
        pool_info = models.BatchPoolInfo(pool_id=pool)
        self.client.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=pool_info, **options))
        return job_id

    def add(self, job_id: str, task_id: str, command_line: str = "/bin/true", **options: Any) -> None:
        task = models.BatchTaskCreateOptions(id=task_id, command_line=command_line, **options)
        self.client.create_task(job_id, task)

    def run(self, job_id: str, task_id: str, command_line: str, **options: Any) -> models.BatchTask:
        """Add a task and wait for its end."""
        self.add(job_id, task_id, command_line, **options)
        return self.finished(job_id, task_id)

    def finished(self, job_id: str, task_id: str) -> models.BatchTask:
        return eventually(lambda: self._find(job_id, task_id, "completed"))

    def running(self, job_id: str, task_id: str) -> models.BatchTask:
        return eventually(lambda: self._find(job_id, task_id, "running"))

    def job_in(self, job_id: str, state: str) -> models.BatchJob:
        """The job, once it is in that state."""

        def look() -> models.BatchJob | None:
            job = self.client.get_job(job_id)
            return job if job.state == state else None

        return eventually(look)

    def read(self, job_id: str, task_id: str, path: str = "stdout.txt") -> bytes:
        return b"".join(self.client.download_task_file(job_id, task_id, path))

    def counts(self, job_id: str) -> models.BatchTaskCounts:
        return self.client.get_job_task_counts(job_id).task_counts

    def _find(self, job_id: str, task_id: str, state: str) -> models.BatchTask | None:
        task = self.client.get_task(job_id, task_id)
        return task if task.state == state else None


@pytest.fixture(scope="module")
def batch() -> Iterator[Batch]:
    """An account that the tests of a module share; each makes its own jobs."""
    with LocalAzure(CONFIG) as azure:
        account = Batch(azure)
        yield account
        account.close()


@pytest.fixture
def own_batch() -> Iterator[Batch]:
    """An account of the test's own, for what changes the clock, the roles or the quota."""
    with LocalAzure(CONFIG) as azure:
        account = Batch(azure)
        yield account
        account.close()
