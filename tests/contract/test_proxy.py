"""The environment's proxy: everything goes through it that it says, and TLS is checked beyond it."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import ssl
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from airflow_provider_batchad.errors import (
    BatchAdError,
    ProxyConfigurationError,
    SignInError,
    Unreachable,
)
from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, AzureBatchAdHook
from airflow_provider_batchad.hooks.login import LoginFailed, log_in
from airflow_provider_batchad.identity.unreachable import chain_of
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.local.client_settings import describe_connection
from airflow_provider_batchad.local.config import LocalAzureConfig
from tests.canaries.plugin import canaries_of
from tests.contract.connect_proxy import ConnectProxy
from tests.contract.signing_in import SigningIn, connected
from tests.contract.ways import WITHOUT_VAULT

Ask = Callable[[], int]
ON_THE_WAY = ("identity", "keyvault", "entra", "batch")


@pytest.fixture(autouse=True)
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path)) as signing_in:
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


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
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


def test_a_password_of_netrc_goes_nowhere(
    ask: Ask, password: str, signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """requests puts it in the place of a token, aiohttp raises; an entry ``default`` is for every host."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login somebody password {password}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert ask() == 200
    machine = {"sign_in": "managed_identity", "login": None, "tenant_id": None, **WITHOUT_VAULT}
    assert signing_in.callback(**machine)().token
    netrc.unlink()


USELESS = ("#x@proxy:1", "/x@proxy", "[@proxy", "@[::1", "@proxy:99999", "@proxy:port", "€@proxy")


@pytest.fixture
def useless(password: str) -> tuple[str, ...]:
    """Proxies' URLs that no client can read."""
    return tuple(f"http://somebody:{password}{rest}" for rest in USELESS)


def check_refusal(error: BaseException, password: str) -> None:
    assert isinstance(error, ProxyConfigurationError)
    assert error.variable == "HTTPS_PROXY"
    # What was swallowed on the way as well.
    assert sum(password in f"{link} {link!r}" for link in chain_of(error)) == 0


@pytest.mark.parametrize("service", ["keyvault", "entra", "batch"])
def test_a_proxy_that_no_client_can_read_is_refused_before_anything_is_sent(
    service: str,
    ask: Ask,
    useless: tuple[str, ...],
    password: str,
    signing_in: SigningIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = [f"localhost:{port_of(signing_in, other)}" for other in ON_THE_WAY if other != service]
    monkeypatch.setenv("NO_PROXY", ",".join(others))
    for proxy in useless:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(BatchAdError) as caught:
            ask()
        check_refusal(caught.value, password)
    assert service not in signing_in.azure.ledger.counts()
    # Hosts that are exempt have no proxy, whatever it says.
    monkeypatch.setenv("NO_PROXY", "localhost")
    assert ask() == 200


def test_a_machines_identity_is_not_asked_by_a_proxy_that_no_client_can_read(
    useless: tuple[str, ...], password: str, signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", f"localhost:{port_of(signing_in, 'keyvault')}")
    for proxy in useless:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        for sign_in in (
            {"sign_in": "managed_identity", "login": None, "tenant_id": None, **WITHOUT_VAULT},
            {},
        ):
            with pytest.raises(BatchAdError) as caught:
                signing_in.callback(**sign_in)()
            check_refusal(caught.value, password)
    assert "identity" not in signing_in.azure.ledger.counts()


def test_a_test_of_the_connection_and_a_login_name_the_variable(
    useless: tuple[str, ...], password: str, signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = describe_connection(signing_in.azure)
    person["login"] = None
    person["extra"] |= {"sign_in": "integrated", **WITHOUT_VAULT}
    monkeypatch.setenv("AIRFLOW_CONN_AS_MYSELF", json.dumps(person))
    shown: list[str] = []
    for proxy in useless:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        passed, message = AzureBatchAdHook().test_connection()
        assert not passed
        assert message.startswith("Settings: Environment variable HTTPS_PROXY: ")
        with pytest.raises(LoginFailed, match="Environment variable HTTPS_PROXY: ") as caught:
            log_in("as_myself", by_device_code=True, show=shown.append)
        assert sum(password in f"{link} {link!r}" for link in chain_of(caught.value)) == 0
    assert shown == []


@pytest.mark.parametrize("scheme", ["https", "socks5h"])
def test_the_triggerers_client_goes_around_no_proxy(
    scheme: str, signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiohttp leaves out a proxy of another scheme and asks directly."""
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://proxy.example:3128")

    async def ask() -> None:
        async with AzureBatchAdAsyncHook() as hook:
            await hook.send(requests.list_jobs(page_size=1))

    with pytest.raises(ProxyConfigurationError, match="aiohttp"):
        asyncio.run(ask())
    assert signing_in.azure.ledger.counts() == {}
