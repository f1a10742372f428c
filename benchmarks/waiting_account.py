"""The jobs of :mod:`benchmarks.waiting`: each of one task that does not end before it is told to."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode

from airflow_provider_batchad.local.config import AIRFLOW_APPLICATION
from benchmarks.bare_client import BareClient
from benchmarks.local_azure import SCOPE, VERSION

if TYPE_CHECKING:
    from airflow_provider_batchad.local.server import LocalAzure

JSON = "application/json; odata=minimalmetadata"


class Account:
    """Somebody else who makes jobs and ends them."""

    def __init__(self, azure: LocalAzure) -> None:
        registered = azure.directory.application(AIRFLOW_APPLICATION.client_id)
        if registered is None:
            raise LookupError("local Azure has an application of its own")
        form = {
            "client_id": AIRFLOW_APPLICATION.client_id,
            "client_secret": registered.secrets[-1].value,
            "grant_type": "client_credentials",
            "scope": SCOPE,
        }
        ca_file = os.fspath(azure.ca_file)
        with BareClient(azure.endpoints.entra, ca_file=ca_file) as entra:
            path = f"/{azure.config.tenant.id}/oauth2/v2.0/token"
            answer = json.loads(
                entra.post(path, urlencode(form).encode(), "application/x-www-form-urlencoded")
            )
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        self._client = BareClient(azure.endpoints.batch, ca_file=ca_file, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.__exit__(None, None, None)

    def create(self, job: str) -> None:
        """A job whose task waits for a node."""
        self._post("/jobs", {"id": job, "poolInfo": {"poolId": "empty"}})
        self._post(f"/jobs/{job}/tasks", {"id": "t", "commandLine": "true"})

    def end(self, job: str) -> float:
        """End the task, which the peer looks at, and the job, which ours does; when that was."""
        self._post(f"/jobs/{job}/tasks/t/terminate", None)
        self._post(f"/jobs/{job}/terminate", {"terminateReason": "the benchmark ends it"})
        return time.time()

    def _post(self, path: str, body: object) -> None:
        self._client.post(f"{path}?{VERSION}", json.dumps(body).encode() if body else b"", JSON)
