"""What becomes of secrets in local Key Vault: deleted, recovered, purged; certificates; too many requests."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity.aio import ManagedIdentityCredential as AsyncManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from airflow_provider_batchad.local.config import AssignmentConfig, LocalAzureConfig
from airflow_provider_batchad.local.keyvault.certificates import CertificateFormat, CertificateIssuer
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.state_fixtures import vault_of

NAME = "batch-client-secret"


@pytest.fixture
def local_azure_config() -> LocalAzureConfig:
    officer = AssignmentConfig(
        principal="airflow-worker", role="Key Vault Secrets Officer", resource="keyvault"
    )
    return LocalAzureConfig(port=0, assignments=(officer,))


@pytest.fixture
def secrets(machine: LocalAzure) -> Iterator[SecretClient]:
    """The vault, as a Key Vault Secrets Officer."""
    with vault_of(machine) as client:
        yield client


def test_deleted_secret_can_be_recovered_with_its_versions(secrets: SecretClient, client_secret: str) -> None:
    secrets.set_secret(NAME, "newer")
    poller = secrets.begin_delete_secret(NAME)
    deleted = poller.result()
    poller.wait()
    assert deleted.name == NAME
    assert deleted.deleted_date is not None
    assert deleted.scheduled_purge_date == deleted.deleted_date + timedelta(days=90)
    with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
        secrets.get_secret(NAME)
    assert [one.name for one in secrets.list_deleted_secrets()] == [NAME]
    assert secrets.get_deleted_secret(NAME).recovery_id == deleted.recovery_id
    recovering = secrets.begin_recover_deleted_secret(NAME)
    recovering.wait()
    assert secrets.get_secret(NAME).value == "newer"
    versions = [str(one.version) for one in secrets.list_properties_of_secret_versions(NAME)]
    assert client_secret in [secrets.get_secret(NAME, version).value for version in versions]
    with pytest.raises(ResourceNotFoundError, match="Deleted Secret not found"):
        secrets.get_deleted_secret(NAME)


async def test_async_client_deletes_recovers_and_purges(machine: LocalAzure, client_secret: str) -> None:
    ca_file = str(machine.ca_file)
    async with (
        AsyncManagedIdentityCredential(connection_verify=ca_file) as credential,
        AsyncSecretClient(
            machine.endpoints.keyvault,
            credential,
            verify_challenge_resource=False,
            connection_verify=ca_file,
        ) as client,
    ):
        await client.delete_secret(NAME)
        await client.recover_deleted_secret(NAME)
        assert (await client.get_secret(NAME)).value == client_secret
        await client.delete_secret(NAME)
        await client.purge_deleted_secret(NAME)
        assert [one async for one in client.list_deleted_secrets()] == []
        assert (await client.set_secret(NAME, "another")).value == "another"


def test_name_of_a_deleted_secret_is_taken_until_it_is_purged(secrets: SecretClient) -> None:
    secrets.begin_delete_secret(NAME).wait()
    with pytest.raises(ResourceExistsError) as refused:
        secrets.set_secret(NAME, "another")
    assert refused.value.error is not None
    assert refused.value.error.innererror["code"] == "ObjectIsDeletedButRecoverable"
    secrets.purge_deleted_secret(NAME)
    assert secrets.set_secret(NAME, "another").value == "another"


def test_deleted_secret_is_purged_after_ninety_days(machine: LocalAzure, secrets: SecretClient) -> None:
    secrets.begin_delete_secret(NAME).wait()
    machine.clock.advance(timedelta(days=91))
    assert machine.vault.find_deleted(NAME) is None
    assert machine.vault.deleted() == ()


def test_deletion_needs_its_own_action(machine: LocalAzure, secrets: SecretClient) -> None:
    worker = machine.directory.principal("airflow-worker")
    for assignment in machine.roles.assignments(principal_id=worker.object_id):
        machine.roles.unassign(assignment.id)
    machine.roles.assign(
        principal_id=worker.object_id, role="Key Vault Secrets User", scope=machine.config.vault_scope
    )
    with pytest.raises(HttpResponseError, match="vaults/secrets/delete"):
        secrets.begin_delete_secret(NAME)


def test_current_version_is_updated_where_none_is_named(secrets: SecretClient) -> None:
    secrets.update_secret_properties(NAME, content_type="text/plain", tags={"owner": "data"})
    found = secrets.get_secret(NAME).properties
    assert (found.content_type, found.tags) == ("text/plain", {"owner": "data"})


@pytest.mark.parametrize("key_type", ["RSA", "EC"])
@pytest.mark.parametrize("exportable", [True, False])
def test_certificate_is_read_as_a_secret_in_pem(
    machine: LocalAzure, secrets: SecretClient, key_type: str, exportable: bool
) -> None:
    added = machine.vault.add_certificate(
        "signing",
        content_type=CertificateFormat.PEM,
        key_type=key_type,  # type: ignore[arg-type]
        exportable=exportable,
    )
    found = secrets.get_secret("signing")
    value = str(found.value)
    assert found.properties.content_type == "application/x-pem-file"
    assert found.properties.key_id == f"{machine.endpoints.keyvault}/keys/signing/{added.secret.version}"
    (certificate,) = x509.load_pem_x509_certificates(value.encode())
    assert certificate == x509.load_pem_x509_certificate(added.certificate_pem.encode())
    assert found.properties.expires_on == certificate.not_valid_after_utc
    assert ("PRIVATE KEY" in value) is exportable
    if exportable:
        key = load_pem_private_key(value.encode(), None)
        assert isinstance(key, rsa.RSAPrivateKey if key_type == "RSA" else ec.EllipticCurvePrivateKey)
        assert key.public_key() == certificate.public_key()


@pytest.mark.parametrize("exportable", [True, False])
def test_certificate_is_read_as_pkcs12_and_converted_on_request(
    machine: LocalAzure, secrets: SecretClient, exportable: bool
) -> None:
    issuer = CertificateIssuer.create("Contoso Issuing CA", now=machine.clock.now())
    machine.vault.add_certificate(
        "signing", subject="batch.contoso.com", issuer=issuer, exportable=exportable
    )
    found = secrets.get_secret("signing")
    assert found.properties.content_type == "application/x-pkcs12"
    key, certificate, others = pkcs12.load_key_and_certificates(base64.b64decode(str(found.value)), None)
    assert (key is not None) is exportable
    held = [one for one in (certificate, *others) if one is not None]
    assert issuer.certificate in held
    pem = secrets.get_secret("signing", out_content_type="application/x-pem-file")
    assert pem.properties.content_type == "application/x-pem-file"
    assert set(x509.load_pem_x509_certificates(str(pem.value).encode())) == set(held)
    assert ("PRIVATE KEY" in str(pem.value)) is exportable


def test_certificate_is_made_over_the_control_port_for_an_application(
    machine: LocalAzure, session: requests.Session
) -> None:
    url = f"{machine.endpoints.control}/vault/certificates/signing"
    made = session.post(url, json={"application": "airflow-batch", "content_type": "application/x-pem-file"})
    assert made.status_code == 201
    assert "PRIVATE KEY" not in made.text
    (registered,) = machine.directory.applications()[0].certificates
    assert registered.key_id == made.json()["key_id"]
    assert session.post(url, json={"application": "nobody"}).status_code == 404


def test_private_keys_are_in_the_file_of_secrets_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    with LocalAzure(LocalAzureConfig(port=0, secrets_file=path)) as azure:
        added = azure.vault.add_certificate("signing", content_type=CertificateFormat.PEM)
    noted = set(path.read_text().splitlines())
    key, _, certificate = added.secret.value.partition("-----END PRIVATE KEY-----")
    assert {line for line in key.splitlines()[1:] if len(line) == 64} <= noted
    assert not noted & {line for line in certificate.splitlines() if line}


def test_too_many_requests_are_refused_until_time_has_passed(
    machine: LocalAzure, secrets: SecretClient, session: requests.Session
) -> None:
    machine.clock.freeze()
    secrets.get_secret(NAME)
    throttle = f"{machine.endpoints.control}/vault/throttle"
    assert session.put(throttle, json={"count": 2, "seconds": 10}).status_code == 200
    for _ in range(2):
        secrets.get_secret(NAME)
    with pytest.raises(HttpResponseError) as refused:
        secrets.get_secret(NAME)
    assert refused.value.status_code == 429
    assert refused.value.error is not None
    assert refused.value.error.code == "Throttled"
    assert refused.value.response is not None
    assert "Retry-After" not in refused.value.response.headers
    machine.clock.advance(10)
    assert secrets.get_secret(NAME).value


def test_what_is_left_out_is_refused_in_the_vaults_own_words(secrets: SecretClient) -> None:
    with pytest.raises(HttpResponseError) as refused:
        secrets.backup_secret(NAME)
    assert refused.value.status_code == 400
    assert refused.value.error is not None
    assert refused.value.error.code == "BadParameter"
