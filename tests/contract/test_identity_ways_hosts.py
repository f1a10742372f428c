"""Which hosts each of Microsoft's clouds means: a proxy hears their names and lets nobody through."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import AzureError

from airflow_provider_batchad.clouds import CHINA, PUBLIC, US_GOVERNMENT, AzureCloud
from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.errors import Unreachable
from airflow_provider_batchad.hooks.clients import async_batch_client, batch_client
from airflow_provider_batchad.identity.sign_in import BatchSignIn
from airflow_provider_batchad.identity.surroundings import Surroundings
from airflow_provider_batchad.identity.tokens import AccessToken, TokenCallback
from tests.contract.signing_in import running

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "11111111-2222-3333-4444-555555555555"


class Proxy(ThreadingHTTPServer):
    """Refuses to tunnel to anybody.

    :ivar asked: host and port of each who was to be reached.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refuse)
        self.asked: set[str] = set()


class _Refuse(BaseHTTPRequestHandler):
    def do_CONNECT(self) -> None:
        assert isinstance(self.server, Proxy)
        self.server.asked.add(self.path)
        self.send_error(403)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with Proxy() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_address[1]}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "localhost,127.0.0.1")
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(params=[PUBLIC, US_GOVERNMENT, CHINA], ids=lambda cloud: cloud.name)
def cloud(request: pytest.FixtureRequest) -> AzureCloud:
    return request.param


def connection(cloud: AzureCloud, **extra: str) -> BatchConnection:
    password = None if extra else "S3cret~value"
    return BatchConnection.parse(
        conn_id="c",
        host=f"https://demo.westeurope.{cloud.batch_suffix}",
        login=CLIENT,
        password=password,
        extra={"tenant_id": TENANT, "cloud": cloud.name, **extra},
        clouds={},
    )


def refusal_of(connection: BatchConnection) -> Unreachable:
    callback = TokenCallback.for_connection(connection, on_secret=lambda _: None, retries=0)
    with pytest.raises(Unreachable) as caught:
        callback()
    return caught.value


def test_tokens_are_asked_of_the_clouds_own_entra_id(cloud: AzureCloud, proxy: Proxy) -> None:
    assert refusal_of(connection(cloud)).step == "token"
    assert proxy.asked == {f"{cloud.authority.removeprefix('https://')}:443"}


@pytest.mark.parametrize("by_device_code", [True, False])
def test_people_sign_in_at_the_clouds_own_entra_id(
    cloud: AzureCloud, proxy: Proxy, tmp_path: Path, by_device_code: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", "true %s")
    sign_in = BatchSignIn(
        connection(cloud, sign_in="integrated"),
        on_secret=lambda _: None,
        retries=0,
        clock=time.time,
        surroundings=Surroundings(login_dir=tmp_path),
    )
    with pytest.raises(Unreachable):
        sign_in.log_in(by_device_code=by_device_code, show=lambda _: None)
    assert proxy.asked == {f"{cloud.authority.removeprefix('https://')}:443"}


def test_secret_is_read_from_the_clouds_own_vault(
    cloud: AzureCloud, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = f"myvault.{cloud.vault_suffix}"
    with running(monkeypatch) as signing_in:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.fspath(signing_in.azure.ca_file))
        found = connection(
            cloud,
            vault_url=f"https://{vault}",
            vault_credential_name="secret",
            vault_sign_in="managed_identity",
        )
        assert refusal_of(found).step == "vault"
    assert proxy.asked == {f"{vault}:443"}


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_jobs_are_asked_of_the_clouds_own_batch(cloud: AzureCloud, proxy: Proxy, mode: str) -> None:
    found = connection(cloud)
    callback = TokenCallback(lambda *_: AccessToken("a token", time.time() + 3600))
    if mode == "sync":
        with batch_client(found, callback, impatient=True) as client, pytest.raises(AzureError):
            client.get_job("j")
    else:
        client_async = async_batch_client(found, callback)
        async with client_async:
            with pytest.raises(AzureError):
                await client_async.get_job("j", retry_total=0)
    assert proxy.asked == {f"demo.westeurope.{cloud.batch_suffix}:443"}
