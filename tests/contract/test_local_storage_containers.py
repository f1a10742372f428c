"""Blob containers of local Azure, asked by Microsoft's own client; signatures by its own generator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    BlobClient,
    BlobSasPermissions,
    ContainerClient,
    ContainerSasPermissions,
    ContentSettings,
    generate_blob_sas,
    generate_container_sas,
)

from airflow_provider_batchad.local.server import LocalAzure
from airflow_provider_batchad.local.storage.routes import STORAGE_ACCOUNT


def connect(azure: LocalAzure, url: str) -> ContainerClient:
    return ContainerClient.from_container_url(url, connection_verify=os.fspath(azure.ca_file), retry_total=0)


def account_key(azure: LocalAzure) -> str:
    return azure.storage.account_key


@pytest.fixture
def container(local_azure: LocalAzure) -> Iterator[ContainerClient]:
    local_azure.storage.containers.create("results")
    with connect(local_azure, local_azure.storage.container_url("results")) as client:
        yield client


def test_blob_is_uploaded_listed_read_and_deleted(container: ContainerClient) -> None:
    settings = ContentSettings(content_type="text/csv")
    container.upload_blob("a/b c+ü.csv", b"0123456789", content_settings=settings)
    [listed] = list(container.list_blobs())
    assert (listed.name, listed.size, listed.content_settings.content_type) == ("a/b c+ü.csv", 10, "text/csv")
    blob = container.get_blob_client("a/b c+ü.csv")
    properties = blob.get_blob_properties()
    assert (properties.size, properties.etag.strip('"')) == (10, listed.etag.strip('"'))
    assert blob.download_blob().readall() == b"0123456789"
    assert blob.download_blob(offset=2, length=3).readall() == b"234"
    blob.delete_blob()
    assert list(container.list_blobs()) == []
    with pytest.raises(ResourceNotFoundError) as caught:
        blob.download_blob()
    assert caught.value.error_code == "BlobNotFound"  # type: ignore[attr-defined]


def test_empty_blob_and_overwritten_one(container: ContainerClient) -> None:
    container.upload_blob("x", b"")
    assert container.download_blob("x").readall() == b""
    before = container.get_blob_client("x").get_blob_properties().etag
    container.upload_blob("x", b"new", overwrite=True)
    assert container.download_blob("x").readall() == b"new"
    assert container.get_blob_client("x").get_blob_properties().etag != before


def test_list_is_paged_and_takes_a_prefix(container: ContainerClient) -> None:
    names = [f"dir/{number:02}" for number in range(12)] + ["other & <more>"]
    for name in names:
        container.upload_blob(name, b"x")
    pages = [[blob.name for blob in page] for page in container.list_blobs(results_per_page=5).by_page()]
    assert pages == [names[:5], names[5:10], names[10:]]
    assert [blob.name for blob in container.list_blobs(name_starts_with="dir/1")] == ["dir/10", "dir/11"]


def test_signatures_of_microsofts_generator_are_taken(local_azure: LocalAzure) -> None:
    local_azure.storage.containers.create("results")
    end = datetime.now(UTC) + timedelta(hours=1)
    options: dict[str, Any] = {"account_key": account_key(local_azure), "expiry": end}
    sas = generate_container_sas(
        STORAGE_ACCOUNT, "results", permission=ContainerSasPermissions(write=True, list=True), **options
    )
    base = f"{local_azure.endpoints.storage}/{STORAGE_ACCOUNT}/results"
    with connect(local_azure, f"{base}?{sas}") as client:
        client.upload_blob("one", b"1")
        assert [blob.name for blob in client.list_blobs()] == ["one"]
    sas = generate_blob_sas(
        STORAGE_ACCOUNT,
        "results",
        "one",
        permission=BlobSasPermissions(read=True),
        content_type="text/plain",
        start=datetime.now(UTC) - timedelta(minutes=5),
        **options,
    )
    for name, is_open in (("one", True), ("two", False)):
        url = f"{base}/{name}?{sas}"
        with BlobClient.from_blob_url(url, connection_verify=os.fspath(local_azure.ca_file)) as blob:
            if is_open:
                assert blob.download_blob().readall() == b"1"
            else:
                with pytest.raises(ClientAuthenticationError):
                    blob.download_blob()


def test_signature_opens_only_what_it_says_and_only_while_it_lasts(local_azure: LocalAzure) -> None:
    storage = local_azure.storage
    storage.containers.create("results")
    cases = (
        (storage.container_url("results", permissions="r"), 403, "AuthorizationPermissionMismatch"),
        (storage.container_url("results", lifetime=timedelta(seconds=-1)), 403, "AuthenticationFailed"),
        (storage.container_url("results").replace("sp=racwdl", "sp=racwdlx"), 403, "AuthenticationFailed"),
        (storage.container_url("other").replace("/other", "/results"), 403, "AuthenticationFailed"),
        (storage.container_url("missing"), 404, "ContainerNotFound"),
        (storage.container_url("results").partition("?")[0], 401, "NoAuthenticationInformation"),
    )
    for url, status, code in cases:
        with connect(local_azure, url) as client:
            with pytest.raises(HttpResponseError) as caught:
                client.upload_blob("x", b"x")
            assert (caught.value.status_code, caught.value.error_code) == (status, code), url  # type: ignore[attr-defined]


def test_blob_is_replaced_only_where_that_is_meant(container: ContainerClient) -> None:
    container.upload_blob("x", b"1")
    with pytest.raises(ResourceExistsError) as caught:
        container.upload_blob("x", b"2")
    assert caught.value.error_code == "BlobAlreadyExists"  # type: ignore[attr-defined]
    assert container.download_blob("x").readall() == b"1"
    container.upload_blob("x", b"3", overwrite=True)
    assert container.download_blob("x").readall() == b"3"


def test_clock_ends_a_signature(local_azure: LocalAzure, container: ContainerClient) -> None:
    container.upload_blob("x", b"x")
    local_azure.clock.advance(8 * 86400)
    with pytest.raises(ClientAuthenticationError):
        container.download_blob("x")


@pytest.mark.parametrize(
    ("headers", "query", "code"),
    [
        ({}, "", "MissingRequiredHeader"),
        ({"x-ms-blob-type": "PageBlob"}, "", "InvalidHeaderValue"),
        ({"x-ms-blob-type": "BlockBlob"}, "&comp=block&blockid=AAAA", "InvalidQueryParameterValue"),
    ],
)
def test_what_is_no_whole_block_blob_is_refused(
    local_azure: LocalAzure, session: requests.Session, headers: dict[str, str], query: str, code: str
) -> None:
    local_azure.storage.containers.create("results")
    base, sas = local_azure.storage.container_url("results").split("?")
    answer = session.put(f"{base}/x?{sas}{query}", data=b"x", headers=headers)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, code)
    assert list(local_azure.storage.containers.walk("results")) == []
    asked = session.get(f"{base}?{sas}&restype=container&comp=list&maxresults=x")
    assert asked.headers["x-ms-error-code"] == "InvalidQueryParameterValue"


def test_containers_have_names_that_azure_would_take(local_azure: LocalAzure) -> None:
    for name in ("ab", "Upper", "-x-", "a--b", "x" * 64, "a_b"):
        with pytest.raises(ValueError, match="no name for a container"):
            local_azure.storage.containers.create(name)
    assert local_azure.storage.containers.create("a-b")
    assert not local_azure.storage.containers.create("a-b")
    assert local_azure.storage.containers.names() == ("a-b",)


def test_control_port_opens_a_container(local_azure: LocalAzure, session: requests.Session) -> None:
    control = f"{local_azure.endpoints.control}/storage/containers"
    first = session.post(control, json={"name": "results", "permissions": "cw", "lifetime_seconds": 60})
    assert first.status_code == 201
    again = session.post(control, json={"name": "results"})
    assert again.status_code == 200
    with connect(local_azure, first.json()["url"]) as client:
        client.upload_blob("x", b"x")
        with pytest.raises(HttpResponseError):
            client.download_blob("x")
    with connect(local_azure, again.json()["url"]) as client:
        assert client.download_blob("x").readall() == b"x"
    for body in ({"name": "UPPER"}, {"name": "ok", "permissions": "?"}, {}):
        assert session.post(control, json=body).status_code == 400
