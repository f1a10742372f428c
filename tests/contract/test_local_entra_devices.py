"""People who sign in with a device code, and their refresh tokens."""

from __future__ import annotations

import pytest
import requests
from azure.identity import DeviceCodeCredential

from airflow_provider_batchad.local.config import (
    AZURE_CLI,
    DEVELOPER,
    LocalAzureConfig,
)
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.person_fixtures import (
    BATCH_SCOPE,
    OTHER,
    PEOPLE,
    PUBLIC,
    STRANGER,
    VAULT_SCOPE,
    begin_device,
    claims_of,
    credential_options,
    poll,
    public_client,
    redeem,
)


@pytest.fixture
def local_azure_config() -> LocalAzureConfig:
    return PEOPLE


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


def test_public_application_must_not_present_a_secret(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    flow = begin_device(local_azure, session)
    code = {"grant_type": "device_code", "device_code": flow["device_code"], "client_secret": "x"}
    answer = redeem(local_azure, session, **{**code, "client_id": AZURE_CLI.client_id}).json()
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700025])
