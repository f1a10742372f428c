from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_batchad.azure_connection import AzureConnection
from airflow_provider_batchad.clouds import find_cloud, parse_custom_clouds
from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.identity.cache_key import cache_key

TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT = "22222222-2222-2222-2222-222222222222"
OTHER = "33333333-3333-3333-3333-333333333333"
CLOUD = {
    "authority": "https://login.example.com",
    "batch_resource": "https://batch.example.com/",
    "batch_suffix": "batch.example.com",
    "vault_resource": "https://vault.example.com",
    "vault_suffix": "vault.example.com",
    "management": "https://management.example.com",
    "management_resource": "https://management.example.com/",
}
FROM_VAULT = {
    "password": None,
    "vault_url": "https://first-vault.vault.azure.net",
    "vault_credential_name": "secret",
}


def connection(
    *, clouds: dict[str, Any] | None = None, conn_id: str = "a", **changes: Any
) -> BatchConnection:
    given = {
        "host": "https://one.westeurope.batch.azure.com",
        "login": CLIENT,
        "password": "a-secret",
        "tenant_id": TENANT,
        **changes,
    }
    fields = {name: given.pop(name) for name in ("host", "login", "password")}
    parsed = parse_custom_clouds(json.dumps(clouds)) if clouds else {}
    return BatchConnection.parse(conn_id=conn_id, **fields, extra=given, clouds=parsed)


def key(environment: dict[str, str] | None = None, encrypted_with: str = "k", **changes: Any) -> str:
    return cache_key(connection(**changes), environment or {}, encrypted_with=encrypted_with)


def test_it_is_a_hash_and_says_nothing():
    assert len(key()) == 64
    assert set(key()) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "changes",
    [
        {"conn_id": "another"},
        {"host": "https://two.northeurope.batch.azure.com"},
        {"least_privilege": "warn"},
        {"login": CLIENT.upper()},
    ],
)
def test_connections_that_ask_for_the_same_token_share_it(changes):
    assert key(**changes) == key()


@pytest.mark.parametrize(
    "changes",
    [
        {"login": OTHER},
        {"tenant_id": OTHER},
        {"password": "another-secret"},
        {"encrypted_with": "another key"},
        {"host": "https://one.chinaeast2.batch.chinacloudapi.cn", "cloud": "china"},
        FROM_VAULT,
        {"sign_in": "managed_identity", "login": None, "password": None, "tenant_id": None},
    ],
)
def test_connections_that_ask_for_another_token_do_not(changes):
    assert key(**changes) != key()


@pytest.mark.parametrize(
    "changes",
    [
        {"vault_url": "https://other-vault.vault.azure.net"},
        {"vault_credential_name": "another"},
        {"vault_credential_name": f"secret/{'0' * 32}"},
        {"vault_sign_in": "azure_cli"},
        {"managed_identity_client_id": OTHER, "vault_sign_in": "managed_identity"},
        {"login": None, "vault_client_id_name": "client"},
    ],
)
def test_what_is_read_from_which_vault_counts(changes):
    assert key(**{**FROM_VAULT, **changes}) != key(**FROM_VAULT)


@pytest.mark.parametrize("name", [name for name in CLOUD if name not in ("batch_suffix", "vault_suffix")])
def test_every_endpoint_of_a_cloud_counts(name):
    def of(cloud: dict[str, str]) -> str:
        return key(clouds={"mine": cloud}, cloud="mine", host="https://one.west.batch.example.com")

    assert of({**CLOUD, name: CLOUD[name].replace("example", "elsewhere")}) != of(CLOUD)


@pytest.mark.parametrize(
    "variable",
    ["AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "MSI_ENDPOINT", "IMDS_ENDPOINT"],
)
def test_the_environment_counts_where_the_machine_has_a_say(variable):
    assert key({variable: "x"}, **FROM_VAULT) != key(**FROM_VAULT)
    assert key({"PATH": "x"}, **FROM_VAULT) == key(**FROM_VAULT)
    assert key({variable: "x"}) == key(), (
        "the secret stands in the connection: nothing is asked of the machine"
    )


def test_who_reaches_the_vault_counts_and_what_that_connection_is_called_does_not():
    def of(**changes: Any) -> str:
        other = AzureConnection(**{"conn_id": "azure", "cloud": find_cloud("public", {}), **changes})
        outer = connection(**FROM_VAULT, vault_sign_in="connection", vault_conn_id=other.conn_id)
        return cache_key(replace(outer, vault_connection=other), {}, encrypted_with="k")

    assert of(conn_id="renamed") == of()
    assert (
        len({of(), of(client_id=OTHER), of(tenant_id=OTHER), of(client_secret="s"), key(**FROM_VAULT)}) == 5
    )


def test_a_field_that_nobody_thought_of_keeps_connections_apart():
    # All fields count but these few; a new one of the form cannot be forgotten.
    indifferent = {"account_resource_id", "account_url", "conn_id", "least_privilege"}
    assert indifferent < {one.name for one in dataclasses.fields(BatchConnection)}
