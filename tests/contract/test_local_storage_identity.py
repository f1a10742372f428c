"""Blobs by tokens: of Airflow's application, and of the managed identities of pools."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import requests
from azure.batch import models

from airflow_provider_batchad.local.config import (
    AssignmentConfig,
    LocalAzureConfig,
    ManagedIdentityConfig,
    PoolConfig,
)
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import Batch, failure, info, shell
from tests.contract.blob_storage import NODE, OTHER, READS, WRITES, config_with, container_url
from tests.contract.test_local_batch_transfers import output

WRITER = AssignmentConfig(principal="airflow-batch", role="Azure Batch Data Contributor", resource="batch")


@pytest.fixture(scope="module")
def batch() -> Iterator[Batch]:
    """An account whose nodes may write blobs, and whose application may read them."""
    with LocalAzure(config_with(WRITES, READS, WRITER)) as azure:
        batch = Batch(azure)
        yield batch
        batch.close()


class Blobs:
    """The service, as an application with a token sees it."""

    def __init__(self, batch: Batch, name: str) -> None:
        self.url = container_url(batch.azure, name)
        self._batch = batch

    def send(
        self,
        method: str,
        path: str,
        *,
        scope: str = "https://storage.azure.com/.default",
        version: str | None = "2021-12-02",
        data: bytes | None = None,
        **headers: str,
    ) -> requests.Response:
        sent = {"x-ms-version": version, **headers} if version else headers
        if scope:
            sent["Authorization"] = f"Bearer {self._batch.credential.get_token(scope).token}"
        return requests.request(
            method,
            f"{self.url}/{path}",
            headers=sent,
            data=data,
            timeout=30,
            verify=os.fspath(self._batch.azure.ca_file),
        )


@pytest.fixture
def blobs(batch: Batch) -> Blobs:
    return Blobs(batch, f"{batch.new_id()}-files")


def reference(batch: Batch, identity: ManagedIdentityConfig = NODE) -> models.BatchNodeIdentityReference:
    return models.BatchNodeIdentityReference(resource_id=batch.azure.config.identity_scope(identity))


def test_a_node_writes_as_its_pools_identity_and_an_application_reads(batch: Batch, blobs: Blobs) -> None:
    files = [output(blobs.url, "r.txt", path="a/r 1.txt", identity_reference=reference(batch))]
    task = batch.run(batch.create_job(), "t", shell("printf 0123456789 > r.txt"), output_files=files)
    assert info(task).result == "success"
    read = blobs.send("GET", "a/r%201.txt")
    assert (read.status_code, read.content) == (200, b"0123456789")
    part = blobs.send("GET", "a/r%201.txt", **{"x-ms-range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    [put] = batch.azure.ledger.entries(operation="Put Blob", principal="batch-node")
    assert put.actions == ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",)


@pytest.mark.parametrize("whole", [True, False])
def test_a_node_fetches_as_its_pools_identity(batch: Batch, blobs: Blobs, whole: bool) -> None:
    base, query = batch.azure.storage.container_url(blobs.url.rpartition("/")[2]).split("?")
    verify = os.fspath(batch.azure.ca_file)
    put = {"x-ms-blob-type": "BlockBlob"}
    assert requests.put(f"{base}/in.txt?{query}", data=b"content", headers=put, verify=verify, timeout=30).ok
    given = (
        models.ResourceFile(storage_container_url=blobs.url, identity_reference=reference(batch))
        if whole
        else models.ResourceFile(
            http_url=f"{blobs.url}/in.txt", file_path="in.txt", identity_reference=reference(batch)
        )
    )
    job_id = batch.create_job()
    batch.run(job_id, "t", shell("cat in.txt"), resource_files=[given])
    assert batch.read(job_id, "t") == b"content"


@pytest.mark.parametrize(
    ("pool", "identity", "elsewhere"),
    [("cpu", OTHER, False), ("plain", NODE, False), ("cpu", NODE, True)],
)
def test_a_node_has_no_identity_but_its_pools_and_sends_its_token_nowhere_else(
    batch: Batch, blobs: Blobs, pool: str, identity: ManagedIdentityConfig, elsewhere: bool
) -> None:
    url = batch.azure.endpoints.batch if elsewhere else blobs.url
    before = batch.azure.ledger.last_sequence
    files = [output(url, "r.txt", path="r.txt", identity_reference=reference(batch, identity))]
    task = batch.run(batch.create_job(pool), "t", shell("touch r.txt"), output_files=files)
    assert failure(task).code == "FileUploadMiscError"
    fetched = [
        models.ResourceFile(http_url=f"{url}/x", file_path="x", identity_reference=reference(batch, identity))
    ]
    task = batch.run(batch.create_job(pool), "t", "true", resource_files=fetched)
    assert failure(task).code == "BlobDownloadMiscError"
    assert not batch.azure.ledger.entries(service="storage", after=before)


def test_a_pool_shows_its_identities(batch: Batch) -> None:
    shown = batch.client.get_pool("cpu").identity
    assert shown is not None
    assert shown.type == "UserAssigned"
    assert shown.user_assigned_identities is not None
    [one] = shown.user_assigned_identities
    assert (one.resource_id, one.client_id, one.principal_id) == (
        batch.azure.config.identity_scope(NODE),
        NODE.client_id,
        NODE.object_id,
    )
    assert batch.client.get_pool("plain").identity is None


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"path": "none"}, 404, "BlobNotFound"),
        ({"method": "PUT", "path": "x", "data": b"x"}, 403, "AuthorizationPermissionMismatch"),
        ({"method": "DELETE", "path": "x"}, 403, "AuthorizationPermissionMismatch"),
        ({"path": "x", "version": None}, 403, "AuthenticationFailed"),
        ({"path": "x", "version": "2017-07-29"}, 403, "AuthenticationFailed"),
        (
            {"path": "x", "scope": "https://batch.core.windows.net//.default"},
            401,
            "InvalidAuthenticationInfo",
        ),
        ({"path": "x", "scope": ""}, 401, "NoAuthenticationInformation"),
        ({"path": "x", "scope": "", "version": "2019-07-07"}, 404, "ResourceNotFound"),
        ({"path": "x", "scope": "", "Authorization": "Basic eA=="}, 400, "InvalidAuthenticationInfo"),
        ({"path": "x", "scope": "", "Authorization": "SharedKey a:eA=="}, 403, "AuthenticationFailed"),
    ],
)
def test_what_a_token_does_not_give(
    blobs: Blobs, request_: dict[str, object], status: int, code: str
) -> None:
    answer = blobs.send(**{"method": "GET", **request_})  # type: ignore[arg-type]
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code)
    challenge = answer.headers.get("WWW-Authenticate", "")
    assert ("resource_id=https://storage.azure.com" in challenge) == (status == 401)


def test_a_container_that_is_not_there_is_told_to_who_may_read_it_alone(batch: Batch, blobs: Blobs) -> None:
    batch.azure.storage.containers.delete(blobs.url.rpartition("/")[2], "x")
    blobs.url += "-none"
    assert blobs.send("GET", "x").headers["x-ms-error-code"] == "ContainerNotFound"
    assert blobs.send("DELETE", "x").headers["x-ms-error-code"] == "AuthorizationPermissionMismatch"


def test_a_role_at_one_container_counts_there_alone(batch: Batch, blobs: Blobs) -> None:
    application = batch.azure.config.applications[0]
    name = blobs.url.rpartition("/")[2]
    assignment = batch.azure.roles.assign(
        principal_id=application.object_id,
        role="Storage Blob Data Contributor",
        scope=batch.azure.config.container_scope(name),
    )
    put = {"method": "PUT", "data": b"x", "x-ms-blob-type": "BlockBlob"}
    assert blobs.send(path="x", **put).status_code == 201  # type: ignore[arg-type]
    assert Blobs(batch, f"{name}-2").send(path="x", **put).status_code == 403  # type: ignore[arg-type]
    batch.azure.roles.unassign(assignment.id)


@pytest.mark.parametrize("name", ["nobody", "airflow-worker"])
def test_a_pools_identity_must_be_a_user_assigned_one(name: str) -> None:
    with pytest.raises(ValueError, match=f"pool 'cpu': there is no user-assigned managed identity '{name}'"):
        LocalAzureConfig(pools=(PoolConfig(id="cpu", identities=(name,)),))
