"""The environment's proxies: refused where no client can use them, their passwords struck out of messages."""

from __future__ import annotations

import importlib.util

import pytest

from airflow_provider_batchad.errors import ProxyConfigurationError
from airflow_provider_batchad.identity.proxies import strike_proxy_passwords, usable_proxy
from airflow_provider_batchad.identity.unreachable import chain_of


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("proxy", "text", "struck"),
    [
        ("http://u:hunter2@proxy:3128", "to http://u:hunter2@proxy:3128", "to http://***@proxy:3128"),
        ("http://u:hunter2#x@proxy", "Failed to parse: 'u:hunter2'", "Failed to parse: 'u:***'"),
        ("http://u:hunt%40er@proxy", "parsed hunt@er", "parsed ***"),
        ("u:hunter2@proxy:3128", "via hunter2", "via ***"),
        ("http://u:ab@proxy", "able was u:ab", "able was ***"),
        ("http://proxy:3128", "to proxy:3128", "to proxy:3128"),
        ("", "nothing", "nothing"),
    ],
)
@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy", "HTTP_PROXY"])
def test_password_is_struck_out_and_the_rest_stays(
    monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str, text: str, struck: str
) -> None:
    monkeypatch.setenv(variable, proxy)
    assert strike_proxy_passwords(text) == struck


URL = "https://account.region.batch.azure.com"
SECRET = "hunter2hunter2"


def refusal(*, asynchronous: bool = False) -> ProxyConfigurationError | None:
    refused = None
    try:
        usable_proxy(URL, asynchronous=asynchronous)
    except ProxyConfigurationError as error:
        refused = error
    if refused is not None:
        assert SECRET not in "".join(map(repr, chain_of(refused))) + str(refused)
        assert refused.variable in str(refused)
    return refused


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("value", "what"),
    [
        (f"http://somebody:{SECRET}#x@proxy:3128", "%23"),
        (f"http://somebody:{SECRET}/x@proxy:3128", "%2F"),
        (f"http://somebody:{SECRET}?x@proxy", "%3F"),
        (f"somebody:{SECRET}#x@proxy", "%23"),
        (f"http://somebody:{SECRET}[@proxy:1", "%5B"),
        ("http://[::1", "IPv6"),
        ("http://host:99999", "port"),
        (f"http://u:{SECRET}@host:port", "port"),
        (f"http://u:{SECRET}@", "no host"),
        ("http://", "no host"),
        (f"http://u:{SECRET}@proxy:3128\n", "white space"),
        (f"http://u: {SECRET}@proxy:3128", "white space"),
        (f"http://u%3Ax:{SECRET}@proxy", "colon"),
        (f"http://u:{SECRET}€@proxy", "not a URL"),
        (f"http://u:{SECRET}@{'x' * 64}.example", "not a URL"),
        (f"http://u:{SECRET}@a..b:1", "not a URL"),
        (f"ftp://u:{SECRET}@proxy", "http://"),
        (f"socks://u:{SECRET}@proxy", "http://"),
    ],
)
def test_proxy_that_no_client_can_use_is_refused_without_its_value(
    monkeypatch: pytest.MonkeyPatch, value: str, what: str, asynchronous: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    refused = refusal(asynchronous=asynchronous)
    assert refused is not None
    assert refused.variable == "HTTPS_PROXY"
    assert what in str(refused)


@pytest.mark.parametrize(
    ("value", "sync", "asynchronous"),
    [
        ("http://proxy:3128", True, True),
        ("http://u:p%23%2F%3F%40@proxy:3128/", True, True),
        ("http://u:p@ss@proxy", True, True),
        ("http://[::1]:3128", True, True),
        ("HTTP://PROXY", True, True),
        ("http://übung.example:1", True, True),
        ("proxy:3128", True, False),
        ("u:p@proxy:3128", True, False),
        ("https://proxy:3128", True, False),
        ("socks5h://proxy:1080", True, False),
    ],
)
def test_proxy_is_refused_only_for_a_client_that_cannot_use_it(
    monkeypatch: pytest.MonkeyPatch, value: str, sync: bool, asynchronous: bool
) -> None:
    monkeypatch.setenv("https_proxy", value)
    assert (refusal() is None, refusal(asynchronous=True) is None) == (sync, asynchronous)


def test_socks_proxy_without_its_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy:1080")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "PySocks" in str(refusal())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_only_the_proxy_that_is_chosen_counts(monkeypatch: pytest.MonkeyPatch, asynchronous: bool) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("HTTP_PROXY", "http://[broken")
    monkeypatch.setenv("ALL_PROXY", "socks://broken:port")
    assert usable_proxy(URL, asynchronous=asynchronous) == "http://proxy:3128"
    monkeypatch.delenv("HTTPS_PROXY")
    refused = refusal(asynchronous=asynchronous)
    assert refused is not None
    assert refused.variable == "ALL_PROXY"
    monkeypatch.setenv("ALL_PROXY", "http://proxy:3128")
    assert usable_proxy(URL, asynchronous=asynchronous) == "http://proxy:3128"


@pytest.mark.parametrize(
    "exempt", ["*", "azure.com", ".batch.azure.com", "other,account.region.batch.azure.com"]
)
def test_exempt_host_has_no_proxy(monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://[broken")
    monkeypatch.setenv("NO_PROXY", exempt)
    assert refusal() is None
    assert refusal(asynchronous=True) is None
