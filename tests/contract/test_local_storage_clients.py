"""Microsoft's client of Blob storage with tokens: what roles give it, and what it is told without them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.mgmt.authorization import models
from azure.storage.blob import ContainerClient

from airflow_provider_batchad.local.access import Permission, Role
from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import TenantConfig
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.blob_storage import container_url
from tests.contract.management_fixtures import Manager, managing

SCOPE = "https://storage.azure.com/.default"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
ELSEWHERE = TenantConfig(id=str(uuid.UUID(int=5)), domain="elsewhere.onmicrosoft.com")


@pytest.fixture
def manager() -> Iterator[Manager]:
    with managing() as manager:
        yield manager


@contextmanager
def container(manager: Manager, name: str = "results", credential: Any = None) -> Iterator[ContainerClient]:
    with ContainerClient.from_container_url(
        container_url(manager.azure, name),
        credential=credential or manager.credential,
        connection_verify=os.fspath(manager.azure.ca_file),
        retry_total=0,
    ) as client:
        yield client


def get(manager: Manager, token: str, **headers: str) -> requests.Response:
    sent = {"x-ms-version": "2021-12-02", "Authorization": f"Bearer {token}", **headers}
    return manager.session.get(f"{container_url(manager.azure)}/x", headers=sent, timeout=30)


def refused(call: Any, *arguments: Any, **options: Any) -> tuple[int | None, str]:
    with pytest.raises(HttpResponseError) as caught:
        call(*arguments, **options)
    return caught.value.status_code, caught.value.error_code  # type: ignore[attr-defined]


def test_contributor_writes_lists_reads_a_part_and_deletes(manager: Manager) -> None:
    manager.hold("Storage Blob Data Contributor", manager.config.storage_scope)
    with container(manager) as blobs:
        blobs.upload_blob("a/b c.txt", b"0123456789")
        assert [one.name for one in blobs.list_blobs()] == ["a/b c.txt"]
        assert blobs.download_blob("a/b c.txt", offset=2, length=3).readall() == b"234"
        blobs.delete_blob("a/b c.txt")
        assert refused(blobs.download_blob, "a/b c.txt") == (404, "BlobNotFound")
    said = {
        entry.actions for entry in manager.azure.ledger.entries(service="storage", principal="airflow-batch")
    }
    assert said == {(f"{BLOBS}/{verb}",) for verb in ("write", "read", "delete")}


def test_reader_and_roles_without_data_actions_write_nothing(manager: Manager) -> None:
    manager.hold("Owner", "/")
    with container(manager) as blobs:
        # Owner has no data actions.
        assert refused(blobs.download_blob, "x") == (403, "AuthorizationPermissionMismatch")
        manager.hold("Storage Blob Data Reader", manager.config.storage_scope)
        assert refused(blobs.download_blob, "x") == (404, "BlobNotFound")
        assert refused(blobs.upload_blob, "x", b"x") == (403, "AuthorizationPermissionMismatch")
        assert refused(blobs.delete_blob, "x") == (403, "AuthorizationPermissionMismatch")


def test_who_may_add_blobs_alone_replaces_none(manager: Manager) -> None:
    adder = Role(
        id=str(uuid.UUID(int=9)),
        name="Blob adder",
        permissions=(Permission(data_actions=(f"{BLOBS}/add/action",)),),
        custom=True,
    )
    manager.azure.roles.define(adder)
    manager.hold(adder.name, manager.config.container_scope("results"))
    with container(manager) as blobs:
        blobs.upload_blob("x", b"1")
        assert refused(blobs.upload_blob, "x", b"2", overwrite=True) == (
            403,
            "AuthorizationPermissionMismatch",
        )


@pytest.mark.parametrize("whole_account", [True, False])
def test_resource_manager_assigns_roles_at_the_account_and_at_a_container(
    manager: Manager, whole_account: bool
) -> None:
    manager.hold("Owner", manager.config.resource_group_scope)
    config = manager.config
    scope = config.storage_scope if whole_account else config.container_scope("results")
    definitions = f"{config.subscription_scope}/providers/Microsoft.Authorization/roleDefinitions"
    manager.authorization.role_assignments.create(
        scope,
        str(uuid.uuid4()),
        models.RoleAssignmentCreateParameters(
            role_definition_id=f"{definitions}/{READER}", principal_id=manager.principal.object_id
        ),
    )
    with container(manager) as blobs, container(manager, "others") as others:
        assert list(blobs.list_blobs()) == []
        if whole_account:
            assert list(others.list_blobs()) == []
        else:
            assert refused(list, others.list_blobs()) == (403, "AuthorizationPermissionMismatch")


def test_a_managed_identity_reads_blobs(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    azure = manager.azure
    for name, value in client_environment(azure).items():
        monkeypatch.setenv(name, value)
    azure.roles.assign(
        principal_id=manager.other.object_id,
        role="Storage Blob Data Reader",
        scope=azure.config.storage_scope,
    )
    with (
        ManagedIdentityCredential(connection_verify=os.fspath(azure.ca_file)) as credential,
        container(manager, credential=credential) as blobs,
    ):
        assert list(blobs.list_blobs()) == []
    [entry] = azure.ledger.entries(service="storage")
    assert entry.principal == "airflow-worker"


def test_the_service_says_what_is_wrong_with_a_token(manager: Manager) -> None:
    manager.hold("Storage Blob Data Reader", manager.config.storage_scope)
    tokens, principal = manager.azure.tokens, manager.principal
    audience = "https://storage.azure.com"

    def issue(audience: str = audience, **changes: Any) -> str:
        return tokens.issue(principal, audience=audience, **{"lifetime_seconds": 600, **changes})[0]

    assert get(manager, issue()).status_code == get(manager, issue(f"{audience}/")).status_code == 404
    ended = issue(lifetime_seconds=1)
    manager.azure.clock.advance(2)
    for token, detail in (
        (issue("https://batch.core.windows.net/"), "Audience validation failed. Audience did not match."),
        (ended, "Lifetime validation failed. The token is expired."),
        (f"{issue()[:-8]}AAAAAAAA", "Signature validation failed. Signature verification failed."),
        ("nonsense", ""),
    ):
        answer = get(manager, token)
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo")
        assert answer.headers["WWW-Authenticate"] == (
            f"Bearer authorization_uri={manager.azure.endpoints.entra}/{manager.config.tenant.id}"
            f"/oauth2/authorize resource_id={audience}"
        )
        assert (
            f"<AuthenticationErrorDetail>{detail}" in answer.text if detail else "Detail" not in answer.text
        )
        old = get(manager, token, **{"x-ms-version": "2019-07-07"})
        assert (old.status_code, old.headers["x-ms-error-code"]) == (403, "AuthenticationFailed")
        assert "WWW-Authenticate" not in old.headers


def test_a_client_with_the_wrong_audience_asks_again_for_the_one_of_the_challenge(manager: Manager) -> None:
    manager.hold("Storage Blob Data Reader", manager.config.storage_scope)
    with ContainerClient.from_container_url(
        container_url(manager.azure),
        credential=manager.credential,
        audience="https://vault.azure.net",
        connection_verify=os.fspath(manager.azure.ca_file),
    ) as blobs:
        assert list(blobs.list_blobs()) == []
    assert [one.status for one in manager.azure.ledger.entries(service="storage")] == [401, 200]


def test_a_token_of_another_tenant_is_no_proof() -> None:
    with managing(other_tenants=(ELSEWHERE,)) as manager:
        stranger = type(manager.principal)(
            tenant_id=ELSEWHERE.id,
            object_id=manager.principal.object_id,
            app_id=manager.principal.app_id,
            name=manager.principal.name,
        )
        token, _ = manager.azure.tokens.issue(
            stranger, audience="https://storage.azure.com", lifetime_seconds=600
        )
        answer = get(manager, token)
        assert answer.status_code == 401
        assert "Issuer validation failed. Issuer did not match." in answer.text


def test_nobody_is_told_who_could_vouch_for_them(manager: Manager) -> None:
    with (
        ContainerClient.from_container_url(
            container_url(manager.azure), connection_verify=os.fspath(manager.azure.ca_file), retry_total=0
        ) as blobs,
        pytest.raises(ClientAuthenticationError) as caught,
    ):
        list(blobs.list_blobs())
    response = caught.value.response
    assert response is not None
    assert (response.status_code, caught.value.error_code) == (401, "NoAuthenticationInformation")  # type: ignore[attr-defined]
    assert "resource_id=https://storage.azure.com" in response.headers["WWW-Authenticate"]


def test_tokens_from_before_a_demand_are_challenged(manager: Manager) -> None:
    manager.hold("Storage Blob Data Reader", manager.config.storage_scope)
    before = manager.credential.get_token(SCOPE, enable_cae=True).token
    plain = manager.credential.get_token(SCOPE).token
    assert get(manager, before).status_code == 404
    manager.azure.clock.advance(600)
    manager.azure.claims_demands.demand("storage")
    challenged = get(manager, before)
    assert challenged.status_code == 401
    assert 'error="insufficient_claims", claims="' in challenged.headers["WWW-Authenticate"]
    assert get(manager, plain).status_code == 404


def test_a_fault_is_for_one_principal_alone(manager: Manager) -> None:
    manager.hold("Storage Blob Data Reader", manager.config.storage_scope)
    manager.azure.faults.add(FaultRule(service="storage", principal="airflow-batch", status=503, times=1))
    token = manager.credential.get_token(SCOPE).token
    assert manager.session.get(f"{container_url(manager.azure)}/x", timeout=30).status_code == 404
    assert [get(manager, token).status_code for _ in range(2)] == [503, 404]
