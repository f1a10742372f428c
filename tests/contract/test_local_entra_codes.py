"""Authorization codes: who gets one, and who may redeem it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from azure.identity.aio import AuthorizationCodeCredential as AsyncAuthorizationCodeCredential

from airflow_provider_batchad.local.config import (
    DEVELOPER,
    LocalAzureConfig,
)
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.person_fixtures import (
    BATCH_SCOPE,
    PEOPLE,
    VAULT_SCOPE,
    WEB,
    claims_of,
    fields_of,
    redeem,
)


@pytest.fixture
def local_azure_config() -> LocalAzureConfig:
    return PEOPLE


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
