from __future__ import annotations

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    ChainedTokenCredential,
    CredentialUnavailableError,
    DefaultAzureCredential,
    ManagedIdentityCredential,
)
from azure.identity.aio import ManagedIdentityCredential as AsyncManagedIdentityCredential

from airflow_provider_batchad.local.config import LocalAzureConfig, ManagedIdentityConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure

VAULT_SCOPE = "https://vault.azure.net/.default"
SYSTEM = ManagedIdentityConfig(name="vm", system_assigned=True)
USER = ManagedIdentityConfig(name="shared")


@pytest.fixture
def local_azure_config() -> LocalAzureConfig:
    return LocalAzureConfig(port=0, managed_identities=(SYSTEM, USER), assignments=())


@pytest.fixture
def virtual_machine(local_azure: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> LocalAzure:
    """This process is on a virtual machine: the IMDS form of the endpoint."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", local_azure.endpoints.identity)
    return local_azure


def who(azure: LocalAzure, token: str) -> str:
    return azure.tokens.verify(
        token, audience="https://vault.azure.net", tenant_id=azure.config.tenant.id
    ).name


@pytest.mark.usefixtures("bundle_environment")
@pytest.mark.parametrize(("client_id", "name"), [(None, "vm"), (USER.client_id, "shared")])
def test_app_service_form_gives_the_named_identity_its_token(
    machine: LocalAzure, client_id: str | None, name: str
) -> None:
    with ManagedIdentityCredential(client_id=client_id, connection_verify=str(machine.ca_file)) as credential:
        token = credential.get_token(VAULT_SCOPE)
    assert who(machine, token.token) == name
    assert [entry.operation for entry in machine.ledger.entries()] == ["Get App Service Token"]


@pytest.mark.usefixtures("bundle_environment")
async def test_app_service_form_works_async(machine: LocalAzure) -> None:
    async with AsyncManagedIdentityCredential(connection_verify=str(machine.ca_file)) as credential:
        token = await credential.get_token(VAULT_SCOPE)
    assert who(machine, token.token) == "vm"


@pytest.mark.parametrize(("client_id", "name"), [(None, "vm"), (USER.client_id, "shared")])
def test_imds_form_gives_the_named_identity_its_token(
    virtual_machine: LocalAzure, client_id: str | None, name: str
) -> None:
    with ManagedIdentityCredential(
        client_id=client_id, connection_verify=str(virtual_machine.ca_file)
    ) as credential:
        token = credential.get_token(VAULT_SCOPE)
    assert who(virtual_machine, token.token) == name
    assert [entry.operation for entry in virtual_machine.ledger.entries()] == ["Get IMDS Token"]


async def test_imds_form_works_async(virtual_machine: LocalAzure) -> None:
    async with AsyncManagedIdentityCredential(connection_verify=str(virtual_machine.ca_file)) as credential:
        token = await credential.get_token(VAULT_SCOPE)
    assert who(virtual_machine, token.token) == "vm"


@pytest.mark.parametrize("form", ["machine", "virtual_machine"])
def test_identity_that_the_machine_has_not_is_refused(request: pytest.FixtureRequest, form: str) -> None:
    azure: LocalAzure = request.getfixturevalue(form)
    with (
        ManagedIdentityCredential(
            client_id="99999999-0000-4000-8000-000000000000",
            connection_verify=str(azure.ca_file),
            retry_total=0,
        ) as credential,
        pytest.raises((ClientAuthenticationError, CredentialUnavailableError), match="Identity not found"),
    ):
        credential.get_token(VAULT_SCOPE)


def test_app_service_form_wants_its_header(machine: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "guessed")
    with (
        ManagedIdentityCredential(connection_verify=str(machine.ca_file), retry_total=0) as credential,
        pytest.raises((ClientAuthenticationError, CredentialUnavailableError)),
    ):
        credential.get_token(VAULT_SCOPE)
    assert [entry.code for entry in machine.ledger.entries()] == ["unauthorized"]


@pytest.mark.parametrize(
    ("path", "headers", "error"),
    [
        ("?api-version=2018-02-01&resource=https://vault.azure.net", {}, "invalid_request"),
        ("?resource=https://vault.azure.net", {"Metadata": "true"}, "invalid_request"),
        ("?api-version=2018-02-01", {"Metadata": "true"}, "invalid_request"),
        (
            "?api-version=2018-02-01&resource=https://elsewhere.example",
            {"Metadata": "true"},
            "invalid_resource",
        ),
    ],
)
def test_imds_form_refuses_incomplete_requests(
    virtual_machine: LocalAzure, session: requests.Session, path: str, headers: dict[str, str], error: str
) -> None:
    answer = session.get(
        f"{virtual_machine.endpoints.identity}/metadata/identity/oauth2/token{path}", headers=headers
    )
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize("form", ["machine", "virtual_machine"])
@pytest.mark.parametrize("named_by", ["object_id", "resource_id"])
def test_identity_may_be_named_by_its_other_ids(
    request: pytest.FixtureRequest, form: str, named_by: str
) -> None:
    azure: LocalAzure = request.getfixturevalue(form)
    identity = azure.directory.managed_identity(client_id=USER.client_id)
    assert identity is not None
    config = {"object_id": identity.principal.object_id, "resource_id": identity.resource_id}
    with ManagedIdentityCredential(
        identity_config={named_by: config[named_by]}, connection_verify=str(azure.ca_file)
    ) as credential:
        assert who(azure, credential.get_token(VAULT_SCOPE).token) == "shared"


def test_chain_goes_on_where_the_machine_has_no_such_identity(virtual_machine: LocalAzure) -> None:
    ca_file = str(virtual_machine.ca_file)
    with ChainedTokenCredential(
        ManagedIdentityCredential(
            client_id="99999999-0000-4000-8000-000000000000", connection_verify=ca_file
        ),
        ManagedIdentityCredential(connection_verify=ca_file),
    ) as chain:
        assert who(virtual_machine, chain.get_token(VAULT_SCOPE).token) == "vm"
    assert [entry.status for entry in virtual_machine.ledger.entries()] == [400, 200]


@pytest.mark.parametrize("form", ["machine", "virtual_machine"])
def test_default_chain_finds_the_managed_identity(
    request: pytest.FixtureRequest, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure: LocalAzure = request.getfixturevalue(form)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    with DefaultAzureCredential(connection_verify=str(azure.ca_file)) as credential:
        assert who(azure, credential.get_token(VAULT_SCOPE).token) == "vm"


@pytest.mark.parametrize("status", [404, 410, 429, 500])
def test_imds_client_asks_again_after_a_passing_error(virtual_machine: LocalAzure, status: int) -> None:
    virtual_machine.faults.add(FaultRule(service="identity", status=status, times=1))
    with ManagedIdentityCredential(connection_verify=str(virtual_machine.ca_file)) as credential:
        assert who(virtual_machine, credential.get_token(VAULT_SCOPE).token) == "vm"
    assert [entry.status for entry in virtual_machine.ledger.entries()] == [status, 200]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (FaultRule(service="identity", status=403, body='{"error": "unreachable"}'), "unreachable"),
        (
            FaultRule(service="identity", status=200, headers={"Content-Type": "text/html"}, body="<html>"),
            "unavailable|Unexpected content type",
        ),
        (FaultRule(service="identity", broken="reset"), "no response from the IMDS endpoint"),
    ],
    ids=["proxy that cannot reach it", "no JSON", "reset"],
)
def test_imds_that_is_not_there_makes_the_credential_unavailable(
    virtual_machine: LocalAzure, rule: FaultRule, text: str
) -> None:
    virtual_machine.faults.add(rule)
    with (
        ManagedIdentityCredential(
            connection_verify=str(virtual_machine.ca_file), retry_total=0
        ) as credential,
        pytest.raises((CredentialUnavailableError, ClientAuthenticationError), match=text),
    ):
        credential.get_token(VAULT_SCOPE)
