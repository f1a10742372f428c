from __future__ import annotations

import gc
import os
import socket
import ssl
import stat
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from airflow_provider_batchad.local.config import DEFAULT_ASSIGNMENTS, SERVICES, LocalAzureConfig
from airflow_provider_batchad.local.listeners import PortTaken, open_listeners
from airflow_provider_batchad.local.server import LocalAzure


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def listening_addresses() -> set[tuple[str, int]]:
    """The (address, port) pairs that this process listens on, from the kernel's own tables."""
    inodes = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            inodes.add(descriptor.readlink().name)
        except FileNotFoundError:
            continue
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                address, port = fields[1].split(":")
                words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
                found.add((socket.inet_ntop(family, b"".join(words)), int(port, 16)))
    return found


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])  # noqa: S104
def test_an_address_that_is_not_loopback_is_refused_and_said(host: str) -> None:
    with pytest.raises(ValueError, match="not loopback"):
        LocalAzureConfig(host=host)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's tables of sockets")
def test_it_listens_on_loopback_alone() -> None:
    before = listening_addresses()
    with LocalAzure() as azure:
        opened = listening_addresses() - before
        ports = {port_of(url) for url in azure.endpoints.as_dict().values()}
    assert {port for _, port in opened} == ports
    assert {address for address, _ in opened} <= {"127.0.0.1", "::1"}
    assert not listening_addresses() - before


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_certificate_holds_for_every_name_of_loopback(local_azure: LocalAzure, name: str) -> None:
    if name == "[::1]" and not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    with requests.Session() as client:
        client.trust_env = False
        client.verify = os.fspath(local_azure.ca_file)
        url = f"https://{name}:{port_of(local_azure.endpoints.control)}/health"
        assert client.get(url).json() == {"status": "ready"}


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_client_that_does_not_know_the_authority_refuses_it(local_azure: LocalAzure) -> None:
    context = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", port_of(local_azure.endpoints.batch))) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


def ports_in_a_row(count: int) -> int:
    """The first of so many free ports in a row, below those that the system gives to others meanwhile."""
    # Not where another process of these tests begins.
    start = 20_000 + os.getpid() * count % 10_000
    for base in range(start, start + 1_000, count):
        try:
            for sockets in open_listeners(LocalAzureConfig(port=base)).values():
                for one in sockets:
                    one.close()
        except PortTaken:
            continue
        return base
    raise AssertionError(f"no {count} free ports in a row")


def test_fixed_ports_follow_in_order_and_a_taken_one_is_named() -> None:
    base = ports_in_a_row(len(SERVICES))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {taken} of localhost .* already in use"):
            LocalAzure(LocalAzureConfig(port=taken)).start()
    with LocalAzure(LocalAzureConfig(port=base)) as azure:
        ports = [port_of(azure.endpoints.as_dict()[name]) for name in SERVICES]
    assert ports == list(range(base, base + len(SERVICES)))


def test_stopping_leaves_no_thread_and_no_directory() -> None:
    before = set(threading.enumerate())
    with LocalAzure() as azure:
        directory = azure.ca_file.parent
        assert directory.exists()
    assert not directory.exists()
    assert set(threading.enumerate()) == before
    azure.stop()


def test_state_directory_keeps_the_authority_and_its_key_private(tmp_path: Path) -> None:
    config = LocalAzureConfig(port=0, state_dir=tmp_path / "state")
    with LocalAzure(config) as azure:
        authority = azure.ca_file.read_bytes()
    key = tmp_path / "state" / "ca-key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    with LocalAzure(config) as azure, requests.Session() as client:
        client.trust_env = False
        client.verify = os.fspath(azure.ca_file)
        assert azure.ca_file.read_bytes() == authority
        assert client.get(f"{azure.endpoints.control}/health").status_code == 200


def test_secrets_differ_at_each_start_and_ids_do_not() -> None:
    with LocalAzure() as one, LocalAzure() as two:
        first, second = one.directory.applications()[0], two.directory.applications()[0]
        assert first.principal == second.principal
        assert first.secrets[0].value != second.secrets[0].value
        assert one.identity_header != two.identity_header
        token = one.tokens.issue(first.principal, audience="a", lifetime_seconds=60)[0]
        assert token not in repr(one.tokens)
        assert first.secrets[0].value not in repr(first.secrets)


def test_secrets_file_holds_every_secret_and_token_and_is_private(
    tmp_path: Path,
) -> None:
    path = tmp_path / "secrets.txt"
    with LocalAzure(LocalAzureConfig(port=0, secrets_file=path)) as azure, requests.Session() as client:
        client.trust_env = False
        client.verify = os.fspath(azure.ca_file)
        application = azure.directory.applications()[0]
        token = client.post(
            f"{azure.endpoints.entra}/{azure.config.tenant.id}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": application.principal.app_id,
                "client_secret": application.secrets[0].value,
                "scope": "https://vault.azure.net/.default",
            },
        ).json()["access_token"]
        machine_token = client.get(
            f"{azure.endpoints.identity}/msi/token?api-version=2019-08-01&resource=https://vault.azure.net",
            headers={"X-IDENTITY-HEADER": azure.identity_header},
        ).json()["access_token"]
        rotated = azure.directory.add_secret(application.principal.app_id)
        azure.vault.set_secret("other", "stored value")
    lines = path.read_text().splitlines()
    secrets = (application.secrets[0].value, azure.identity_header, token, machine_token, rotated.value)
    assert {*secrets, "stored value"} <= set(lines)
    assert azure.config.tenant.id not in lines
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_roles_of_the_default_configuration_are_as_azure_has_them(local_azure: LocalAzure) -> None:
    roles = local_azure.roles
    held = {(one.role, local_azure.config.scope_of(one.resource)) for one in DEFAULT_ASSIGNMENTS}
    assert held == {
        (next(role.name for role in roles.roles() if role.id == one.role_id), one.scope)
        for one in roles.assignments()
    }


@pytest.mark.parametrize(
    "sent",
    [
        None,
        b"",
        b"PUT /jobs?api-ver",
        b"GET /jobs HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ],
    ids=["no greeting", "no request", "half a request", "one that stays", "no farewell"],
)
def test_no_connection_outlives_its_server(sent: bytes | None) -> None:
    """A socket that is left open is a warning when it is collected, and a warning fails a test."""
    with LocalAzure(LocalAzureConfig(port=0)) as azure:
        port = port_of(azure.endpoints.batch)
        client = socket.create_connection(("127.0.0.1", port))
        if sent is not None:
            context = ssl.create_default_context(cafile=azure.ca_file)
            client = context.wrap_socket(client, server_hostname="localhost")
            client.sendall(sent)
        if sent and sent.endswith(b"\r\n\r\n"):
            assert client.recv(1)
    with client:
        client.settimeout(10)
        with suppress(ConnectionError):
            while client.recv(65536):
                pass
    gc.collect()
