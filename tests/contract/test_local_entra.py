from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import msal
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential

from airflow_provider_batchad.local.config import ApplicationConfig, TenantConfig
from airflow_provider_batchad.local.server import LocalAzure

BATCH_SCOPE = "https://batch.core.windows.net//.default"
CLIENT_ID = ApplicationConfig(name="airflow-batch").client_id


def credential(
    azure: LocalAzure, secret: str, *, tenant_id: str | None = None, client_id: str = CLIENT_ID
) -> ClientSecretCredential:
    return ClientSecretCredential(
        tenant_id or azure.config.tenant.id,
        client_id,
        secret,
        authority=azure.endpoints.entra,
        disable_instance_discovery=True,
        connection_verify=str(azure.ca_file),
    )


def ask(session: requests.Session, azure: LocalAzure, secret: str, **form: str | None) -> requests.Response:
    """A token request as MSAL makes it, with parameters changed or (``None``) left out."""
    whole = {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_secret": secret,
        "scope": BATCH_SCOPE,
        **form,
    }
    data = {name: value for name, value in whole.items() if value is not None}
    return session.post(f"{azure.endpoints.entra}/{azure.config.tenant.id}/oauth2/v2.0/token", data=data)


def claims_of(session: requests.Session, azure: LocalAzure, token: str) -> dict[str, Any]:
    """The token's claims, its signature checked with the published keys."""
    keys = session.get(f"{azure.endpoints.entra}/{azure.config.tenant.id}/discovery/v2.0/keys").json()
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["RS256"], options={"verify_aud": False})


@pytest.mark.usefixtures("bundle_environment")
def test_azure_identity_gets_a_signed_token_for_batch(
    local_azure: LocalAzure, session: requests.Session, client_secret: str
) -> None:
    with credential(local_azure, client_secret) as signed_in:
        token = signed_in.get_token(BATCH_SCOPE)
    claims = claims_of(session, local_azure, token.token)
    assert claims["aud"] == "https://batch.core.windows.net/"
    assert claims["iss"] == f"https://sts.windows.net/{local_azure.config.tenant.id}/"
    assert (claims["appid"], claims["appidacr"], claims["idtyp"]) == (CLIENT_ID, "1", "app")
    assert claims["oid"] == local_azure.directory.principal("airflow-batch").object_id
    assert claims["exp"] == pytest.approx(token.expires_on, abs=2)


@pytest.mark.usefixtures("bundle_environment")
async def test_async_azure_identity_gets_a_token_for_batch(
    local_azure: LocalAzure, session: requests.Session, client_secret: str
) -> None:
    async with AsyncClientSecretCredential(
        local_azure.config.tenant.id,
        CLIENT_ID,
        client_secret,
        authority=local_azure.endpoints.entra,
        connection_verify=str(local_azure.ca_file),
    ) as signed_in:
        token = await signed_in.get_token(BATCH_SCOPE)
    assert claims_of(session, local_azure, token.token)["aud"] == "https://batch.core.windows.net/"


def test_msal_gets_a_token_and_keeps_it(
    local_azure: LocalAzure, session: requests.Session, client_secret: str
) -> None:
    application = msal.ConfidentialClientApplication(
        CLIENT_ID,
        client_credential=client_secret,
        authority=f"{local_azure.endpoints.entra}/{local_azure.config.tenant.id}",
        instance_discovery=False,
        http_client=session,
    )
    first = application.acquire_token_for_client([BATCH_SCOPE])
    second = application.acquire_token_for_client([BATCH_SCOPE])
    assert first["access_token"] == second["access_token"]
    assert (first["token_source"], second["token_source"]) == ("identity_provider", "cache")
    assert local_azure.ledger.counts() == {"entra": {"OpenID Configuration": 1, "Token": 1}}


def test_msal_takes_the_instance_discovery_document(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    own = f"{local_azure.endpoints.entra}/{local_azure.config.tenant.id}"
    answer = session.get(
        f"{local_azure.endpoints.entra}/common/discovery/instance",
        params={"api-version": "1.1", "authorization_endpoint": f"{own}/oauth2/v2.0/authorize"},
    )
    assert answer.json()["tenant_discovery_endpoint"] == f"{own}/v2.0/.well-known/openid-configuration"
    foreign = session.get(
        f"{local_azure.endpoints.entra}/common/discovery/instance",
        params={"authorization_endpoint": "https://elsewhere.example/common/oauth2/v2.0/authorize"},
    )
    assert (foreign.status_code, foreign.json()["error_codes"]) == (400, [50049])


@pytest.mark.parametrize(
    ("scope", "audience"),
    [
        ("https://batch.core.windows.net//.default", "https://batch.core.windows.net/"),
        ("https://batch.core.windows.net/.default", "https://batch.core.windows.net"),
        ("https://vault.azure.net/.default", "https://vault.azure.net"),
    ],
)
def test_audience_is_the_scope_less_one_default(
    local_azure: LocalAzure, session: requests.Session, client_secret: str, scope: str, audience: str
) -> None:
    token = ask(session, local_azure, client_secret, scope=scope).json()["access_token"]
    assert claims_of(session, local_azure, token)["aud"] == audience


def test_domain_is_as_good_as_the_tenant_id(
    local_azure: LocalAzure, session: requests.Session, client_secret: str
) -> None:
    tenant = local_azure.config.tenant
    document = session.get(
        f"{local_azure.endpoints.entra}/{tenant.domain}/v2.0/.well-known/openid-configuration"
    ).json()
    assert document["token_endpoint"].endswith(f"/{tenant.id}/oauth2/v2.0/token")
    with credential(local_azure, client_secret, tenant_id=tenant.domain) as signed_in:
        assert signed_in.get_token(BATCH_SCOPE).token


def test_v1_endpoint_takes_a_resource_and_answers_in_strings(
    local_azure: LocalAzure, session: requests.Session, client_secret: str
) -> None:
    answer = session.post(
        f"{local_azure.endpoints.entra}/{local_azure.config.tenant.id}/oauth2/token",
        data={
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": client_secret,
            "resource": "https://batch.core.windows.net/",
        },
    ).json()
    assert answer["resource"] == "https://batch.core.windows.net/"
    assert {name for name, value in answer.items() if isinstance(value, str)} == set(answer)
    assert int(answer["expires_on"]) - int(answer["not_before"]) == int(answer["expires_in"])


def test_client_id_and_secret_may_come_as_basic_credentials(
    local_azure: LocalAzure, session: requests.Session, client_secret: str
) -> None:
    # RFC 6749 wants both form-encoded first; the secret's "~" and "." need none.
    answer = session.post(
        f"{local_azure.endpoints.entra}/{local_azure.config.tenant.id}/oauth2/v2.0/token",
        data={"grant_type": "client_credentials", "scope": BATCH_SCOPE},
        auth=(CLIENT_ID, client_secret),
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(("seconds", "refresh_in"), [(5.0, False), (7200.0, False), (86400.0, True)])
def test_lifetime_is_what_was_set_and_long_ones_say_when_to_refresh(
    local_azure: LocalAzure,
    session: requests.Session,
    client_secret: str,
    seconds: float,
    refresh_in: bool,
) -> None:
    local_azure.directory.token_lifetime_seconds = seconds
    answer = ask(session, local_azure, client_secret).json()
    assert answer["expires_in"] in (int(seconds) - 1, int(seconds))
    assert ("refresh_in" in answer) is refresh_in


def test_claims_capabilities_come_back_in_the_token(
    local_azure: LocalAzure, session: requests.Session, client_secret: str
) -> None:
    wanted = '{"access_token": {"xms_cc": {"values": ["CP1"]}}}'
    token = ask(session, local_azure, client_secret, claims=wanted).json()["access_token"]
    assert claims_of(session, local_azure, token)["xms_cc"] == ["CP1"]


def test_new_secret_is_good_at_once_and_the_old_one_until_it_is_revoked(
    local_azure: LocalAzure, session: requests.Session, client_secret: str
) -> None:
    added = local_azure.directory.add_secret(CLIENT_ID)
    assert ask(session, local_azure, added.value).status_code == 200
    assert ask(session, local_azure, client_secret).status_code == 200
    local_azure.directory.revoke_secret(CLIENT_ID, local_azure.directory.applications()[0].secrets[0].key_id)
    assert ask(session, local_azure, client_secret).json()["error_codes"] == [7000215]
    assert ask(session, local_azure, added.value).status_code == 200


def test_secret_expires_by_the_settable_clock(local_azure: LocalAzure, session: requests.Session) -> None:
    expires_on = local_azure.clock.now() + timedelta(days=90)
    added = local_azure.directory.add_secret(CLIENT_ID, expires_on=expires_on)
    local_azure.clock.advance(timedelta(days=89))
    assert ask(session, local_azure, added.value).status_code == 200
    local_azure.clock.advance(timedelta(days=1))
    assert ask(session, local_azure, added.value).json()["error_codes"] == [7000222]


class TestTenants:
    OTHER = TenantConfig(id="11111111-2222-4333-8444-555555555555", domain="fabrikam.com", display_name="F")

    @pytest.fixture
    def local_azure_config(self) -> Any:
        from airflow_provider_batchad.local.config import LocalAzureConfig

        return LocalAzureConfig(port=0, other_tenants=(self.OTHER,))

    def test_application_of_another_tenant_is_not_found(
        self, local_azure: LocalAzure, client_secret: str
    ) -> None:
        with (
            credential(local_azure, client_secret, tenant_id=self.OTHER.id) as signed_in,
            pytest.raises(ClientAuthenticationError, match="AADSTS700016"),
        ):
            signed_in.get_token(BATCH_SCOPE)


def test_azure_identity_says_what_is_wrong_with_the_secret(
    local_azure: LocalAzure, client_secret: str
) -> None:
    with (
        credential(local_azure, client_secret + "x") as signed_in,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215") as wrong,
    ):
        signed_in.get_token(BATCH_SCOPE)
    assert client_secret not in str(wrong.value)
    local_azure.directory.expire_secret(CLIENT_ID)
    with (
        credential(local_azure, client_secret) as signed_in,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000222"),
    ):
        signed_in.get_token(BATCH_SCOPE)


def test_unknown_tenant_is_refused_at_discovery_already(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    unknown = "99999999-0000-4000-8000-000000000000"
    with pytest.raises(ValueError, match=r"AADSTS90002|Unable to get authority"):
        msal.ConfidentialClientApplication(
            CLIENT_ID,
            client_credential="x",
            authority=f"{local_azure.endpoints.entra}/{unknown}",
            instance_discovery=False,
            http_client=session,
        )
    assert [entry.code for entry in local_azure.ledger.entries(service="entra")] == ["AADSTS90002"]


@pytest.mark.parametrize(
    ("form", "status", "error", "number"),
    [
        ({"grant_type": None}, 400, "invalid_request", 900144),
        ({"client_id": None}, 400, "invalid_request", 900144),
        ({"scope": None}, 400, "invalid_request", 900144),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"grant_type": "magic"}, 400, "unsupported_grant_type", 70003),
        ({"scope": f"{BATCH_SCOPE} openid"}, 400, "invalid_scope", 70011),
        ({"client_secret": None, "client_assertion": "no.jwt"}, 400, "invalid_request", 50027),
    ],
)
def test_incomplete_request_is_refused_by_its_number(
    local_azure: LocalAzure,
    session: requests.Session,
    client_secret: str,
    form: dict[str, str | None],
    status: int,
    error: str,
    number: int,
) -> None:
    answer = ask(session, local_azure, client_secret, **form)
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (
        status,
        error,
        [number],
    )


def test_common_says_that_it_needs_a_tenant(
    local_azure: LocalAzure, session: requests.Session, client_secret: str
) -> None:
    document = session.get(f"{local_azure.endpoints.entra}/common/v2.0/.well-known/openid-configuration")
    assert document.json()["issuer"] == f"{local_azure.endpoints.entra}/{{tenantid}}/v2.0"
    refused = session.post(
        f"{local_azure.endpoints.entra}/common/oauth2/v2.0/token",
        data={"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": client_secret},
    )
    assert refused.json()["error_codes"] == [50059]
