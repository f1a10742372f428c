"""Whatever bytes arrive on a port of local Azure, it answers or hangs up: no 5xx, and nothing hangs."""

from __future__ import annotations

import itertools
import socket
import ssl
from collections.abc import Iterator
from typing import get_args
from urllib.parse import urlsplit

import pytest

from airflow_provider_batchad.local.config import (
    BATCH_RESOURCE,
    VAULT_RESOURCE,
    AssignmentConfig,
    LocalAzureConfig,
    ServiceName,
)
from airflow_provider_batchad.local.server import LocalAzure

# So that not every request ends in 403.
ASSIGNMENTS = (
    AssignmentConfig(principal="airflow-worker", role="Key Vault Secrets Officer", resource="keyvault"),
    AssignmentConfig(principal="airflow-batch", role="Owner", resource="subscription"),
    AssignmentConfig(principal="airflow-batch", role="Azure Batch Data Contributor", resource="batch"),
)
CALLERS = {
    "batch": ("airflow-batch", BATCH_RESOURCE),
    "keyvault": ("airflow-worker", VAULT_RESOURCE),
    "management": ("airflow-batch", "https://management.core.windows.net/"),
}
# A request that is not answered in this time counts as one that hangs.
TIMEOUT_SECONDS = 30
WRITES = {
    "batch": ["POST /jobs?api-version=2025-06-01", "POST /jobs/j/addtaskcollection?api-version=2025-06-01"],
    "entra": ["POST /common/oauth2/v2.0/token", "POST /common/oauth2/v2.0/devicecode", "POST /devicelogin"],
    "keyvault": ["PUT /secrets/x?api-version=7.4", "PATCH /secrets/x?api-version=7.4"],
    "management": [
        "PUT /subscriptions/x/providers/Microsoft.Authorization/roleAssignments/y?api-version=2022-04-01",
    ],
    "control": ["POST /faults", "POST /roles", "PUT /clock"],
    "storage": ["PUT /container/blob"],
    "identity": ["POST /msi/token"],
}
READS = [
    *(
        "/",
        "//",
        "/..",
        "/%zz%",
        "*",
        "/\xff\xfe",
        "/x/%C3%28",
        f"/jobs/{'a' * 9000}",
        "http://elsewhere/jobs",
    ),
    "/jobs?api-version=2025-06-01&api-version=x",
    "/jobs?api-version=2025-06-01&$filter=%ff%fe",
    f"/jobs?api-version=2025-06-01&$filter={'(' * 4000}",
    f"/jobs?api-version=2025-06-01&$filter={'not%20' * 1200}",
    "/jobs?api-version=2025-06-01&$filter=creationTime%20gt%20datetime'99999-99-99T99'",
    "/jobs?api-version=2025-06-01&maxresults=%D9%A1",
    "/pools/cpu?api-version=2025-06-01",
    "/secrets/batch-client-secret?api-version=7.4",
    "/subscriptions?api-version=2022-12-01",
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x",
]
TYPES = [
    "application/json; charset=nonsense",
    "application/x-www-form-urlencoded; charset=bogus",
    "multipart/form-data",
    "\xff",
]
BODIES = [
    b"",
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b'{"value":"x","attributes":{"exp":1e400}}',
    b'{"id":' + b"9" * 6000 + b"}",
    b'{"id":-Infinity,"id":NaN}',
    b'{"value":"\\ud800","id":"\\ud800"}',
    b"\xff\xfe\x00",
    b"a=%zz&a=%ff&grant_type=client_credentials",
]
# What stands between the request line and the body, and the body.
FRAMES = [
    ("Content-Length: -1\r\n", b"x"),
    ("Content-Length: 1\r\nContent-Length: 2\r\n", b"xx"),
    ("Transfer-Encoding: chunked\r\n", b"zz\r\nxx\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
    ("Transfer-Encoding: gzip\r\n", b"xxx"),
    ("Content-Encoding: gzip\r\nContent-Length: 3\r\n", b"xxx"),
    ("Content-Encoding: deflate\r\nContent-Length: 3\r\n", b"xxx"),
    ("Content-Encoding: br\r\nContent-Length: 3\r\n", b"xxx"),
    ("Expect: nonsense\r\nContent-Length: 2\r\n", b"{}"),
]
ODD = [
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\r\n\r\n",
    b"\x00\x01\x02\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: [::1\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 5000 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\nConnection: close\r\n\r\n",
    b"GET /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: SharedKey x:\xff\r\nConnection: close\r\n\r\n",
    b"CONNECT localhost:1 HTTP/1.1\r\nHost: x\r\n\r\n",
]


def requests_of(service: str, token: str) -> Iterator[bytes]:
    """Requests as bytes; each asks for the connection's end."""
    common = f"Host: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
    odd_id = "client-request-id: \xff\x01\r\nreturn-client-request-id: true\r\n"
    for path, method, version in itertools.product(READS, ("GET", "HEAD"), ("1.0", "1.1")):
        yield f"{method} {path} HTTP/{version}\r\n{common}\r\n".encode("latin-1")
    yield f"GET /jobs HTTP/1.1\r\n{common}{odd_id}\r\n".encode("latin-1")
    for line in WRITES[service]:
        head = f"{line} HTTP/1.1\r\n{common}"
        for content_type, body in itertools.product(TYPES, BODIES):
            framed = f"{head}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
            yield framed.encode("latin-1") + body
        for frame, body in FRAMES:
            yield f"{head}{frame}\r\n".encode() + body
    yield from ODD


def ask(url: str, context: ssl.SSLContext, request: bytes) -> bytes:
    """The beginning of the answer; nothing where the server hung up."""
    parts = urlsplit(url)
    assert parts.port is not None
    with socket.create_connection(("127.0.0.1", parts.port), timeout=TIMEOUT_SECONDS) as plain:
        wrapped = (
            context.wrap_socket(plain, server_hostname="localhost") if parts.scheme == "https" else plain
        )
        with wrapped:
            try:
                wrapped.sendall(request)
                return wrapped.recv(4096)
            except (ConnectionError, ssl.SSLError):
                return b""


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalAzure]:
    with LocalAzure(LocalAzureConfig(port=0, assignments=ASSIGNMENTS)) as running:
        yield running


@pytest.mark.parametrize("service", get_args(ServiceName))
@pytest.mark.timeout(300)
def test_no_bytes_are_too_much_for_a_port(azure: LocalAzure, service: str) -> None:
    context = ssl.create_default_context(cafile=str(azure.ca_file))
    token = "none"
    if service in CALLERS:
        name, audience = CALLERS[service]
        principal = azure.directory.principal(name)
        token, _ = azure.tokens.issue(principal, audience=audience, lifetime_seconds=1e9)
    answered = 0
    for request in requests_of(service, token):
        # A rule that the control port was given by an earlier request.
        azure.faults.clear()
        answer = ask(azure.endpoints.as_dict()[service], context, request)
        assert answer[8:10] != b" 5", (request[:300], answer)
        answered += bool(answer)
    assert answered > len(READS)
