"""Key Vault reached as another Airflow connection: which one, and what leads nowhere."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_provider_batchad.azure_connection import AzureConnection
from airflow_provider_batchad.clouds import parse_custom_clouds
from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.errors import ConnectionFieldError
from airflow_provider_batchad.hooks.vault_connection import (
    with_vault_connection,
    with_vault_connection_async,
)

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "11111111-2222-3333-4444-555555555555"
OTHER_CLOUD = {
    "authority": "https://login.azurestack.example",
    "batch_resource": "https://batch.azurestack.example/",
    "batch_suffix": "batch.azurestack.example",
    "vault_resource": "https://vault.azurestack.example",
    "vault_suffix": "vault.azurestack.example",
    "management": "https://management.azurestack.example",
    "management_resource": "https://management.azurestack.example/",
}
CLOUDS = parse_custom_clouds(json.dumps({"stack": OTHER_CLOUD}))


def stored(conn_id: str, *, reached_as: str | None = None, suffix: str = "azure.com", **changes: Any) -> Any:
    """An Airflow connection of this package's type; with ``reached_as``, its secret is in a vault."""
    extra: dict[str, str] = {"tenant_id": TENANT}
    if reached_as is not None:
        extra |= {
            "vault_url": "https://myvault.vault.azure.net",
            "vault_credential_name": "secret",
            "vault_sign_in": "connection",
            "vault_conn_id": reached_as,
        }
    given = {
        "conn_id": conn_id,
        "conn_type": "azure_batch_ad",
        "host": f"https://mybatch.westeurope.batch.{suffix}",
        "login": CLIENT,
        "password": None if reached_as is not None else "S3cret~value",
        "extra": extra,
    }
    return SimpleNamespace(**{**given, **changes})


def parse(found: Any) -> BatchConnection:
    return BatchConnection.parse(
        conn_id=found.conn_id,
        host=found.host,
        login=found.login,
        password=found.password,
        extra=found.extra,
        clouds=CLOUDS,
    )


@pytest.fixture(params=["sync", "async"])
def resolve(request: pytest.FixtureRequest) -> Any:
    def resolve(first: Any, *others: Any) -> BatchConnection:
        known = {one.conn_id: one for one in (first, *others)}

        def look_up(conn_id: str) -> Any:
            if conn_id not in known:
                raise AirflowNotFoundException(conn_id)
            return known[conn_id]

        async def look_up_async(conn_id: str) -> Any:
            return look_up(conn_id)

        if request.param == "sync":
            return with_vault_connection(parse(first), look_up, parse)
        return asyncio.run(with_vault_connection_async(parse(first), look_up_async, parse))

    return resolve


def refusal_of(resolve: Any, *connections: Any) -> ConnectionFieldError:
    with pytest.raises(ConnectionFieldError) as caught:
        resolve(*connections)
    assert caught.value.field == "extra.vault_conn_id"
    return caught.value


def test_connection_that_names_none_stays_what_it_is(resolve):
    assert resolve(stored("a")) == parse(stored("a"))


def test_connection_of_the_same_type_is_looked_up(resolve):
    first, second = stored("a", reached_as="b"), stored("b")
    assert resolve(first, second) == replace(parse(first), vault_connection=parse(second))


def test_connection_whose_secret_is_in_a_vault_is_reached_by_a_third(resolve):
    whole = resolve(stored("a", reached_as="b"), stored("b", reached_as="c"), stored("c"))
    assert whole.vault_connection.conn_id == "b"
    assert whole.vault_connection.vault_connection.conn_id == "c"
    assert whole.vault_connection.vault_connection.vault_connection is None


def test_airflows_own_type_ends_the_chain(resolve):
    azure = SimpleNamespace(
        conn_id="azure_default",
        conn_type="azure",
        login=CLIENT,
        password="S3cret~value",
        extra=json.dumps({"tenantId": TENANT}),
    )
    found = resolve(stored("a", reached_as="azure_default"), azure).vault_connection
    assert isinstance(found, AzureConnection)
    assert (found.tenant_id, found.client_id, found.client_secret) == (TENANT, CLIENT, "S3cret~value")


def test_connection_that_is_not_there_is_named_by_the_field(resolve):
    error = refusal_of(resolve, stored("a", reached_as="b"))
    assert error.conn_id == "a"
    assert "does not have" in str(error)


def test_connections_that_lead_back_are_refused(resolve):
    error = refusal_of(resolve, stored("a", reached_as="b"), stored("b", reached_as="a"))
    assert error.conn_id == "b"
    assert "a → b → a" in str(error)


def test_longer_ring_is_refused_too(resolve):
    ring = stored("a", reached_as="b"), stored("b", reached_as="c"), stored("c", reached_as="b")
    assert "a → b → c → b" in str(refusal_of(resolve, *ring))


def test_connection_that_names_itself_is_refused_when_it_is_parsed():
    with pytest.raises(ConnectionFieldError, match="this connection itself") as caught:
        parse(stored("a", reached_as="a"))
    assert caught.value.field == "extra.vault_conn_id"


def test_other_types_are_refused(resolve):
    other = stored("b", conn_type="http")
    assert "of another type" in str(refusal_of(resolve, stored("a", reached_as="b"), other))


def test_connection_of_another_cloud_is_refused(resolve):
    other = stored("b", suffix="azurestack.example", extra={"tenant_id": TENANT, "cloud": "stack"})
    other.host = "https://mybatch.west.batch.azurestack.example"
    assert "of another cloud" in str(refusal_of(resolve, stored("a", reached_as="b"), other))


def test_what_is_wrong_with_the_other_is_said_of_the_other(resolve):
    with pytest.raises(ConnectionFieldError) as caught:
        resolve(stored("a", reached_as="b"), stored("b", login="no-guid"))
    assert (caught.value.conn_id, caught.value.field) == ("b", "login")
