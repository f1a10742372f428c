"""The environment's proxy: everything goes through it that it says, and TLS is checked beyond it."""

from __future__ import annotations

import asyncio
import os
import secrets
import ssl
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from airflow_provider_batchad.errors import BatchAdError, SignInError, Unreachable
from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, AzureBatchAdHook
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import LocalAzureConfig
from tests.canaries.plugin import canaries_of
from tests.contract.connect_proxy import ConnectProxy
from tests.contract.signing_in import SigningIn, running

Ask = Callable[[], int]
ON_THE_WAY = ("identity", "keyvault", "entra", "batch")


@pytest.fixture(autouse=True)
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    with running(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path)) as signing_in:
        for name, value in client_environment(signing_in.azure).items():
            monkeypatch.setenv(name, value)
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        yield signing_in


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Signs in anew and lists a job, once; the status of the answer."""
    from airflow_provider_batchad.hooks import clients, resolve

    monkeypatch.setitem(clients._RETRIES, "retry_total", 0)
    monkeypatch.setitem(resolve.token_callback.__kwdefaults__, "retries", 0)

    def ask_sync() -> int:
        with AzureBatchAdHook() as hook:
            return hook.send(requests.list_jobs(page_size=1)).status

    async def ask_async() -> int:
        async with AzureBatchAdAsyncHook() as hook:
            return (await hook.send(requests.list_jobs(page_size=1))).status

    return ask_sync if request.param == "sync" else lambda: asyncio.run(ask_async())


def port_of(signing_in: SigningIn, service: str) -> int:
    return int(urlsplit(signing_in.azure.endpoints.as_dict()[service]).port or 0)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_everything_goes_through_the_proxy(
    name: str, ask: Ask, signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy() as proxy:
        monkeypatch.setenv(name, proxy.url())
        assert ask() == 200
    assert proxy.ports == {port_of(signing_in, service) for service in ON_THE_WAY}


@pytest.mark.parametrize("service", ON_THE_WAY)
def test_nothing_goes_around_a_proxy_that_refuses(
    service: str, ask: Ask, signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy(refuses=[port_of(signing_in, service)]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url())
        with pytest.raises((Unreachable, SignInError)) as caught:
            ask()
    assert port_of(signing_in, service) in proxy.ports
    assert service not in signing_in.azure.ledger.counts()
    assert "proxy" in str(caught.value).lower()


@pytest.mark.parametrize("exception", ["localhost", "*", "example.com,localhost"])
def test_hosts_of_no_proxy_are_asked_directly(
    exception: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url())
        monkeypatch.setenv("NO_PROXY", exception)
        assert ask() == 200
    assert proxy.ports == set()


@pytest.mark.parametrize("service", ON_THE_WAY)
def test_a_proxy_that_answers_in_place_of_azure_hears_nothing(
    service: str, ask: Ask, signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(certificate)
    port = port_of(signing_in, service)
    with ConnectProxy(intercepts=[port], certificate=certificate) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url())
        with pytest.raises(BatchAdError):
            ask()
    assert proxy.intercepted
    assert proxy.overheard == b""
    assert service not in signing_in.azure.ledger.counts()


@pytest.fixture
def password(request: pytest.FixtureRequest) -> str:
    """One that is looked for in everything that the tests log and raise."""
    value = secrets.token_urlsafe(24)
    canaries_of(request.config).births.plant(value)
    return value


def test_a_proxy_is_told_the_password_of_its_url(
    ask: Ask, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy(password=password) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url(f"user:{password}@"))
        assert ask() == 200
    assert len(proxy.ports) == len(ON_THE_WAY)


def test_a_proxys_password_is_in_no_error(ask: Ask, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with ConnectProxy(password="another") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url(f"user:{password}@"))
        with pytest.raises(BatchAdError) as refused:
            ask()
    assert password not in repr(refused.value) + str(refused.value)
    # Nobody listens there any more.
    with pytest.raises(BatchAdError) as absent:
        ask()
    assert password not in repr(absent.value) + str(absent.value)


@pytest.mark.parametrize("port", ["", ":1"])
def test_a_password_that_nobody_escaped_is_in_no_error(
    ask: Ask, password: str, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients cut such a URL at the first ``#`` and repeat what they could not read."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://somebody:{password}#{password[::-1]}@localhost{port}")
    with pytest.raises(BatchAdError) as caught:
        ask()
    told = "".join(traceback.format_exception(caught.value))
    assert len([part for part in (password, password[::-1]) if part in told]) == 0
