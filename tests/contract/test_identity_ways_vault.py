"""Every way to reach Key Vault, to the end of a token for Batch."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.azure_connection import AzureConnection
from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.errors import ConnectionFieldError, Unreachable, VaultError
from airflow_provider_batchad.identity.tokens import TokenCallback
from airflow_provider_batchad.local.config import VAULT_RESOURCE, ApplicationConfig
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract import ways
from tests.contract.ways import Machine, running_machine

READER = ApplicationConfig(name="vault-reader")


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """Who reads the vault is an application beside the one that calls Batch."""
    with running_machine(request, tmp_path) as machine:
        azure = machine.signing_in.azure
        application = azure.directory.add_application(READER)
        for principal in (application.principal, azure.directory.principal(ways.ROBOT.name)):
            _let_read(machine, principal.object_id)
        yield machine


def _let_read(machine: Machine, object_id: str) -> None:
    azure = machine.signing_in.azure
    azure.roles.assign(principal_id=object_id, role="Key Vault Secrets User", scope=azure.config.vault_scope)


def secret_of_reader(machine: Machine) -> str:
    application = machine.signing_in.azure.directory.application(READER.client_id)
    assert application is not None
    return application.secrets[-1].value


def environment(machine: Machine) -> None:
    for name, value in {
        "AZURE_TENANT_ID": machine.signing_in.azure.config.tenant.id,
        "AZURE_CLIENT_ID": READER.client_id,
        "AZURE_CLIENT_SECRET": secret_of_reader(machine),
    }.items():
        machine.monkeypatch.setenv(name, value)


def nothing(_machine: Machine) -> None:
    """The machine's managed identity is there already."""


def pod(machine: Machine) -> None:
    ways.be_the_pod(machine)
    _let_read(machine, machine.signing_in.azure.directory.principal("airflow-batch").object_id)


def signed_in_azure_cli(machine: Machine) -> None:
    """A program on the path that answers as the Azure CLI of somebody who has signed in does."""
    azure = machine.signing_in.azure
    developer = azure.directory.principal(ways.DEVELOPER.name)
    _let_read(machine, developer.object_id)
    token, _ = azure.tokens.issue(developer, audience=VAULT_RESOURCE, lifetime_seconds=600)
    answer = {"accessToken": token, "expires_on": int(time.time()) + 600, "tokenType": "Bearer"}
    programs = machine.directory / "tokens"
    programs.mkdir()
    (programs / "answer").write_text(json.dumps(answer))
    program = programs / "az"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\n"
        f"assert {VAULT_RESOURCE!r} in sys.argv, sys.argv\n"
        f"print(pathlib.Path({str(programs / 'answer')!r}).read_text())\n"
    )
    program.chmod(0o700)
    machine.monkeypatch.setenv("PATH", str(programs), prepend=":")


VAULT_WAYS: dict[str, tuple[str | None, Callable[[Machine], None], dict[str, Any], str]] = {
    "managed identity, system": ("managed_identity", nothing, {}, "airflow-worker"),
    "managed identity, user": (
        "managed_identity",
        nothing,
        {"managed_identity_client_id": ways.ROBOT.client_id},
        ways.ROBOT.name,
    ),
    "managed identity, IMDS": ("managed_identity", ways.be_a_virtual_machine, {}, "airflow-worker"),
    "workload identity": ("workload_identity", pod, {}, "airflow-batch"),
    "environment": ("environment", environment, {}, READER.name),
    "Azure CLI": ("azure_cli", signed_in_azure_cli, {}, ways.DEVELOPER.name),
    "default, environment": ("default", environment, {}, READER.name),
    "default, workload identity": ("default", pod, {}, "airflow-batch"),
    "default, managed identity": (None, nothing, {}, "airflow-worker"),
}


def readers(machine: Machine) -> set[str | None]:
    entries = machine.signing_in.azure.ledger.entries(service="keyvault")
    return {entry.principal for entry in entries if entry.status == 200}


@pytest.mark.parametrize(
    "what", [ways.secret_in_the_vault, ways.pem_certificate, ways.everything_in_the_vault]
)
@pytest.mark.parametrize("way", VAULT_WAYS)
def test_vault_is_read_as(machine: Machine, way: str, what: ways.Way) -> None:
    choice, prepare, changes, reader = VAULT_WAYS[way]
    prepare(machine)
    token = machine.callback(**what(machine), **changes, vault_sign_in=choice)().token
    assert machine.signing_in.principal_of(token).name == "airflow-batch"
    assert readers(machine) == {reader}


def by_connection(
    machine: Machine, other: BatchConnection | AzureConnection, **surroundings: Any
) -> TokenCallback:
    """The recommended connection, its vault reached as another one."""
    connection = machine.connection(vault_sign_in="connection", vault_conn_id=other.conn_id)
    return TokenCallback.for_connection(
        replace(connection, vault_connection=other),
        on_secret=machine.signing_in.seen.append,
        retries=0,
        surroundings=replace(machine.surroundings, **surroundings),
    )


def other(machine: Machine, **changes: Any) -> BatchConnection:
    return replace(machine.connection(**changes), conn_id="vault_reader")


def as_reader(machine: Machine) -> dict[str, Any]:
    return {"login": READER.client_id, "password": secret_of_reader(machine), **ways.WITHOUT_VAULT}


def azure_default(machine: Machine, **changes: Any) -> AzureConnection:
    given: dict[str, Any] = {
        "conn_id": "azure_default",
        "login": READER.client_id,
        "password": secret_of_reader(machine),
        "extra": {"tenantId": machine.signing_in.azure.config.tenant.id},
        "cloud": machine.connection().cloud,
    }
    return AzureConnection.parse(**{**given, **changes})


OTHERS: dict[str, tuple[Callable[[Machine], BatchConnection | AzureConnection], str]] = {
    "client secret": (lambda m: other(m, **as_reader(m)), READER.name),
    "managed identity": (
        lambda m: other(m, **ways.user_assigned_identity(m)),
        ways.ROBOT.name,
    ),
    "azure": (azure_default, READER.name),
    "azure, default chain": (lambda m: azure_default(m, login=None), "airflow-worker"),
    "azure, managed identity": (
        lambda m: azure_default(m, login=None, extra={"managed_identity_client_id": ways.ROBOT.client_id}),
        ways.ROBOT.name,
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_vault_is_read_as_another_connection(machine: Machine, kind: str) -> None:
    make, reader = OTHERS[kind]
    token = by_connection(machine, make(machine))().token
    assert machine.signing_in.principal_of(token).name == "airflow-batch"
    assert readers(machine) == {reader}


def test_connection_of_a_pod_and_of_a_person_reach_the_vault_too(machine: Machine) -> None:
    azure = machine.signing_in.azure
    _let_read(machine, azure.directory.principal("airflow-batch").object_id)
    assert by_connection(machine, other(machine, **ways.federated_file(machine)))()
    _let_read(machine, azure.directory.principal(ways.DEVELOPER.name).object_id)
    person = replace(machine.connection(**ways.person(machine)), conn_id="vault_reader")
    azure.ledger.clear()
    assert by_connection(machine, person)()
    assert readers(machine) == {ways.DEVELOPER.name}


def test_connection_whose_secret_is_in_the_vault_is_reached_by_a_third(machine: Machine) -> None:
    machine.signing_in.azure.vault.set_secret("reader-secret", secret_of_reader(machine))
    second = other(machine, login=READER.client_id, vault_credential_name="reader-secret")
    second = replace(second, vault_connection=azure_default(machine))
    assert by_connection(machine, second)()
    assert readers(machine) == {READER.name}


def test_rotated_secret_is_read_as_the_other_connection_again(machine: Machine) -> None:
    signing_in = machine.signing_in
    callback = by_connection(machine, other(machine, **as_reader(machine)))
    first = callback()
    signing_in.azure.directory.revoke_secret(signing_in.client_id)
    added = signing_in.azure.directory.add_secret(signing_in.client_id)
    signing_in.azure.vault.set_secret("batch-client-secret", added.value)
    assert signing_in.principal_of(callback(rejected=first.token).token)


def test_secret_of_the_other_connection_is_told_from_the_one_that_is_read(machine: Machine) -> None:
    callback = by_connection(machine, other(machine, **{**as_reader(machine), "password": "canary-wrong"}))
    with pytest.raises(VaultError) as caught:
        callback()
    assert (caught.value.step, caught.value.code) == ("vault", "AADSTS7000215")
    assert "'vault_reader'" in str(caught.value)
    assert "'extra.vault_conn_id'" in str(caught.value)
    assert "canary-wrong" not in str(caught.value)
    assert machine.signing_in.count("entra", "Token") == 1


def test_outage_behind_the_other_connection_is_none_of_its_secret(machine: Machine) -> None:
    callback = by_connection(machine, azure_default(machine))
    machine.signing_in.azure.faults.add(FaultRule(service="entra", status=503, times=1))
    with pytest.raises(Unreachable) as caught:
        callback()
    assert caught.value.step == "vault"
    assert callback()


def test_person_of_the_other_connection_must_be_there_too(machine: Machine) -> None:
    person = replace(machine.connection(**ways.person(machine)), conn_id="vault_reader")
    callback = by_connection(machine, person, unattended="a process that Airflow runs by itself")
    with pytest.raises(ConnectionFieldError) as caught:
        callback()
    assert (caught.value.conn_id, caught.value.field) == ("vault_reader", "extra.sign_in")


def test_connection_that_was_not_looked_up_is_refused_before_anything_is_sent(machine: Machine) -> None:
    with pytest.raises(ConnectionFieldError) as caught:
        machine.callback(vault_sign_in="connection", vault_conn_id="azure_default")
    assert caught.value.field == "extra.vault_conn_id"
    assert machine.signing_in.azure.ledger.counts() == {}
