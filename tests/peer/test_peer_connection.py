"""The connection: what it holds, whose identity comes of it, and what is said of one that does not work."""

from __future__ import annotations

import json

import pytest

from airflow_provider_batchad.connection_form import EXTRA_NAMES
from airflow_provider_batchad.errors import SignInError
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.local.client_settings import client_environment, describe_connection
from airflow_provider_batchad.local.config import (
    AssignmentConfig,
    LocalAzureConfig,
    ManagedIdentityConfig,
)
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.operator_runs import context_of, operator_of
from tests.peer.peer_runs import Both

pytestmark = pytest.mark.peer

OWN, OTHER = "airflow-worker", "airflow-batch-submitter"
TWO_IDENTITIES = LocalAzureConfig(
    port=0,
    managed_identities=(
        ManagedIdentityConfig(name=OWN, system_assigned=True),
        ManagedIdentityConfig(name=OTHER),
    ),
    assignments=(
        AssignmentConfig(principal="airflow-batch", role="Azure Batch Job Submitter", resource="batch"),
        AssignmentConfig(principal=OWN, role="Azure Batch Account Reader", resource="batch"),
        AssignmentConfig(principal=OTHER, role="Azure Batch Job Submitter", resource="batch"),
    ),
)
READER = LocalAzureConfig(
    port=0,
    assignments=(
        AssignmentConfig(principal="airflow-batch", role="Azure Batch Job Submitter", resource="batch"),
        AssignmentConfig(principal=OWN, role="Azure Batch Account Reader", resource="batch"),
    ),
)


def store(both: Both, monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> None:
    """Our connection with some fields changed."""
    given = describe_connection(both.azure)
    for name, value in changes.items():
        (given if name in given or name == "password" else given["extra"])[name] = value
    monkeypatch.setenv("AIRFLOW_CONN_BATCHAD_DEFAULT", json.dumps(given))


def test_peer_takes_an_applications_id_and_secret_for_an_account_key(both: Both) -> None:
    application = both.azure.config.applications[0]
    both.peer.connect(
        login=application.client_id,
        password="bm90IGEga2V5",
        extra={"tenant_id": both.azure.config.tenant.id},
    )
    asked = both.azure.ledger.last_sequence
    seen = both.peer.run("connection").answer
    assert (seen["works"], "AuthenticationFailed" in seen["sentence"]) == (False, True)
    assert both.azure.ledger.entries(service="entra", after=asked) == ()
    assert "extra" in seen["hidden"]
    assert not [name for name in seen["fields"] if "client_secret" in name or "vault" in name]


def test_our_form_has_a_field_for_each_and_signs_the_application_in(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = both.azure.directory.applications()[0]
    secret = application.secrets[0].value
    cleared = {"vault_url": None, "vault_credential_name": None, "vault_sign_in": None}
    store(both, monkeypatch, password=secret, **cleared)
    operator = operator_of()
    assert operator.execute(context_of(operator))["succeeded"] == 1
    assert {entry.principal for entry in both.entries("Create Job")} == {"airflow-batch"}
    assert {"tenant_id", "vault_url", "vault_credential_name", "cloud"} <= set(EXTRA_NAMES)


@pytest.mark.parametrize("config", [TWO_IDENTITIES])
def test_peer_ignores_which_managed_identity_is_meant(both: Both) -> None:
    both.peer.be_the_machine(client_environment(both.azure))
    other = both.azure.directory.principal(OTHER).app_id
    both.peer.connect(extra={"managed_identity_client_id": other})
    assert both.peer.run("connection").answer["works"] is True
    assert {entry.principal for entry in both.entries("List Jobs")} == {OWN}


@pytest.mark.parametrize("config", [TWO_IDENTITIES])
def test_our_managed_identity_is_the_one_that_is_meant(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    other = both.azure.directory.principal(OTHER).app_id
    cleared = {"vault_url": None, "vault_credential_name": None, "vault_sign_in": None, "login": None}
    store(
        both,
        monkeypatch,
        sign_in="managed_identity",
        managed_identity_client_id=other,
        tenant_id=None,
        **cleared,
    )
    operator = operator_of()
    assert operator.execute(context_of(operator))["succeeded"] == 1
    assert {entry.principal for entry in both.entries("Create Job")} == {OTHER}


@pytest.mark.parametrize("config", [READER])
def test_peer_test_of_a_connection_that_may_only_read_says_that_it_works(both: Both) -> None:
    both.peer.be_the_machine(client_environment(both.azure))
    assert both.peer.run("connection").answer["works"] is True
    assert both.peer.run().error == "HttpResponseError"
    assert both.statuses("Create Pool") == [403]


@pytest.mark.parametrize("config", [READER])
def test_our_test_of_a_connection_that_may_only_read_names_the_missing_action(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared = {"vault_url": None, "vault_credential_name": None, "vault_sign_in": None, "login": None}
    store(both, monkeypatch, sign_in="managed_identity", tenant_id=None, **cleared)
    works, sentence = AzureBatchAdHook().test_connection()
    assert not works
    assert "Microsoft.Batch/batchAccounts/jobs/write" in sentence


def refused_by_the_vault(both: Both) -> None:
    both.azure.faults.add(FaultRule(service="keyvault", status=403))


def test_peer_connection_that_key_vault_refuses_is_said_not_to_be_there(both: Both) -> None:
    refused_by_the_vault(both)
    both.peer.be_the_machine(client_environment(both.azure))
    del both.peer.environment["AIRFLOW_CONN_AZURE_BATCH_DEFAULT"]
    backend = "airflow.providers.microsoft.azure.secrets.key_vault.AzureKeyVaultBackend"
    both.peer.environment |= {
        "AIRFLOW__SECRETS__BACKEND": backend,
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"vault_url": both.azure.endpoints.keyvault}),
    }
    seen = both.peer.run()
    assert 403 in [entry.status for entry in both.azure.ledger.entries(service="keyvault")]
    assert (seen.error, "isn't defined" in seen.sentence) == ("AirflowNotFoundException", True)


def test_our_secret_that_key_vault_refuses_is_said_to_be_refused_by_it(both: Both) -> None:
    refused_by_the_vault(both)
    operator = operator_of()
    with pytest.raises(SignInError, match=r"Key Vault .* refused") as refused:
        operator.execute(context_of(operator))
    assert refused.value.step == "vault"
