"""A rotation of each kind of proof: each new version is tried once, and nobody is asked for more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_batchad.errors import CredentialRefused, SignInError, Unreachable
from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.keyvault.certificates import (
    CertificateFormat,
    CertificateIssuer,
    make_certificate,
)
from tests.contract import ways
from tests.contract.ways import Machine, running_machine

CERTIFICATE = "batch-certificate"
SECRET = "batch-client-secret"


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    with running_machine(request, tmp_path) as machine:
        yield machine


def rotate_secret(machine: Machine) -> None:
    azure, client_id = machine.signing_in.azure, machine.signing_in.client_id
    azure.directory.revoke_secret(client_id)
    azure.vault.set_secret(SECRET, azure.directory.add_secret(client_id).value)


def rotate_certificate(machine: Machine, form: CertificateFormat = CertificateFormat.PKCS12) -> None:
    azure, client_id = machine.signing_in.azure, machine.signing_in.client_id
    azure.directory.remove_certificate(client_id)
    azure.directory.add_certificate(
        client_id, azure.vault.add_certificate(CERTIFICATE, content_type=form).certificate_pem
    )


def rotate_subject(machine: Machine) -> None:
    """The name and issuer that the application trusts change, and the certificate with them."""
    azure = machine.signing_in.azure
    now = datetime.now(UTC)
    root = CertificateIssuer.create("Fabrikam Root", now=now)
    pair = make_certificate(
        "batch.fabrikam.com", not_before=now, not_after=now + timedelta(days=9), issuer=root
    )
    application = azure.directory.application(machine.signing_in.client_id)
    assert application is not None
    application.trusted_subjects = ()
    azure.directory.trust_subject(machine.signing_in.client_id, "batch.fabrikam.com", root.pem)
    azure.vault.set_secret(CERTIFICATE, pair.encode(CertificateFormat.PEM, exportable=True))


ROTATIONS = {
    "secret": (ways.secret_in_the_vault, rotate_secret),
    "certificate, PEM": (ways.pem_certificate, lambda m: rotate_certificate(m, CertificateFormat.PEM)),
    "certificate, PKCS#12": (ways.pkcs12_certificate, rotate_certificate),
    "certificate, from PEM to PKCS#12": (ways.pem_certificate, rotate_certificate),
    "certificate, subject name and issuer": (ways.subject_name_and_issuer, rotate_subject),
}


@pytest.mark.parametrize("kind", ROTATIONS)
def test_rotation_costs_one_refusal_and_one_reading(machine: Machine, kind: str) -> None:
    way, rotate = ROTATIONS[kind]
    signing_in = machine.signing_in
    callback = machine.callback(**way(machine))
    token = callback()
    for _ in range(2):
        rotate(machine)
        signing_in.azure.ledger.clear()
        token = callback(rejected=token.token)
        assert signing_in.principal_of(token.token).name == "airflow-batch"
        refused, granted = signing_in.azure.ledger.entries(service="entra", operation="Token")
        assert (refused.status, granted.status) == (401, 200)
        assert signing_in.count("keyvault", "Get Secret") == 1


@pytest.mark.parametrize("kind", ROTATIONS)
def test_without_a_newer_one_the_refusal_stands(machine: Machine, kind: str) -> None:
    way, _ = ROTATIONS[kind]
    signing_in = machine.signing_in
    callback = machine.callback(**way(machine))
    token = callback()
    signing_in.azure.directory.revoke_secret(signing_in.client_id)
    signing_in.azure.directory.remove_certificate(signing_in.client_id)
    application = signing_in.azure.directory.application(signing_in.client_id)
    assert application is not None
    application.trusted_subjects = ()
    signing_in.azure.ledger.clear()
    with pytest.raises(CredentialRefused) as caught:
        callback(rejected=token.token)
    field = "vault_credential_name" if kind == "secret" else "vault_certificate_name"
    assert f"'extra.{field}'" in str(caught.value)
    assert signing_in.count("entra", "Token") == 1
    assert signing_in.count("keyvault", "Get Secret") == 1


def test_version_that_is_refused_too_is_followed_by_the_next(machine: Machine) -> None:
    """Somebody rotates twice while the first new version is being tried."""
    signing_in = machine.signing_in
    azure = signing_in.azure
    callback = machine.callback()
    token = callback()
    azure.directory.revoke_secret(signing_in.client_id)
    azure.vault.set_secret(SECRET, "mistyped-the-first-time")
    good = azure.directory.add_secret(signing_in.client_id).value
    read_again = callback._request.__self__._reader.read_again
    readings = []

    def read_and_rotate(principal):
        newer = read_again(principal)
        if not readings:
            azure.vault.set_secret(SECRET, good)
        readings.append(newer.version)
        return newer

    callback._request.__self__._reader.read_again = read_and_rotate
    signing_in.azure.ledger.clear()
    assert signing_in.principal_of(callback(rejected=token.token).token)
    assert len(set(readings)) == 2
    assert [entry.status for entry in azure.ledger.entries(service="entra", operation="Token")] == [
        401,
        401,
        200,
    ]


@pytest.mark.parametrize("way", [ways.secret_in_the_vault, ways.pem_certificate])
def test_pinned_version_is_not_read_again(machine: Machine, way: ways.Way) -> None:
    signing_in = machine.signing_in
    changes = way(machine)
    field = "vault_certificate_name" if changes else "vault_credential_name"
    name = CERTIFICATE if changes else SECRET
    found = signing_in.azure.vault.find(name)
    assert found is not None
    callback = machine.callback(**{**changes, field: f"{name}/{found.version}"})
    token = callback()
    (rotate_certificate if changes else rotate_secret)(machine)
    signing_in.azure.ledger.clear()
    with pytest.raises(CredentialRefused):
        callback(rejected=token.token)
    assert signing_in.azure.ledger.counts() == {"entra": {"Token": 1}}


def test_secret_of_the_connection_is_asked_of_nobody_again(machine: Machine) -> None:
    callback = machine.callback(**ways.secret_in_the_connection(machine))
    token = callback()
    rotate_secret(machine)
    machine.signing_in.azure.ledger.clear()
    with pytest.raises(CredentialRefused, match="'password'"):
        callback(rejected=token.token)
    assert machine.signing_in.azure.ledger.counts() == {"entra": {"Token": 1}}


@pytest.mark.parametrize("way", [ways.pod, ways.federated_file])
def test_federated_token_is_read_anew_for_each_request(machine: Machine, way: ways.Way) -> None:
    signing_in = machine.signing_in
    callback = machine.callback(**way(machine))
    first = callback()
    path = machine.directory / "tokens" / "batch" / "azure"
    if way is ways.pod:
        path = machine.directory / "token"
        machine.monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(path))
    issuer = signing_in.azure.workload_issuer
    subject = LocalAzureConfig(workload_identity=ways.WorkloadIdentityConfig()).workload_identity.subject
    renewed = issuer.issue(subject)
    path.write_text(renewed)
    assert signing_in.principal_of(callback(rejected=first.token).token)
    assert renewed in signing_in.seen
    path.unlink()
    with pytest.raises(SignInError, match="is not there"):
        callback(rejected=callback().token)


def test_federated_token_that_has_ended_is_read_again_and_refused_once(machine: Machine) -> None:
    signing_in = machine.signing_in
    changes = ways.federated_file(machine)
    callback = machine.callback(**changes)
    first = callback()
    signing_in.azure.clock.advance(2 * 3600)
    signing_in.azure.ledger.clear()
    with pytest.raises(CredentialRefused) as caught:
        callback(rejected=first.token)
    assert caught.value.code == "AADSTS700024"
    assert "outside of its time" in str(caught.value)
    assert signing_in.count("entra", "Token") == 1


def test_federated_token_that_is_renewed_while_it_is_refused_is_tried(machine: Machine) -> None:
    signing_in = machine.signing_in
    azure = signing_in.azure
    changes = ways.federated_file(machine)
    callback = machine.callback(**changes)
    first = callback()
    reader = callback._request.__self__._reader
    azure.clock.advance(2 * 3600)
    path = machine.directory / "tokens" / "batch" / "azure"
    read_again = reader.read_again
    readings = []

    def read_then_renew(principal):
        found = read_again(principal)
        readings.append(found.version)
        path.write_text(azure.workload_issuer.issue("system:serviceaccount:airflow:airflow-worker"))
        return found

    reader.read_again = read_then_renew
    azure.ledger.clear()
    assert callback(rejected=first.token).token
    assert len(set(readings)) == 2
    assert [entry.status for entry in azure.ledger.entries(service="entra", operation="Token")] == [401, 200]


def test_wrong_application_reads_no_vault_again(machine: Machine) -> None:
    callback = machine.callback(login="99999999-0000-4000-8000-000000000000")
    with pytest.raises(SignInError) as caught:
        callback()
    assert caught.value.code == "AADSTS700016"
    assert machine.signing_in.count("entra", "Token") == 1
    assert machine.signing_in.count("keyvault", "Get Secret") == 2  # one is the challenge


def test_what_was_mended_in_the_vault_is_read_the_next_time(machine: Machine) -> None:
    azure = machine.signing_in.azure
    azure.vault.set_secret("batch-client-id", "99999999-0000-4000-8000-000000000000", confidential=False)
    callback = machine.callback(**ways.everything_in_the_vault(machine))
    with pytest.raises(SignInError):
        callback()
    azure.vault.set_secret("batch-client-id", machine.signing_in.client_id, confidential=False)
    assert callback()


def test_vault_that_does_not_answer_leaves_it_open_whether_there_is_a_newer_one(machine: Machine) -> None:
    azure = machine.signing_in.azure
    callback = machine.callback()
    token = callback()
    rotate_secret(machine)
    azure.faults.add(FaultRule(service="keyvault", status=503, times=1))
    with pytest.raises(Unreachable, match="newer one could not be asked") as caught:
        callback(rejected=token.token)
    assert caught.value.step == "vault"
    assert callback(rejected=token.token)


def test_newer_one_that_is_useless_is_named_beside_the_refusal(machine: Machine) -> None:
    azure = machine.signing_in.azure
    callback = machine.callback(**ways.pem_certificate(machine))
    token = callback()
    azure.directory.remove_certificate(machine.signing_in.client_id)
    azure.vault.add_certificate(CERTIFICATE, key_type="EC")
    with pytest.raises(CredentialRefused) as caught:
        callback(rejected=token.token)
    assert caught.value.code == "AADSTS700027"
    assert "elliptic-curve" in str(caught.value)


def test_principal_stays_what_it_is_but_for_its_proof(machine: Machine) -> None:
    callback = machine.callback(**ways.pem_certificate(machine))
    token = callback()
    before = callback._request.__self__._principal
    rotate_certificate(machine)
    callback(rejected=token.token)
    after = callback._request.__self__._principal
    assert after == replace(before, certificate=after.certificate, version=after.version)
    assert after.version != before.version
