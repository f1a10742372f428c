"""A Batch account that Microsoft's client provokes to its errors: requests as they are, states that last."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from typing import Any, Final

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AccessToken
from azure.core.rest import HttpRequest

from airflow_provider_batchad.local.batch import node_flow, pool_flow
from airflow_provider_batchad.local.config import BATCH_RESOURCE
from tests.contract.batch_fixtures import API_VERSION, Batch, eventually

_LONG_SECONDS: Final = 3600.0
_MACHINE: Final = {
    "imageReference": {
        "publisher": "Canonical",
        "offer": "0001-com-ubuntu-server-jammy",
        "sku": "22_04-lts",
        "version": "latest",
    },
    "nodeAgentSKUId": "batch.node.ubuntu 22.04",
}


def pool_body(pool_id: str, **members: Any) -> dict[str, Any]:
    """A pool of one node; ``None`` leaves a member out."""
    body = {
        "id": pool_id,
        "vmSize": "Standard_D2s_v3",
        "virtualMachineConfiguration": _MACHINE,
        "targetDedicatedNodes": 1,
        **members,
    }
    return {name: value for name, value in body.items() if value is not None}


class KnownToken:
    """A credential that has a token already."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        return AccessToken(self._token, 10**11)


class Account:
    """Makes one request after another; what is made for a test lasts no longer than it.

    :param patch: undone with the test.
    :param stack: closed with the test.
    """

    def __init__(self, batch: Batch, patch: pytest.MonkeyPatch, stack: ExitStack) -> None:
        self.batch = batch
        self.patch = patch
        self.stack = stack

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        client: BatchClient | None = None,
    ) -> Any:
        """A request through the client's pipeline, whose policy raises what the service refuses.

        :return: the answer's JSON, if it has any.
        """
        if "api-version" not in path:
            path += f"{'&' if '?' in path else '?'}api-version={API_VERSION}"
        content = {} if body is None else {"json": body}
        request = HttpRequest(method, path, headers=headers or {}, **content)
        answer = (client or self.batch.client).send_request(request)
        return answer.json() if answer.content else None

    def post(self, path: str, body: Any = None) -> Any:
        return self.ask("POST", path, {} if body is None else body)

    def client_for(self, audience: str = BATCH_RESOURCE, *, principal: str = "airflow-batch") -> BatchClient:
        """A client with a token of another audience, or of another principal."""
        azure = self.batch.azure
        token, _ = azure.tokens.issue(
            azure.directory.principal(principal), audience=audience, lifetime_seconds=3600
        )
        ca_file = os.fspath(azure.ca_file)
        client = BatchClient(self.batch.url, KnownToken(token), connection_verify=ca_file, retry_total=0)
        return self.stack.enter_context(client)

    def new_id(self) -> str:
        return self.batch.new_id()

    def task(self, task_id: str = "t", **members: Any) -> dict[str, Any]:
        return {"id": task_id, "commandLine": "/bin/echo x", **members}

    def job(self, pool: str = "empty", **members: Any) -> str:
        """A job; in its pool no task runs, unless another is named."""
        job_id = self.new_id()
        self.post("/jobs", {"id": job_id, "poolInfo": {"poolId": pool}, **members})
        return job_id

    def job_with_task(self, pool: str = "empty", *, job: dict[str, Any] | None = None, **members: Any) -> str:
        """A job with the task ``t``."""
        job_id = self.job(pool, **(job or {}))
        self.post(f"/jobs/{job_id}/tasks", self.task(**members))
        return job_id

    def job_with_files(self, **members: Any) -> str:
        """A job whose task ``t`` has ended and left its files."""
        job_id = self.job_with_task("cpu", **members)
        self.batch.finished(job_id, "t")
        return job_id

    def job_that_lingers(self, verb: str) -> str:
        """A job that is being terminated or deleted and comes to no end: its release task goes on."""
        task = {"commandLine": "/bin/sleep 3600"}
        job_id = self.job_with_files(
            job={
                "jobPreparationTask": {"commandLine": "/bin/true"},
                "jobReleaseTask": task,
            }
        )
        self.ask(
            *{"terminate": ("POST", f"/jobs/{job_id}/terminate", {})}.get(verb, ("DELETE", f"/jobs/{job_id}"))
        )
        return job_id

    def schedule(self, **members: Any) -> str:
        """A job schedule whose first job is due at once."""
        schedule_id = self.new_id()
        specification = {"poolInfo": {"poolId": "cpu"}, **members}
        self.post("/jobschedules", {"id": schedule_id, "schedule": {}, "jobSpecification": specification})
        return schedule_id

    def pool(self, **members: Any) -> str:
        """A pool that is steady, its nodes idle."""
        pool_id = self.new_id()
        self.post("/pools", pool_body(pool_id, **members))
        eventually(lambda: self.ask("GET", f"/pools/{pool_id}")["allocationState"] == "steady")
        eventually(lambda: all(node["state"] == "idle" for node in self._nodes(pool_id)))
        return pool_id

    def node(self, pool_id: str = "cpu") -> str:
        """The path of a pool's first node."""
        node = eventually(lambda: self._nodes(pool_id))[0]
        return f"/pools/{pool_id}/nodes/{node['id']}"

    def hold_new_nodes(self) -> None:
        """Nodes do not come to the end of being created, however long the test takes."""

        async def wait(_work: object) -> None:
            await asyncio.sleep(_LONG_SECONDS)

        self.patch.setattr(node_flow, "_in_thread", wait)

    def hold_nodes(self) -> None:
        """Nodes stay in what they are about, however long the test takes."""
        self.patch.setattr(node_flow, "_SERVICE_SECONDS", _LONG_SECONDS)

    def hold_pools(self) -> None:
        """Pools stay in what they are about, however long the test takes."""
        self.patch.setattr(pool_flow, "_SERVICE_SECONDS", _LONG_SECONDS)

    def _nodes(self, pool_id: str) -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = self.ask("GET", f"/pools/{pool_id}/nodes")["value"]
        return nodes
