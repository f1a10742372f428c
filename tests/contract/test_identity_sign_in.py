"""Tokens by a client secret and by a managed identity: MSAL, azure-identity and azure-keyvault-secrets."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from airflow_provider_batchad.errors import CloudConfigurationError
from airflow_provider_batchad.identity.unreachable import AnswerWatch
from airflow_provider_batchad.identity.vault_credential import make_vault_credential
from airflow_provider_batchad.local.config import AssignmentConfig, LocalAzureConfig, ManagedIdentityConfig
from airflow_provider_batchad.local.server import LocalAzure
from airflow_provider_batchad.local.shared_key import KeyName
from tests.contract.signing_in import SigningIn, running

ROBOT = ManagedIdentityConfig(name="robot")


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    defaults = LocalAzureConfig(port=0)
    config = LocalAzureConfig(
        port=0,
        managed_identities=(*defaults.managed_identities, ROBOT),
        assignments=(
            *defaults.assignments,
            AssignmentConfig(principal="robot", role="Key Vault Secrets User", resource="keyvault"),
        ),
        secrets_file=tmp_path / "secrets",
    )
    with running(monkeypatch, config) as signing_in:
        yield signing_in


def test_secret_from_the_vault_read_as_managed_identity(signing_in):
    callback = signing_in.callback()
    assert signing_in.azure.ledger.counts() == {}
    token = callback()
    assert signing_in.principal_of(token.token).name == "airflow-batch"
    assert signing_in.azure.ledger.counts() == {
        "identity": {"Get App Service Token": 1},
        "keyvault": {"Get Secret": 2},
        "entra": {"OpenID Configuration": 1, "Token": 1},
    }


def test_second_token_costs_one_request(signing_in):
    callback = signing_in.callback()
    first = callback()
    signing_in.azure.ledger.clear()
    second = callback(rejected=first.token)
    assert second.token != first.token
    assert signing_in.azure.ledger.counts() == {"entra": {"Token": 1}}


def test_claims_reach_entra_id(signing_in):
    callback = signing_in.callback()
    callback()
    token = callback(claims='{"access_token":{"xms_cc":{"values":["CP1"]}}}')
    assert jwt.decode(token.token, options={"verify_signature": False})["xms_cc"] == ["CP1"]


def test_secret_from_the_connection_asks_no_vault(signing_in):
    callback = signing_in.callback(
        password=signing_in.secret, vault_url=None, vault_credential_name=None, vault_sign_in=None
    )
    assert signing_in.principal_of(callback().token).name == "airflow-batch"
    assert signing_in.azure.ledger.counts().keys() == {"entra"}


def test_tenant_and_client_from_the_vault(signing_in):
    callback = signing_in.callback(
        login=None,
        tenant_id=None,
        vault_tenant_id_name="batch-tenant-id",
        vault_client_id_name="batch-client-id",
    )
    assert (callback.principal.tenant_id, callback.principal.client_id) == (None, None)
    assert signing_in.principal_of(callback().token).name == "airflow-batch"
    assert callback.principal.tenant_id == signing_in.azure.config.tenant.id
    assert callback.principal.client_id == signing_in.client_id
    assert signing_in.count("identity", "Get App Service Token") == 1
    assert signing_in.count("keyvault", "Get Secret") == 4  # one is the challenge


def test_tenant_by_its_domain(signing_in):
    callback = signing_in.callback(tenant_id="contoso.onmicrosoft.com")
    assert signing_in.principal_of(callback().token).name == "airflow-batch"


def test_pinned_version_is_read_and_not_the_current_one(signing_in):
    version = signing_in.azure.vault.find("batch-client-secret").version
    signing_in.azure.vault.set_secret("batch-client-secret", "not-the-secret")
    callback = signing_in.callback(vault_credential_name=f"batch-client-secret/{version}")
    assert signing_in.principal_of(callback().token).name == "airflow-batch"


def test_line_end_that_a_file_left_in_the_vault_is_no_part_of_the_secret(signing_in):
    signing_in.azure.vault.set_secret("batch-client-secret", f"{signing_in.secret}\n")
    assert signing_in.principal_of(signing_in.callback()().token).name == "airflow-batch"
    assert {signing_in.secret, f"{signing_in.secret}\n"} <= set(signing_in.seen)


def test_vault_as_user_assigned_identity(signing_in):
    client_id = ROBOT.client_id
    signing_in.callback(managed_identity_client_id=client_id)()
    readers = {entry.principal for entry in signing_in.azure.ledger.entries(service="keyvault")}
    assert "robot" in readers
    assert "airflow-worker" not in readers


def test_vault_by_the_virtual_machines_endpoint(signing_in, monkeypatch):
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", signing_in.azure.endpoints.identity)
    assert signing_in.principal_of(signing_in.callback()().token).name == "airflow-batch"
    assert signing_in.azure.ledger.counts()["identity"].keys() == {"Get IMDS Token"}


def _set_environment(monkeypatch: pytest.MonkeyPatch, signing_in: SigningIn) -> None:
    azure = signing_in.azure
    principal = azure.directory.principal("airflow-batch")
    azure.roles.assign(
        principal_id=principal.object_id, role="Key Vault Secrets User", scope=azure.config.vault_scope
    )
    monkeypatch.setenv("AZURE_TENANT_ID", azure.config.tenant.id)
    monkeypatch.setenv("AZURE_CLIENT_ID", signing_in.client_id)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", signing_in.secret)


def test_vault_as_what_the_environment_says(signing_in, monkeypatch):
    _set_environment(monkeypatch, signing_in)
    assert signing_in.principal_of(signing_in.callback(vault_sign_in="environment")().token)
    assert signing_in.count("identity", "Get App Service Token") == 0


@pytest.mark.parametrize("choice", ["default", None])
def test_default_chain_takes_the_managed_identity_where_the_environment_says_nothing(signing_in, choice):
    assert signing_in.principal_of(signing_in.callback(vault_sign_in=choice)().token)
    assert signing_in.count("identity", "Get App Service Token") >= 1


def test_default_chain_takes_the_environment_first(signing_in, monkeypatch):
    _set_environment(monkeypatch, signing_in)
    assert signing_in.principal_of(signing_in.callback(vault_sign_in="default")().token)
    assert signing_in.count("identity", "Get App Service Token") == 0


@pytest.mark.parametrize("wish", ["InteractiveBrowserCredential", "dev", "prod", ""])
def test_default_chain_never_opens_a_browser(signing_in, monkeypatch, wish):
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", wish)
    connection = signing_in.connection(vault_sign_in="default")
    try:
        credential = make_vault_credential(
            connection, on_secret=signing_in.seen.append, retries=0, watch=AnswerWatch()
        )
    except ValueError:
        assert wish == "InteractiveBrowserCredential"  # nothing is left of the chain then
        return
    kinds = {type(one).__name__ for one in credential._credential.credentials}
    credential.close()
    assert kinds
    assert not {kind for kind in kinds if "Browser" in kind or "Broker" in kind or "DeviceCode" in kind}


def test_batch_as_managed_identity(signing_in):
    callback = signing_in.callback(
        login=None,
        tenant_id=None,
        vault_url=None,
        vault_credential_name=None,
        vault_sign_in=None,
        sign_in="managed_identity",
    )
    first = callback()
    assert signing_in.principal_of(first.token).name == "airflow-worker"
    assert signing_in.principal_of(callback(rejected=first.token).token).name == "airflow-worker"
    assert signing_in.azure.ledger.counts() == {"identity": {"Get App Service Token": 2}}
    assert first.token in signing_in.seen


def test_batch_as_user_assigned_identity(signing_in):
    callback = signing_in.callback(
        login=None,
        tenant_id=None,
        vault_url=None,
        vault_credential_name=None,
        vault_sign_in=None,
        sign_in="managed_identity",
        managed_identity_client_id=ROBOT.client_id,
    )
    assert signing_in.principal_of(callback().token).name == "robot"
    assert callback.principal.client_id == ROBOT.client_id


def test_every_secret_and_token_is_registered(signing_in):
    callback = signing_in.callback()
    callback()
    kept = set((signing_in.azure.config.secrets_file).read_text().split())
    kept.discard(signing_in.azure.identity_header)
    kept -= {signing_in.azure.account_keys[name] for name in KeyName}
    assert kept
    assert kept <= set(signing_in.seen)


def test_environment_of_requests_cannot_replace_the_clouds_certificates(signing_in, monkeypatch, tmp_path):
    foreign = tmp_path / "foreign.pem"
    with LocalAzure() as other:
        foreign.write_text(other.ca_file.read_text())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(foreign))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(foreign))
    assert signing_in.callback()()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expires_on": timedelta(days=-1)}, "expired on"),
        ({"not_before": timedelta(days=1)}, "is not valid before"),
    ],
)
def test_dates_of_the_secret_warn_and_refuse_nothing(signing_in, changes, words, caplog):
    dates = {name: signing_in.azure.clock.now() + distance for name, distance in changes.items()}
    signing_in.azure.vault.set_secret("batch-client-secret", signing_in.secret, **dates)
    with caplog.at_level(logging.WARNING, logger="airflow_provider_batchad"):
        assert signing_in.callback()()
    assert words in caplog.text
    assert "'batch-client-secret'" in caplog.text


def test_token_of_five_seconds_is_asked_for_once_a_lifetime(signing_in):
    azure = signing_in.azure
    azure.directory.token_lifetime_seconds = 5.0
    azure.clock.freeze()
    callback = signing_in.callback(clock=azure.clock.time)
    for _ in range(300):  # thirty seconds, ten requests in each
        assert signing_in.principal_of(callback().token)
        azure.clock.advance(0.1)
    assert 6 <= signing_in.count("entra", "Token") <= 9
    assert signing_in.count("keyvault", "Get Secret") == 2


def test_missing_ca_file_is_named_with_its_cloud(signing_in):
    with pytest.raises(CloudConfigurationError, match="'ca_file'") as caught:
        signing_in.callback(cloud={"ca_file": "/nowhere/ca.pem"})
    assert caught.value.cloud == "local"
