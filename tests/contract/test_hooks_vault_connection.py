"""A vault that is reached as another Airflow connection, looked up by the hooks in Airflow itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.errors import ConnectionFieldError
from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, AzureBatchAdHook
from airflow_provider_batchad.jobs.requests import list_jobs
from airflow_provider_batchad.local.client_settings import client_environment, describe_connection
from airflow_provider_batchad.local.config import ApplicationConfig
from tests.contract import ways
from tests.contract.ways import Machine, running_machine

READER = ApplicationConfig(name="vault-reader")


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    with running_machine(request, tmp_path) as machine:
        azure = machine.signing_in.azure
        reader = azure.directory.add_application(READER).principal
        azure.roles.assign(
            principal_id=reader.object_id, role="Key Vault Secrets User", scope=azure.config.vault_scope
        )
        for name, value in client_environment(azure).items():
            if not name.startswith("AZURE_"):
                machine.monkeypatch.setenv(name, value)
        machine.monkeypatch.setenv("AIRFLOW__BATCHAD__TOKEN_CACHE", "False")
        connect(machine, "batchad_default", vault_sign_in="connection", vault_conn_id="vault_reader")
        yield machine


def connect(machine: Machine, conn_id: str, *, conn_type: str = "azure_batch_ad", **changes: Any) -> None:
    given = {**describe_connection(machine.signing_in.azure), "conn_type": conn_type}
    for name, value in changes.items():
        (given if name in ("login", "password") else given["extra"])[name] = value
    machine.monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(given))


def connect_reader(machine: Machine) -> None:
    application = machine.signing_in.azure.directory.application(READER.client_id)
    assert application is not None
    changes = {"login": READER.client_id, "password": application.secrets[-1].value, **ways.WITHOUT_VAULT}
    connect(machine, "vault_reader", **changes)


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[[], int]:
    request_of_batch = list_jobs(select="id", page_size=1)

    def ask_sync() -> int:
        with AzureBatchAdHook() as hook:
            return hook.send(request_of_batch).status

    async def ask_async() -> int:
        async with AzureBatchAdAsyncHook() as hook:
            return (await hook.send(request_of_batch)).status

    return ask_sync if request.param == "sync" else lambda: asyncio.run(ask_async())


def test_vault_is_read_as_the_other_connection(machine: Machine, ask: Callable[[], int]) -> None:
    connect_reader(machine)
    assert ask() == 200
    readers = {entry.principal for entry in machine.signing_in.azure.ledger.entries(service="keyvault")}
    assert readers - {None} == {READER.name}
    (asked,) = machine.signing_in.azure.ledger.entries(service="batch")
    assert asked.principal == "airflow-batch"


def test_airflows_own_type_does_too(machine: Machine, ask: Callable[[], int]) -> None:
    application = machine.signing_in.azure.directory.application(READER.client_id)
    assert application is not None
    stored = {
        "conn_type": "azure",
        "login": READER.client_id,
        "password": application.secrets[-1].value,
        "extra": {"tenantId": machine.signing_in.azure.config.tenant.id, "subscriptionId": "x"},
    }
    machine.monkeypatch.setenv("AIRFLOW_CONN_VAULT_READER", json.dumps(stored))
    assert ask() == 200


def test_ring_is_refused_before_anything_is_sent(machine: Machine, ask: Callable[[], int]) -> None:
    connect(machine, "vault_reader", vault_sign_in="connection", vault_conn_id="batchad_default")
    with pytest.raises(
        ConnectionFieldError, match="batchad_default → vault_reader → batchad_default"
    ) as caught:
        ask()
    assert (caught.value.conn_id, caught.value.field) == ("vault_reader", "extra.vault_conn_id")
    assert machine.signing_in.azure.ledger.counts() == {}


def test_connection_that_is_not_there_is_named_by_the_field(machine: Machine, ask: Callable[[], int]) -> None:
    with pytest.raises(ConnectionFieldError, match="does not have") as caught:
        ask()
    assert (caught.value.conn_id, caught.value.field) == ("batchad_default", "extra.vault_conn_id")


def test_federated_file_lies_below_the_configurations_directory(
    machine: Machine, ask: Callable[[], int]
) -> None:
    changes = ways.federated_file(machine)
    connect(machine, "batchad_default", **changes)
    with pytest.raises(ConnectionFieldError, match="federated_dir"):
        ask()
    machine.monkeypatch.setenv("AIRFLOW__BATCHAD__FEDERATED_DIR", str(machine.directory / "tokens"))
    assert ask() == 200
