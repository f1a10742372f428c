from __future__ import annotations

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError, ManagedIdentityCredential
from azure.identity.aio import ManagedIdentityCredential as AsyncManagedIdentityCredential

from airflow_provider_batchad.local.config import LocalAzureConfig, ManagedIdentityConfig
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
