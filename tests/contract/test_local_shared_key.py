"""Batch by shared key: Microsoft's client signs, local Azure checks."""

from __future__ import annotations

import os
from email.utils import formatdate
from pathlib import Path

import pytest
import requests
from azure.batch import BatchClient, models
from azure.batch.aio import BatchClient as AsyncBatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError

from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure
from airflow_provider_batchad.local.shared_key import KeyName


@pytest.fixture
def local_azure_config() -> LocalAzureConfig:
    """An account at which no principal holds any role."""
    return LocalAzureConfig(port=0, assignments=())


@pytest.fixture
def azure(local_azure: LocalAzure) -> LocalAzure:
    return local_azure


def sign_in(azure: LocalAzure, key: str | None = None, *, account: str = "demo") -> BatchClient:
    credential = AzureNamedKeyCredential(account, key or azure.account_keys[KeyName.PRIMARY])
    return BatchClient(
        azure.endpoints.batch, credential, connection_verify=os.fspath(azure.ca_file), retry_total=0
    )


@pytest.mark.parametrize("name", list(KeyName))
def test_either_key_opens_everything(azure: LocalAzure, name: KeyName) -> None:
    with sign_in(azure, azure.account_keys[name]) as client:
        pool = models.BatchPoolInfo(pool_id="cpu")
        client.create_job(models.BatchJobCreateOptions(id="signed", pool_info=pool))
        client.create_task("signed", models.BatchTaskCreateOptions(id="one", command_line="/bin/true"))
        client.update_job("signed", models.BatchJobUpdateOptions(priority=7))
        # Clients encode a filter's characters each in their own way, and sign them decoded.
        found = list(client.list_jobs(filter="startswith(id, 'sig') and state eq 'active'", select=["id"]))
        assert [job.id for job in found] == ["signed"]
        assert [pool.id for pool in client.list_pools()] == ["cpu"]
        client.begin_delete_job("signed", polling_interval=0.02).wait()
    entries = azure.ledger.entries(service="batch")
    assert {entry.principal for entry in entries} == {"shared key"}
    assert {entry.status for entry in entries} <= {200, 201, 202, 404}


async def test_async_client_signs_the_same(azure: LocalAzure) -> None:
    credential = AzureNamedKeyCredential("demo", azure.account_keys[KeyName.PRIMARY])
    async with AsyncBatchClient(
        azure.endpoints.batch, credential, connection_verify=os.fspath(azure.ca_file), retry_total=0
    ) as client:
        pool = models.BatchPoolInfo(pool_id="cpu")
        await client.create_job(models.BatchJobCreateOptions(id="signed", pool_info=pool))
        found = [job.id async for job in client.list_jobs(filter="startswith(id, 'sig')")]
        assert found == ["signed"]


@pytest.mark.parametrize("wrong", ["key", "account", "former key", "clock"])
def test_signature_that_does_not_hold_is_refused(azure: LocalAzure, wrong: str) -> None:
    key = "bm8ga2V5" if wrong == "key" else azure.account_keys[KeyName.PRIMARY]
    if wrong == "former key":
        azure.account_keys.regenerate(KeyName.PRIMARY)
    if wrong == "clock":
        azure.clock.advance(16 * 60)
    account = "other" if wrong == "account" else "demo"
    with sign_in(azure, key, account=account) as client, pytest.raises(HttpResponseError) as refused:
        client.get_job("any")
    assert refused.value.error is not None
    assert (refused.value.status_code, refused.value.error.code) == (403, "AuthenticationFailed")
    (entry,) = azure.ledger.entries(service="batch")
    assert (entry.principal, entry.code) == (None, "AuthenticationFailed")


@pytest.mark.parametrize("signature", ["", "demo", "demo:", "demo:!", "demo:bm8=", ":"])
def test_malformed_signature_is_refused(azure: LocalAzure, session: requests.Session, signature: str) -> None:
    headers = {"Authorization": f"SharedKey {signature}", "ocp-date": formatdate(usegmt=True)}
    answer = session.get(f"{azure.endpoints.batch}/jobs?api-version=2025-06-01", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "AuthenticationFailed")


def test_fault_for_a_principal_leaves_signed_requests_alone(azure: LocalAzure) -> None:
    azure.faults.add(FaultRule(service="batch", principal="airflow-batch", status=503))
    azure.faults.add(FaultRule(service="batch", principal="shared key", status=429))
    with sign_in(azure) as client, pytest.raises(HttpResponseError) as throttled:
        client.get_job("any")
    assert throttled.value.status_code == 429
    with sign_in(azure, "bm8ga2V5") as client, pytest.raises(HttpResponseError) as refused:
        client.get_job("any")
    assert refused.value.status_code == 403


def test_account_without_shared_key_takes_none() -> None:
    with (
        LocalAzure(LocalAzureConfig(port=0, shared_key=False)) as azure,
        sign_in(azure) as client,
        pytest.raises(HttpResponseError, match="SharedKey is not allowed") as refused,
    ):
        client.get_job("any")
    assert refused.value.status_code == 403


def test_keys_are_in_the_file_of_secrets_and_not_on_the_ledger(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    with LocalAzure(LocalAzureConfig(port=0, secrets_file=secrets)) as azure:
        keys = {azure.account_keys[name] for name in KeyName}
        with sign_in(azure) as client:
            list(client.list_jobs())
        azure.account_keys.regenerate(KeyName.SECONDARY)
        keys.add(azure.account_keys[KeyName.SECONDARY])
        assert keys <= set(secrets.read_text().splitlines())
        shown = repr(azure.ledger.entries())
    assert not any(key in shown for key in keys)
