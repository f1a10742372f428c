"""People who sign in: device code, browser, refresh tokens, and the accounts of Microsoft's clients."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import msal
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DeviceCodeCredential, InteractiveBrowserCredential
from azure.identity.aio import AuthorizationCodeCredential as AsyncAuthorizationCodeCredential

from airflow_provider_batchad.local.config import (
    AZURE_CLI,
    DEVELOPER,
    ApplicationConfig,
    LocalAzureConfig,
    TenantConfig,
    UserConfig,
)
from airflow_provider_batchad.local.server import LocalAzure

BATCH_SCOPE = "https://batch.core.windows.net//.default"
VAULT_SCOPE = "https://vault.azure.net/.default"
PUBLIC = ApplicationConfig(name="batch-login", public_client=True, redirect_uris=("http://localhost",))
WEB = ApplicationConfig(name="web", redirect_uris=("http://localhost/back",))
OTHER = TenantConfig(
    id="11111111-2222-4333-8444-555555555555", domain="fabrikam.com", display_name="Fabrikam"
)
STRANGER = UserConfig(name="stranger@fabrikam.com", tenant_id=OTHER.id)


@pytest.fixture
def local_azure_config() -> LocalAzureConfig:
    return LocalAzureConfig(
        port=0,
        other_tenants=(OTHER,),
        users=(DEVELOPER, STRANGER),
        applications=(ApplicationConfig(name="airflow-batch"), PUBLIC, WEB),
        assignments=(),
        device_code_interval_seconds=1,
    )


def public_client(azure: LocalAzure, session: requests.Session, *, tenant: str | None = None) -> Any:
    return msal.PublicClientApplication(
        PUBLIC.client_id,
        authority=f"{azure.endpoints.entra}/{tenant or azure.config.tenant.id}",
        instance_discovery=False,
        http_client=session,
    )


def credential_options(azure: LocalAzure) -> dict[str, Any]:
    return {
        "tenant_id": azure.config.tenant.id,
        "authority": azure.endpoints.entra,
        "disable_instance_discovery": True,
        "connection_verify": str(azure.ca_file),
    }


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'name="([^"]+)" value="([^"]*)"', page)
    return {unescape(name): unescape(value) for name, value in found}


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


def test_device_credential_waits_for_somebody_to_approve(local_azure: LocalAzure) -> None:
    shown: list[str] = []

    def show(uri: str, user_code: str, expires_on: object) -> None:
        shown.append(uri)
        local_azure.sign_ins.approve_device(user_code, DEVELOPER.name)

    with DeviceCodeCredential(
        client_id=PUBLIC.client_id, prompt_callback=show, **credential_options(local_azure)
    ) as credential:
        record = credential.authenticate(scopes=[BATCH_SCOPE])
        assert record.username == DEVELOPER.name
        assert credential.get_token(BATCH_SCOPE).token
    assert shown == [f"{local_azure.endpoints.entra}/devicelogin"]


def begin_device(
    azure: LocalAzure, session: requests.Session, *, tenant: str | None = None
) -> dict[str, Any]:
    url = f"{azure.endpoints.entra}/{tenant or azure.config.tenant.id}/oauth2/v2.0/devicecode"
    form = {"client_id": PUBLIC.client_id, "scope": f"{BATCH_SCOPE} openid offline_access"}
    body: dict[str, Any] = session.post(url, data=form).json()
    return body


def redeem(
    azure: LocalAzure, session: requests.Session, *, tenant: str | None = None, **form: str
) -> requests.Response:
    url = f"{azure.endpoints.entra}/{tenant or azure.config.tenant.id}/oauth2/v2.0/token"
    return session.post(url, data={"client_id": PUBLIC.client_id, **form})


def poll(azure: LocalAzure, session: requests.Session, flow: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = redeem(
        azure,
        session,
        grant_type="urn:ietf:params:oauth:grant-type:device_code",
        device_code=flow["device_code"],
    ).json()
    return body


def test_device_is_told_how_things_stand(local_azure: LocalAzure, session: requests.Session) -> None:
    local_azure.clock.freeze()
    flow = begin_device(local_azure, session)
    assert (flow["expires_in"], flow["interval"]) == (900, 1)
    assert flow["user_code"] in flow["message"]
    assert poll(local_azure, session, flow)["error"] == "authorization_pending"
    assert poll(local_azure, session, flow)["error"] == "slow_down"
    local_azure.clock.advance(1)
    assert poll(local_azure, session, flow)["error_codes"] == [70016]
    local_azure.sign_ins.approve_device(flow["user_code"].lower(), DEVELOPER.name)
    answer = poll(local_azure, session, flow)
    assert claims_of(answer["id_token"])["preferred_username"] == DEVELOPER.name
    assert poll(local_azure, session, flow)["error"] == "bad_verification_code"


def test_declined_and_expired_devices_are_told_apart(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    declined, late = begin_device(local_azure, session), begin_device(local_azure, session)
    local_azure.sign_ins.decline_device(declined["user_code"])
    assert poll(local_azure, session, declined)["error"] == "authorization_declined"
    local_azure.clock.advance(901)
    answer = poll(local_azure, session, late)
    assert (answer["error"], answer["error_codes"]) == ("expired_token", [70020])
    with pytest.raises(KeyError, match="no device waits"):
        local_azure.sign_ins.approve_device(late["user_code"], DEVELOPER.name)


def test_device_page_and_control_port_approve_too(local_azure: LocalAzure, session: requests.Session) -> None:
    by_page, by_control = begin_device(local_azure, session), begin_device(local_azure, session)
    page = f"{local_azure.endpoints.entra}/devicelogin"
    assert 'name="user_code"' in session.get(page).text
    choice = session.get(page, params={"user_code": by_page["user_code"]}).text
    assert DEVELOPER.name in choice
    assert STRANGER.name not in choice
    done = session.post(page, data={"user_code": by_page["user_code"], "person": DEVELOPER.name})
    assert "You have signed in" in done.text
    control = f"{local_azure.endpoints.control}/device-codes"
    assert [one["user_code"] for one in session.get(control).json()["device_codes"]] == [
        by_control["user_code"]
    ]
    url = f"{control}/{by_control['user_code']}/approve"
    assert session.post(url, json={"person": DEVELOPER.name}).status_code == 204
    assert session.post(url, json={"person": DEVELOPER.name}).status_code == 404
    for flow in (by_page, by_control):
        assert "access_token" in poll(local_azure, session, flow)


def test_person_of_another_tenant_is_let_in_by_organizations_alone(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    own = begin_device(local_azure, session)
    with pytest.raises(ValueError, match="not in the tenant"):
        local_azure.sign_ins.approve_device(own["user_code"], STRANGER.name)
    shared = begin_device(local_azure, session, tenant="organizations")
    local_azure.sign_ins.approve_device(shared["user_code"], STRANGER.name)
    code = {"grant_type": "device_code", "device_code": shared["device_code"]}
    answer = redeem(local_azure, session, tenant="organizations", **code).json()
    assert claims_of(answer["access_token"])["tid"] == OTHER.id
    assert begin_device(local_azure, session, tenant="consumers")["error_codes"] == [700016]


def test_msal_device_flow_gives_an_account_that_refreshes_silently(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    application = public_client(local_azure, session)
    flow = application.initiate_device_flow([BATCH_SCOPE])
    local_azure.sign_ins.approve_device(flow["user_code"], DEVELOPER.name)
    first = application.acquire_token_by_device_flow(flow)
    assert first["id_token_claims"]["tid"] == local_azure.config.tenant.id
    (account,) = application.get_accounts()
    assert account["username"] == DEVELOPER.name
    again = application.acquire_token_silent([BATCH_SCOPE], account)
    assert again["access_token"] == first["access_token"]
    fresh = application.acquire_token_silent([BATCH_SCOPE], account, force_refresh=True)
    assert fresh["access_token"] != first["access_token"]
    other = application.acquire_token_silent([VAULT_SCOPE], account)
    assert claims_of(other["access_token"])["aud"] == "https://vault.azure.net"


def test_refresh_token_ends_with_its_sessions_and_its_time(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    flow = begin_device(local_azure, session)
    local_azure.sign_ins.approve_device(flow["user_code"], DEVELOPER.name)
    token = poll(local_azure, session, flow)["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token, "scope": f"{BATCH_SCOPE} offline_access"}
    assert "refresh_token" in redeem(local_azure, session, **form).json()
    assert redeem(local_azure, session, **{**form, "refresh_token": "x"}).json()["error_codes"] == [9002313]
    local_azure.sign_ins.revoke(DEVELOPER.name)
    assert redeem(local_azure, session, **form).json()["error_codes"] == [50173]
    local_azure.clock.advance(91 * 86400)
    answer = redeem(local_azure, session, **form).json()
    assert (answer["error"], answer["error_codes"]) == ("invalid_grant", [700082])


class TestAuthorizationCode:
    REDIRECT = "http://localhost:1234/back"

    @pytest.fixture(autouse=True)
    def seated(self, local_azure: LocalAzure) -> None:
        local_azure.sign_ins.sit_down(DEVELOPER.name)

    def authorize(
        self, azure: LocalAzure, session: requests.Session, *, path: str = "oauth2/v2.0", **query: str
    ) -> requests.Response:
        whole = {
            "client_id": WEB.client_id,
            "response_type": "code",
            "redirect_uri": self.REDIRECT,
            "scope": f"openid {BATCH_SCOPE}",
            "state": "s&1",
            **query,
        }
        url = f"{azure.endpoints.entra}/{azure.config.tenant.id}/{path}/authorize"
        return session.get(url, params=whole, allow_redirects=False)

    def code(self, azure: LocalAzure, session: requests.Session, **query: str) -> str:
        location = self.authorize(azure, session, **query).headers["Location"]
        found = parse_qs(urlsplit(location).query)
        assert found["state"] == ["s&1"]
        return found["code"][0]

    def secret(self, azure: LocalAzure) -> str:
        application = azure.directory.application(WEB.client_id)
        assert application is not None
        return application.secrets[0].value

    async def test_async_credential_redeems_it(
        self, local_azure: LocalAzure, session: requests.Session
    ) -> None:
        async with AsyncAuthorizationCodeCredential(
            tenant_id=local_azure.config.tenant.id,
            client_id=WEB.client_id,
            authorization_code=self.code(local_azure, session),
            redirect_uri=self.REDIRECT,
            client_secret=self.secret(local_azure),
            authority=local_azure.endpoints.entra,
            connection_verify=str(local_azure.ca_file),
        ) as credential:
            token = await credential.get_token(BATCH_SCOPE)
        assert claims_of(token.token)["appidacr"] == "1"

    def test_v1_redeems_it_by_resource(self, local_azure: LocalAzure, session: requests.Session) -> None:
        answer = self.authorize(
            local_azure, session, path="oauth2", resource="https://batch.core.windows.net/"
        )
        code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
        body = session.post(
            f"{local_azure.endpoints.entra}/{local_azure.config.tenant.id}/oauth2/token",
            data={
                "grant_type": "authorization_code",
                "client_id": WEB.client_id,
                "client_secret": self.secret(local_azure),
                "code": code,
                "redirect_uri": self.REDIRECT,
            },
        ).json()
        assert body["resource"] == "https://batch.core.windows.net/"
        assert claims_of(body["id_token"])["ver"] == "1.0"
        assert body["refresh_token"]

    @pytest.mark.parametrize(
        ("changed", "numbers"),
        [
            ({}, [None, 54005]),
            ({"code_verifier": "guessed"}, [501481]),
            ({"redirect_uri": "http://localhost:1234/other"}, [50011]),
            ({"code": "1.unknown"}, [9002313]),
            ({"client_secret": ""}, [7000218]),
            ({"client_secret": "wrong"}, [7000215]),
            ({"scope": f"{BATCH_SCOPE} {VAULT_SCOPE}"}, [28000]),
            ({"scope": "https://elsewhere.example/.default"}, [500011]),
        ],
    )
    def test_is_good_once_and_for_whoever_asked(
        self,
        local_azure: LocalAzure,
        session: requests.Session,
        changed: dict[str, str],
        numbers: list[int | None],
    ) -> None:
        form = {
            "grant_type": "authorization_code",
            "client_id": WEB.client_id,
            "client_secret": self.secret(local_azure),
            "code": self.code(local_azure, session, code_challenge="v" * 43, code_challenge_method="plain"),
            "code_verifier": "v" * 43,
            "redirect_uri": self.REDIRECT,
            "scope": BATCH_SCOPE,
            **changed,
        }
        for number in numbers:
            answer = redeem(local_azure, session, **form).json()
            assert answer.get("error_codes") == (None if number is None else [number])

    def test_expires_after_ten_minutes(self, local_azure: LocalAzure, session: requests.Session) -> None:
        form = {
            "grant_type": "authorization_code",
            "client_id": WEB.client_id,
            "client_secret": self.secret(local_azure),
            "code": self.code(local_azure, session),
            "redirect_uri": self.REDIRECT,
        }
        local_azure.clock.advance(601)
        assert redeem(local_azure, session, **form).json()["error_codes"] == [70008]

    @pytest.mark.parametrize(
        ("changed", "number"),
        [
            ({"client_id": "99999999-0000-4000-8000-000000000000"}, 700016),
            ({"redirect_uri": "http://localhost:1234/other"}, 50011),
            ({"redirect_uri": "https://elsewhere.example/back"}, 50011),
            ({"redirect_uri": "http://localhost.elsewhere.example/back"}, 50011),
            ({"response_type": "id_token"}, 700054),
        ],
    )
    def test_request_that_cannot_be_trusted_ends_on_a_page(
        self, local_azure: LocalAzure, session: requests.Session, changed: dict[str, str], number: int
    ) -> None:
        answer = self.authorize(local_azure, session, **changed)
        assert answer.status_code == 400
        assert f"AADSTS{number}" in answer.text
        assert "Location" not in answer.headers

    def test_silent_request_without_a_session_goes_back_with_the_reason(
        self, local_azure: LocalAzure, session: requests.Session
    ) -> None:
        local_azure.sign_ins.sit_down(None)
        location = self.authorize(local_azure, session, prompt="none", response_mode="fragment").headers[
            "Location"
        ]
        found = parse_qs(urlsplit(location).fragment)
        assert found["error"] == ["login_required"]

    def test_page_shows_nothing_of_the_request_as_html(
        self, local_azure: LocalAzure, session: requests.Session
    ) -> None:
        answer = self.authorize(local_azure, session, response_mode="form_post", state="<script>alert(1)")
        assert "<script>alert" not in answer.text
        assert fields_of(answer.text)["state"] == "<script>alert(1)"


def test_public_application_must_not_present_a_secret(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    flow = begin_device(local_azure, session)
    code = {"grant_type": "device_code", "device_code": flow["device_code"], "client_secret": "x"}
    answer = redeem(local_azure, session, **{**code, "client_id": AZURE_CLI.client_id}).json()
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700025])


def test_people_are_added_over_the_control_port(local_azure: LocalAzure, session: requests.Session) -> None:
    control = f"{local_azure.endpoints.control}/people"
    added = session.post(control, json={"name": "new@contoso.onmicrosoft.com"})
    assert (added.status_code, added.json()["display_name"]) == (201, "new")
    assert session.post(control, json={"name": "new@contoso.onmicrosoft.com"}).status_code == 409
    assert len(session.get(control).json()["people"]) == 3
    assert session.post(f"{control}/new@contoso.onmicrosoft.com/revoke").status_code == 204
