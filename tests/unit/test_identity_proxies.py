"""The passwords of the environment's proxies, struck out of messages."""

from __future__ import annotations

import pytest

from airflow_provider_batchad.identity.proxies import strike_proxy_passwords


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
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
