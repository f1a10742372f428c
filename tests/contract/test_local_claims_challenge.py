"""Continuous access evaluation: services demand claims, and Microsoft's clients answer the challenge."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from azure.batch import BatchClient
from azure.batch.aio import BatchClient as AsyncBatchClient
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

from airflow_provider_batchad.local.config import ApplicationConfig, AssignmentConfig, LocalAzureConfig
from airflow_provider_batchad.local.server import LocalAzure

APPLICATION = ApplicationConfig(name="airflow-batch", vault_secret_name="batch-client-secret")


@pytest.fixture
def local_azure_config() -> LocalAzureConfig:
    return LocalAzureConfig(
        port=0,
        applications=(APPLICATION,),
        assignments=(
            AssignmentConfig(principal=APPLICATION.name, role="Azure Batch Job Submitter", resource="batch"),
            AssignmentConfig(principal=APPLICATION.name, role="Key Vault Secrets User", resource="keyvault"),
            AssignmentConfig(principal="airflow-worker", role="Key Vault Secrets User", resource="keyvault"),
        ),
    )


def options(azure: LocalAzure) -> dict[str, Any]:
    return {"authority": azure.endpoints.entra, "connection_verify": str(azure.ca_file)}


@pytest.fixture
def credential(local_azure: LocalAzure, client_secret: str) -> Iterator[ClientSecretCredential]:
    with ClientSecretCredential(
        local_azure.config.tenant.id,
        APPLICATION.client_id,
        client_secret,
        disable_instance_discovery=True,
        **options(local_azure),
    ) as made:
        yield made


def outcomes(azure: LocalAzure, service: str) -> list[int]:
    return [entry.status for entry in azure.ledger.entries(service=service)]


def test_batch_client_answers_once_and_goes_on(
    local_azure: LocalAzure, credential: ClientSecretCredential
) -> None:
    with BatchClient(
        local_azure.endpoints.batch, credential, connection_verify=str(local_azure.ca_file), enable_cae=True
    ) as client:
        list(client.list_jobs())
        local_azure.clock.advance(600)
        demand = local_azure.claims_demands.demand("batch")
        list(client.list_jobs())
        list(client.list_jobs())
    assert outcomes(local_azure, "batch") == [200, 401, 200, 200]
    assert local_azure.ledger.counts()["entra"]["Token"] == 2
    assert local_azure.claims_demands.withdraw(demand.id)


async def test_async_batch_client_answers_too(local_azure: LocalAzure, client_secret: str) -> None:
    ca_file = str(local_azure.ca_file)
    async with (
        AsyncClientSecretCredential(
            local_azure.config.tenant.id, APPLICATION.client_id, client_secret, **options(local_azure)
        ) as credential,
        AsyncBatchClient(
            local_azure.endpoints.batch, credential, connection_verify=ca_file, enable_cae=True
        ) as client,
    ):
        assert [job async for job in client.list_jobs()] == []
        local_azure.claims_demands.demand("batch", principal=APPLICATION.name)
        assert [job async for job in client.list_jobs()] == []
    assert outcomes(local_azure, "batch") == [200, 401, 200]


def test_client_that_announced_nothing_is_left_alone_unless_all_are_meant(
    local_azure: LocalAzure, credential: ClientSecretCredential
) -> None:
    with BatchClient(
        local_azure.endpoints.batch, credential, connection_verify=str(local_azure.ca_file)
    ) as client:
        list(client.list_jobs())
        local_azure.claims_demands.demand("batch")
        list(client.list_jobs())
        local_azure.claims_demands.demand("batch", capable_only=False)
        list(client.list_jobs())
    assert outcomes(local_azure, "batch") == [200, 200, 401, 200]


def test_vault_challenges_for_claims_right_after_its_own_challenge(
    local_azure: LocalAzure, credential: ClientSecretCredential, client_secret: str
) -> None:
    credential.get_token("https://vault.azure.net/.default", enable_cae=True)
    local_azure.claims_demands.demand("keyvault")
    with SecretClient(
        local_azure.endpoints.keyvault,
        credential,
        verify_challenge_resource=False,
        connection_verify=str(local_azure.ca_file),
    ) as client:
        assert client.get_secret("batch-client-secret").value == client_secret
    assert outcomes(local_azure, "keyvault") == [401, 401, 200]


async def test_async_vault_client_answers_too(local_azure: LocalAzure, client_secret: str) -> None:
    ca_file = str(local_azure.ca_file)
    async with (
        AsyncClientSecretCredential(
            local_azure.config.tenant.id, APPLICATION.client_id, client_secret, **options(local_azure)
        ) as credential,
        AsyncSecretClient(
            local_azure.endpoints.keyvault,
            credential,
            verify_challenge_resource=False,
            connection_verify=ca_file,
        ) as client,
    ):
        await client.get_secret("batch-client-secret")
        local_azure.claims_demands.demand("keyvault")
        assert (await client.get_secret("batch-client-secret")).value == client_secret
    assert outcomes(local_azure, "keyvault") == [401, 200, 401, 200]


def test_client_that_cannot_answer_stays_out(machine: LocalAzure) -> None:
    # A managed identity's tokens say nothing of claims: the demand must be for all.
    ca_file = str(machine.ca_file)
    with (
        ManagedIdentityCredential(connection_verify=ca_file) as identity,
        SecretClient(
            machine.endpoints.keyvault,
            identity,
            verify_challenge_resource=False,
            connection_verify=ca_file,
            retry_total=0,
        ) as client,
    ):
        client.get_secret("batch-client-secret")
        machine.claims_demands.demand("keyvault", capable_only=False)
        with pytest.raises((ClientAuthenticationError, HttpResponseError)) as refused:
            client.get_secret("batch-client-secret")
    assert refused.value.status_code == 401


def test_challenge_says_from_when_a_token_must_be(local_azure: LocalAzure, session: requests.Session) -> None:
    control = f"{local_azure.endpoints.control}/claims-demands"
    body = {"service": "batch", "principal": APPLICATION.name, "capable_only": False}
    made = session.post(control, json=body).json()
    principal = local_azure.directory.principal(APPLICATION.name)
    token, _ = local_azure.tokens.issue(
        principal, audience="https://batch.core.windows.net/", lifetime_seconds=60
    )
    jobs = f"{local_azure.endpoints.batch}/jobs?api-version=2025-06-01"
    headers = {"Authorization": f"Bearer {token}"}
    refused = session.get(jobs, headers=headers)
    challenge = refused.headers["WWW-Authenticate"]
    assert refused.status_code == 401
    assert 'error="insufficient_claims"' in challenge
    claims = json.loads(base64.b64decode(challenge.partition('claims="')[2].partition('"')[0]))
    assert claims == {"access_token": {"nbf": {"essential": True, "value": str(int(made["since"]))}}}
    assert [one["id"] for one in session.get(control).json()["claims_demands"]] == [made["id"]]
    assert session.delete(f"{control}/{made['id']}").status_code == 204
    assert session.get(jobs, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "claims", ["{", "[]", '{"access_token": []}', '{"access_token": {"nbf": {"value": "nan"}}}']
)
def test_claims_that_make_no_sense_are_passed_over(
    local_azure: LocalAzure, session: requests.Session, client_secret: str, claims: str
) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": APPLICATION.client_id,
        "client_secret": client_secret,
        "scope": "https://batch.core.windows.net//.default",
        "claims": claims,
    }
    url = f"{local_azure.endpoints.entra}/{local_azure.config.tenant.id}/oauth2/v2.0/token"
    assert session.post(url, data=form).status_code == 200


def test_resource_manager_challenges_in_its_own_shape(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    principal = local_azure.directory.principal(APPLICATION.name)
    token, _ = local_azure.tokens.issue(
        principal, audience="https://management.core.windows.net/", lifetime_seconds=60
    )
    local_azure.claims_demands.demand("management", capable_only=False)
    answer = session.get(
        f"{local_azure.endpoints.management}/subscriptions?api-version=2022-12-01",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert (answer.status_code, "code" in answer.json()["error"]) == (401, True)
    assert 'error="insufficient_claims"' in answer.headers["WWW-Authenticate"]
