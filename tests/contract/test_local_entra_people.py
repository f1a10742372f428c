"""People who sign in with a browser, and the control port in its place."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from html import unescape

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import InteractiveBrowserCredential

from airflow_provider_batchad.local.config import (
    AZURE_CLI,
    DEVELOPER,
    LocalAzureConfig,
)
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.person_fixtures import (
    BATCH_SCOPE,
    PEOPLE,
    PUBLIC,
    VAULT_SCOPE,
    claims_of,
    credential_options,
    fields_of,
)


@pytest.fixture
def local_azure_config() -> LocalAzureConfig:
    return PEOPLE


class Browser:
    """A browser whose user picks an account, and which sends forms on as the script of a page would."""

    def __init__(self, azure: LocalAzure, *, button: tuple[str, str]) -> None:
        self._azure = azure
        self._button = button
        self.threads: list[threading.Thread] = []

    def open(self, url: str, *_: object) -> bool:
        # The client waits for the redirect only once its browser was opened.
        self.threads.append(threading.Thread(target=self._visit, args=(url,)))
        self.threads[-1].start()
        return True

    def _visit(self, url: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self._azure.ca_file)
            page = session.get(url)
            name, value = self._button
            if "Pick an account" in page.text:
                page = session.post(url, data={name: value}, allow_redirects=False)
            target = re.search(r'action="([^"]+)"', page.text)
            if target is not None:
                session.post(unescape(target[1]), data=fields_of(page.text))
            elif "Location" in page.headers:
                session.get(page.headers["Location"])


@pytest.fixture
def browser(
    request: pytest.FixtureRequest, local_azure: LocalAzure, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Browser]:
    opened = Browser(local_azure, button=getattr(request, "param", ("person", DEVELOPER.name)))
    monkeypatch.setattr("webbrowser.open", opened.open)
    yield opened
    for thread in opened.threads:
        thread.join()


def test_browser_credential_signs_in_and_keeps_the_account(local_azure: LocalAzure, browser: Browser) -> None:
    with InteractiveBrowserCredential(
        client_id=PUBLIC.client_id, **credential_options(local_azure)
    ) as credential:
        record = credential.authenticate(scopes=[BATCH_SCOPE])
        vault_token = credential.get_token(VAULT_SCOPE)
    developer = local_azure.directory.principal(DEVELOPER.name)
    assert record.username == DEVELOPER.name
    assert record.home_account_id == f"{developer.object_id}.{local_azure.config.tenant.id}"
    claims = claims_of(vault_token.token)
    assert (claims["aud"], claims["oid"], claims["scp"]) == (
        "https://vault.azure.net",
        developer.object_id,
        "user_impersonation",
    )
    assert (claims["appid"], claims["appidacr"], claims["idtyp"]) == (PUBLIC.client_id, "0", "user")
    assert len(browser.threads) == 1


@pytest.mark.parametrize("browser", [("decline", "true")], indirect=True)
def test_person_may_decline(local_azure: LocalAzure, browser: Browser) -> None:
    with (
        InteractiveBrowserCredential(
            client_id=PUBLIC.client_id, **credential_options(local_azure)
        ) as credential,
        pytest.raises(ClientAuthenticationError, match=r"65004|access_denied"),
    ):
        credential.get_token(BATCH_SCOPE)


def test_whoever_sits_at_the_browser_is_not_asked(local_azure: LocalAzure, browser: Browser) -> None:
    local_azure.sign_ins.sit_down(DEVELOPER.name)
    with InteractiveBrowserCredential(**credential_options(local_azure)) as credential:
        token = credential.get_token(BATCH_SCOPE)
    assert claims_of(token.token)["appid"] == AZURE_CLI.client_id


def test_control_port_stands_in_for_a_browser(
    local_azure: LocalAzure, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_url(url: str, *_: object) -> bool:
        body = {"url": url, "person": DEVELOPER.name}
        return session.post(f"{local_azure.endpoints.control}/browser/open", json=body).status_code == 202

    monkeypatch.setattr("webbrowser.open", open_url)
    with InteractiveBrowserCredential(**credential_options(local_azure)) as credential:
        assert credential.get_token(BATCH_SCOPE).token


@pytest.mark.parametrize("url", ["https://elsewhere.example/x/oauth2/v2.0/authorize", "nonsense"])
def test_control_port_opens_no_other_address(
    local_azure: LocalAzure, session: requests.Session, url: str
) -> None:
    answer = session.post(
        f"{local_azure.endpoints.control}/browser/open", json={"url": url, "person": DEVELOPER.name}
    )
    assert answer.status_code == 400


def test_people_are_added_over_the_control_port(local_azure: LocalAzure, session: requests.Session) -> None:
    control = f"{local_azure.endpoints.control}/people"
    added = session.post(control, json={"name": "new@contoso.onmicrosoft.com"})
    assert (added.status_code, added.json()["display_name"]) == (201, "new")
    assert session.post(control, json={"name": "new@contoso.onmicrosoft.com"}).status_code == 409
    assert len(session.get(control).json()["people"]) == 3
    assert session.post(f"{control}/new@contoso.onmicrosoft.com/revoke").status_code == 204
