from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.keyvault.secrets._shared.http_challenge_cache import clear as forget_challenges

from airflow_provider_batchad.local.access import DenyAssignment, Permission, Role
from airflow_provider_batchad.local.config import (
    AZURE_CLI,
    ApplicationConfig,
    LocalAzureConfig,
    UserConfig,
)
from airflow_provider_batchad.local.entra.delegation import Delegation
from airflow_provider_batchad.local.entra.scopes import DelegatedScopes
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import CONFIG, Batch
from tests.contract.management_fixtures import RESOURCE, Manager
from tests.contract.state_fixtures import (
    fill_batch,
    see_batch,
    see_management,
    see_vault,
    started,
    vault_of,
)

CERTIFIED = "certified"


@dataclass(kw_only=True)
class Found:
    """A local Azure after a restart, and what was there before."""

    azure: LocalAzure
    batch: Batch
    seen: dict[str, Any]
    old_secret: str
    old_token: str
    old_endpoints: dict[str, str]
    old_header: str
    container_url: str
    refresh_token: str


def use_machine(monkeypatch: pytest.MonkeyPatch, azure: LocalAzure) -> None:
    forget_challenges()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure.endpoints.identity}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", azure.identity_header)


def look(azure: LocalAzure, batch: Batch) -> dict[str, Any]:
    manager = Manager(azure)
    try:
        management = see_management(manager)
    finally:
        manager.close()
    with vault_of(azure) as client:
        return {"batch": see_batch(batch), "vault": see_vault(client), "management": management}


def sign_in_person(azure: LocalAzure) -> str:
    person = azure.directory.people()[0]
    scopes = DelegatedScopes(
        audience=RESOURCE, permissions=(), wants_id_token=False, wants_refresh_token=True
    )
    delegation = Delegation(
        person=person, client_id=AZURE_CLI.client_id, scopes=scopes, signed_in=azure.clock.time()
    )
    return azure.sign_ins.refresh_tokens.issue(delegation)


def refresh(azure: LocalAzure, token: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(azure.ca_file)
        return session.post(
            f"{azure.endpoints.entra}/{azure.config.tenant.id}/oauth2/v2.0/token",
            data={
                "grant_type": "refresh_token",
                "client_id": AZURE_CLI.client_id,
                "refresh_token": token,
                "scope": f"{RESOURCE}/.default offline_access",
            },
        )


def fill_services(azure: LocalAzure) -> None:
    worker = azure.directory.principal("airflow-worker")
    for role in ("Key Vault Secrets Officer", "Contributor"):
        azure.roles.assign(principal_id=worker.object_id, role=role, scope=azure.config.resource_group_scope)
    azure.roles.assign(
        principal_id=azure.directory.principal("airflow-batch").object_id,
        role="Owner",
        scope=azure.config.subscription_scope,
    )
    azure.roles.define(
        Role(
            id="11111111-2222-3333-4444-555555555555",
            name="Reads pools",
            permissions=(Permission(actions=("Microsoft.Batch/batchAccounts/pools/read",)),),
            custom=True,
        )
    )
    azure.roles.deny(
        DenyAssignment(
            name="No cores",
            scope=azure.config.account_scope,
            permissions=(Permission(actions=("Microsoft.Batch/batchAccounts/delete",)),),
        )
    )
    with vault_of(azure) as client:
        client.set_secret("rotated", "first", tags={"n": "1"}, expires_on=datetime(2040, 1, 1, tzinfo=UTC))
        client.set_secret("rotated", "second")
        client.set_secret("deleted", "gone")
        client.begin_delete_secret("deleted").wait()
    made = azure.vault.add_certificate(CERTIFIED)
    application = azure.directory.add_application(ApplicationConfig(name="added", secret="added-secret"))
    azure.directory.add_certificate(application.principal.app_id, made.certificate_pem)
    azure.directory.add_federated_credential(
        application.principal.app_id, issuer="https://issuer.example", subject="somebody"
    )
    azure.directory.add_user(UserConfig(name="new@contoso.onmicrosoft.com"))


def config_of(directory: Path) -> LocalAzureConfig:
    return replace(CONFIG, state_dir=directory)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    config = config_of(tmp_path_factory.mktemp("azure") / "state")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
        with started(config) as azure:
            use_machine(monkeypatch, azure)
            batch = Batch(azure)
            fill_services(azure)
            fill_batch(batch)
            refresh_token = sign_in_person(azure)
            url = azure.storage.container_url("results")
            azure.storage.containers.create("results")
            base, _, query = url.partition("?")
            put = batch.session.put(
                f"{base}/a/b.txt?{query}", data=b"blob", headers={"x-ms-blob-type": "BlockBlob"}
            )
            assert put.status_code == 201
            azure.faults.add(FaultRule(service="storage", status=503))
            kept: dict[str, Any] = {
                "seen": look(azure, batch),
                "old_secret": azure.directory.applications()[0].secrets[0].value,
                "old_token": str(batch.session.headers["Authorization"]),
                "old_endpoints": azure.endpoints.as_dict(),
                "old_header": azure.identity_header,
                "container_url": url,
                "refresh_token": refresh_token,
            }
            batch.close()
        with started(config) as azure:
            use_machine(monkeypatch, azure)
            batch = Batch(azure)
            yield Found(azure=azure, batch=batch, **kept)
            batch.close()


def test_clients_see_what_they_saw_before(found: Found) -> None:
    seen = look(found.azure, found.batch)
    assert seen["batch"].keys() == found.seen["batch"].keys()
    for part, shown in seen["batch"].items():
        assert shown == found.seen["batch"][part], part
    assert seen["vault"] == found.seen["vault"]
    assert seen["management"] == found.seen["management"]


def test_state_is_rich_enough_to_be_compared(found: Found) -> None:
    batch = found.seen["batch"]
    assert {job["state"] for job in batch["jobs"]} == {"active", "completed", "disabled"}
    assert {task["state"] for tasks in batch["tasks"].values() for task in tasks} == {"active", "completed"}
    assert len(batch["pools"]) == 5
    assert batch["schedules"][0]["executionInfo"]["recentJob"]["id"] == "hourly:job-1"
    assert any(batch["prepared"].values())
    assert found.seen["vault"]["deleted"]
    assert len(found.seen["vault"]["versions"]["rotated"]) == 2
    assert CERTIFIED in found.seen["vault"]["versions"]
    assert found.seen["management"]["denials"]


def test_addresses_and_the_machine_s_header_are_those_of_before(found: Found) -> None:
    assert found.azure.endpoints.as_dict() == found.old_endpoints
    assert found.azure.identity_header == found.old_header


def test_token_and_secret_of_before_are_good(found: Found) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(found.azure.ca_file)
        session.headers["Authorization"] = found.old_token
        url = f"{found.azure.endpoints.batch}/jobs?api-version=2025-06-01"
        assert session.get(url).status_code == 200
        token = session.post(
            f"{found.azure.endpoints.entra}/{found.azure.config.tenant.id}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": found.azure.config.applications[0].client_id,
                "client_secret": found.old_secret,
                "scope": f"{RESOURCE}/.default",
            },
        )
        assert token.status_code == 200


def test_added_application_and_person_keep_what_they_prove_themselves_with(found: Found) -> None:
    added = next(one for one in found.azure.directory.applications() if one.principal.name == "added")
    assert [one.value for one in added.secrets] == ["added-secret"]
    assert [one.issuer for one in added.federated_credentials] == ["https://issuer.example"]
    with vault_of(found.azure) as client:
        assert client.get_secret(CERTIFIED).properties.version
    assert added.certificates[0].certificate.subject.rfc4514_string() == f"CN={CERTIFIED}"
    assert found.azure.directory.person("new@contoso.onmicrosoft.com") is not None


def test_refresh_token_of_a_person_is_good(found: Found) -> None:
    assert refresh(found.azure, found.refresh_token).status_code == 200
    assert refresh(found.azure, f"{found.refresh_token}x").status_code == 400


def test_files_of_finished_tasks_are_readable(found: Found) -> None:
    job_id = next(iter(found.seen["batch"]["prepared"]))
    for name, text in {"stdout.txt": b"out\n", "stderr.txt": b"err\n", "wd/result.txt": b"result\n"}.items():
        assert b"".join(found.batch.client.download_task_file(job_id, "1", name)) == text


def test_blob_is_there_by_its_old_signature(found: Found) -> None:
    base, _, query = found.container_url.partition("?")
    assert found.batch.session.get(f"{base}/a/b.txt?{query}").content == b"blob"


def test_faults_and_the_ledger_begin_anew(found: Found) -> None:
    assert found.azure.faults.rules() == ()
    operations = {one.operation for one in found.azure.ledger.entries()}
    assert "Create Pool" not in operations
