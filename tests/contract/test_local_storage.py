from __future__ import annotations

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.server import LocalAzure


@pytest.fixture
def local_azure_config(tmp_path: Path) -> LocalAzureConfig:
    files = tmp_path / "files"
    (files / "data").mkdir(parents=True)
    (files / "data" / "weather.csv").write_bytes(b"0123456789")
    (tmp_path / "secret.txt").write_text("outside")
    (files / "link.txt").symlink_to(tmp_path / "secret.txt")
    return LocalAzureConfig(port=0, files_dir=files)


def test_file_is_served_whole_and_in_ranges(local_azure: LocalAzure, session: requests.Session) -> None:
    url = f"{local_azure.endpoints.storage}/data/weather.csv"
    whole = session.get(url)
    assert (whole.status_code, whole.content) == (200, b"0123456789")
    part = session.get(url, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["Content-Range"] == "bytes 2-4/10"
    head = session.head(url)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "10", b"")
    assert session.get(url, headers={"Range": "bytes=90-"}).status_code == 416


def test_what_is_not_there_is_blob_not_found(local_azure: LocalAzure, session: requests.Session) -> None:
    for path in ("/nothing", "/", "/data"):
        answer = session.get(local_azure.endpoints.storage + path)
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (404, "BlobNotFound")
        assert b"<Code>BlobNotFound</Code>" in answer.content


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/data/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/data/..%2f..%2fsecret.txt",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/link.txt",
        "/data/weather.csv%00",
    ],
)
def test_no_path_leads_out_of_the_directory(local_azure: LocalAzure, path: str) -> None:
    answer = _raw_get(local_azure, path)
    assert answer.split(b" ", 2)[1] in (b"404", b"400")
    assert b"outside" not in answer
    assert b"root:" not in answer


def _raw_get(azure: LocalAzure, path: str) -> bytes:
    """A request whose path no client has put in order."""
    address = urlsplit(azure.endpoints.storage)
    context = ssl.create_default_context(cafile=str(azure.ca_file))
    with (
        socket.create_connection(("127.0.0.1", address.port or 0)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_public_files_cannot_be_written(local_azure: LocalAzure, session: requests.Session) -> None:
    url = f"{local_azure.endpoints.storage}/data"
    for answer in (session.put(f"{url}/new.txt", data=b"x"), session.delete(f"{url}/weather.csv")):
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (404, "ResourceNotFound")
    assert session.post(f"{url}/weather.csv").status_code == 405
    assert session.get(f"{url}/weather.csv").status_code == 200
