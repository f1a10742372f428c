from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from airflow_provider_batchad.local.cli.arguments import SECRETS_FILE_VARIABLE, add_arguments
from airflow_provider_batchad.local.cli.command import read_config
from airflow_provider_batchad.local.config import (
    ApplicationConfig,
    LocalAzureConfig,
    PoolConfig,
    TenantConfig,
)


def parse(*arguments: str) -> LocalAzureConfig:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser)
    return read_config(parser.parse_args(arguments))


def test_no_argument_is_the_default_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRETS_FILE_VARIABLE, raising=False)
    assert parse() == LocalAzureConfig()


@pytest.mark.parametrize(
    ("text", "pool"),
    [
        ("gpu", PoolConfig(id="gpu")),
        ("gpu:5", PoolConfig(id="gpu", nodes=5)),
        ("gpu:1:8", PoolConfig(id="gpu", nodes=1, slots=8)),
    ],
)
def test_pool_is_its_id_nodes_and_slots(text: str, pool: PoolConfig) -> None:
    assert parse("--pool", text).pools == (pool,)
    assert parse("--pool", text, "--pool", "cpu").pools == (pool, PoolConfig(id="cpu"))


@pytest.mark.parametrize("text", ["", "gpu:", "gpu:0", "gpu:x", "gpu:1:2:3", ":1", "gpu:-1"])
def test_pool_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises((argparse.ArgumentError, SystemExit)):
        parse("--pool", text)


def test_roles_replace_the_application_role_and_leave_the_machine_its_own() -> None:
    assignments = parse("--role", "Reader", "--role", "Contributor").assignments
    assert [(one.principal, one.role) for one in assignments] == [
        ("airflow-batch", "Reader"),
        ("airflow-batch", "Contributor"),
        ("airflow-worker", "Key Vault Secrets User"),
    ]


def test_scopes_nest_as_azure_resource_ids_do() -> None:
    config = LocalAzureConfig(account="mine", vault="safe", resource_group="group", subscription_id="s")
    assert config.account_scope == (
        "/subscriptions/s/resourceGroups/group/providers/Microsoft.Batch/batchAccounts/mine"
    )
    assert config.vault_scope == (
        "/subscriptions/s/resourceGroups/group/providers/Microsoft.KeyVault/vaults/safe"
    )


def test_vault_holds_the_ids_of_whatever_tenant_and_application_there_are() -> None:
    tenant = TenantConfig(id="t", domain="d")
    application = ApplicationConfig(name="other", client_id="c")
    config = LocalAzureConfig(tenant=tenant, applications=(application,))
    held = {one.name: one.value for one in config.initial_vault_secrets}
    assert held == {"batch-tenant-id": "t", "batch-client-id": "c"}
    assert LocalAzureConfig(vault_secrets=()).initial_vault_secrets == ()


def test_configured_secret_is_not_shown() -> None:
    config = LocalAzureConfig(applications=(ApplicationConfig(name="a", secret="hidden-value"),))
    assert "hidden-value" not in repr(config)


def test_ids_are_the_same_in_every_run_and_differ_by_name() -> None:
    assert ApplicationConfig(name="a") == ApplicationConfig(name="a")
    assert ApplicationConfig(name="a").client_id != ApplicationConfig(name="b").client_id
    assert ApplicationConfig(name="a", client_id="given").client_id == "given"


def test_role_file_that_is_no_role_is_named(tmp_path: Path) -> None:
    path = tmp_path / "role.json"
    path.write_text('{"Name": "Nothing"}')
    with pytest.raises(ValueError, match=f"--role-file {path}: role 'Nothing' has neither"):
        parse("--role-file", str(path))
