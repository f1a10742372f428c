"""*Test* in Airflow's web page: each wrong setting is answered with the field or the step."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_batchad.local.client_settings import describe_connection
from tests.airflow.conftest import STRANGER, Deployment


def _test(deployment: Deployment, changes: dict[str, Any]) -> tuple[bool, str]:
    connection = describe_connection(deployment.azure)
    extra = {**connection.pop("extra"), **{k: v for k, v in changes.items() if k not in connection}}
    body = {**connection, **{k: v for k, v in changes.items() if k in connection}}
    answer = deployment.airflow.api.post(
        "connections/test", {**body, "connection_id": "tested", "extra": json.dumps(extra)}
    )
    return answer["status"], answer["message"]


def test_right_settings_say_what_the_principal_may_do_and_where_it_ran(deployment: Deployment) -> None:
    passed, message = _test(deployment, {})
    assert passed, message
    assert describe_connection(deployment.azure)["login"] in message
    assert "may read and write jobs" in message
    assert "Tested on" in message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tenant_id": "99999999-0000-0000-0000-000000000000"}, ["Entra ID", "AADSTS90002", "tenant_id"]),
        ({"login": "99999999-0000-0000-0000-000000000000"}, ["Entra ID", "AADSTS700016", "login"]),
        (
            {"vault_credential_name": "no-such-secret"},
            ["Key Vault", "SecretNotFound", "vault_credential_name"],
        ),
        ({"host": "https://localhost:9"}, ["'host'"]),
        ({"host": "https://demo.westeurope.batch.azure.com"}, ["'host'", "cloud"]),
    ],
    ids=["wrong tenant", "wrong client", "name not in the vault", "wrong host", "host of another cloud"],
)
def test_a_wrong_setting_is_named(
    deployment: Deployment, changes: dict[str, Any], expected: list[str]
) -> None:
    passed, message = _test(deployment, changes)
    assert not passed
    for words in expected:
        assert words in message


def test_a_vault_that_refuses_is_named(deployment: Deployment) -> None:
    azure = deployment.azure
    worker = azure.directory.principal("airflow-worker")
    removed = azure.roles.assignments(principal_id=worker.object_id)
    for assignment in removed:
        azure.roles.unassign(assignment.id)
    try:
        passed, message = _test(deployment, {})
    finally:
        for assignment in removed:
            azure.roles.assign(principal_id=worker.object_id, role=assignment.role_id, scope=assignment.scope)
    assert not passed
    assert "Key Vault" in message
    assert "Key Vault Secrets User" in message


def test_a_missing_role_is_named_with_its_action(deployment: Deployment) -> None:
    passed, message = _test(
        deployment, {"login": STRANGER.client_id, "vault_credential_name": STRANGER.vault_secret_name}
    )
    assert not passed
    assert "Azure Batch" in message
    assert "Microsoft.Batch/batchAccounts/jobs/read" in message
    assert "airflow batchad role" in message
