"""The ways to sign in to Batch: what each needs on the machine and in Entra ID, and its connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.clouds import CHINA, PUBLIC, US_GOVERNMENT, AzureCloud
from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.hooks.resolve import quieten_sdks
from airflow_provider_batchad.identity.sign_in import BatchSignIn
from airflow_provider_batchad.identity.surroundings import Surroundings
from airflow_provider_batchad.identity.tokens import TokenCallback
from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import (
    DEVELOPER,
    AssignmentConfig,
    LocalAzureConfig,
    ManagedIdentityConfig,
    WorkloadIdentityConfig,
)
from airflow_provider_batchad.local.keyvault.certificates import (
    CertificateFormat,
    CertificateIssuer,
    KeyAndCertificate,
    make_certificate,
)
from tests.canaries.plugin import canaries_of
from tests.contract.signing_in import SigningIn, running

ROBOT = ManagedIdentityConfig(name="robot")
WITHOUT_VAULT: dict[str, Any] = {"vault_url": None, "vault_credential_name": None, "vault_sign_in": None}
WITHOUT_IDS: dict[str, Any] = {"login": None, "tenant_id": None}

# What a cloud asks tokens for. The names of Microsoft's hosts resolve to Microsoft; in their place each
# service is found on loopback, as in any cloud that the Airflow configuration defines.
OWN = replace(
    PUBLIC,
    name="own",
    batch_resource="https://batch.contoso.example/",
    vault_resource="https://vault.contoso.example",
)
CLOUDS = (PUBLIC, US_GOVERNMENT, CHINA, OWN)


def way_config(tmp_path: Path) -> LocalAzureConfig:
    """Every principal may submit jobs, and the machine reads the vault."""
    defaults = LocalAzureConfig(port=0)
    submitters = ("airflow-worker", ROBOT.name, DEVELOPER.name)
    return LocalAzureConfig(
        port=0,
        managed_identities=(*defaults.managed_identities, ROBOT),
        assignments=(
            *defaults.assignments,
            *(
                AssignmentConfig(principal=name, role="Azure Batch Job Submitter", resource="batch")
                for name in submitters
            ),
        ),
        workload_identity=WorkloadIdentityConfig(),
        device_code_interval_seconds=1,
        state_dir=tmp_path / "azure",
    )


def speak_for(monkeypatch: pytest.MonkeyPatch, cloud: AzureCloud) -> dict[str, str]:
    """Let the local Azure that is started next take this cloud's resources and no other's.

    :return: the keys of the cloud's definition.
    """
    local = "airflow_provider_batchad.local"
    known = frozenset({cloud.batch_resource.rstrip("/"), cloud.vault_resource})
    monkeypatch.setattr(f"{local}.entra.directory._KNOWN_RESOURCES", known)
    monkeypatch.setattr(f"{local}.services.BATCH_RESOURCE", cloud.batch_resource)
    for module in ("services", "keyvault.access"):
        monkeypatch.setattr(f"{local}.{module}.VAULT_RESOURCE", cloud.vault_resource)
    return {"batch_resource": cloud.batch_resource, "vault_resource": cloud.vault_resource}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a connection is used."""

    signing_in: SigningIn
    monkeypatch: pytest.MonkeyPatch
    directory: Path
    cloud: dict[str, str]

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(federated_dir=self.directory / "tokens", login_dir=self.directory / "logins")

    def callback(self, **changes: Any) -> TokenCallback:
        return self.signing_in.callback(cloud=self.cloud, surroundings=self.surroundings, **changes)

    def connection(self, **changes: Any) -> BatchConnection:
        return self.signing_in.connection(cloud=self.cloud, **changes)


@contextmanager
def running_machine(
    request: pytest.FixtureRequest, directory: Path, cloud: AzureCloud = PUBLIC
) -> Iterator[Machine]:
    """A machine beside a local Azure of that cloud; Microsoft's clients are as quiet as the hooks make them.

    Logins, and tokens for others to read, are what its directories are for.
    """
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    canaries_of(request.config).births.kept_secret |= {directory / "logins", directory / "tokens"}
    keys = speak_for(monkeypatch, cloud)
    quieten_sdks()
    with running(monkeypatch, way_config(directory)) as signing_in:
        yield Machine(signing_in=signing_in, monkeypatch=monkeypatch, directory=directory, cloud=keys)


Way = Callable[[Machine], dict[str, Any]]


def secret_in_the_connection(machine: Machine) -> dict[str, Any]:
    return {"password": machine.signing_in.secret, **WITHOUT_VAULT}


def secret_in_the_vault(_machine: Machine) -> dict[str, Any]:
    return {}


def everything_in_the_vault(_machine: Machine) -> dict[str, Any]:
    return {
        **WITHOUT_IDS,
        "vault_tenant_id_name": "batch-tenant-id",
        "vault_client_id_name": "batch-client-id",
    }


def _certificate(machine: Machine, form: CertificateFormat) -> dict[str, Any]:
    azure = machine.signing_in.azure
    added = azure.vault.add_certificate("batch-certificate", content_type=form)
    azure.directory.add_certificate(machine.signing_in.client_id, added.certificate_pem)
    azure.directory.revoke_secret(machine.signing_in.client_id)
    return {"vault_credential_name": None, "vault_certificate_name": "batch-certificate"}


def pem_certificate(machine: Machine) -> dict[str, Any]:
    return _certificate(machine, CertificateFormat.PEM)


def pkcs12_certificate(machine: Machine) -> dict[str, Any]:
    return _certificate(machine, CertificateFormat.PKCS12)


def subject_name_and_issuer(machine: Machine) -> dict[str, Any]:
    """The application knows no certificate, but a name and a root two steps above it."""
    now = datetime.now(UTC)
    root = CertificateIssuer.create("Contoso Root", now=now)
    middle = issued_authority(root, now=now)
    pair = make_certificate(
        "batch.contoso.com", not_before=now, not_after=now + timedelta(days=90), issuer=middle
    )
    azure = machine.signing_in.azure
    azure.vault.set_secret("batch-certificate", pair.encode(CertificateFormat.PKCS12, exportable=True))
    azure.directory.trust_subject(machine.signing_in.client_id, "batch.contoso.com", root.pem)
    azure.directory.revoke_secret(machine.signing_in.client_id)
    return {"vault_credential_name": None, "vault_certificate_name": "batch-certificate"}


def issued_authority(root: CertificateIssuer, *, now: datetime) -> CertificateIssuer:
    pair = make_certificate(
        "Contoso Issuing", not_before=now, not_after=now + timedelta(days=900), issuer=root
    )
    return CertificateIssuer(KeyAndCertificate(key=pair.key, certificate=pair.certificate))


def be_the_pod(machine: Machine) -> None:
    for name, value in client_environment(machine.signing_in.azure).items():
        if name.startswith("AZURE_"):
            machine.monkeypatch.setenv(name, value)


def pod(machine: Machine) -> dict[str, Any]:
    be_the_pod(machine)
    return {"sign_in": "workload_identity", **WITHOUT_IDS, **WITHOUT_VAULT}


def federated_file(machine: Machine) -> dict[str, Any]:
    token = machine.signing_in.azure.federated_token_file
    assert token is not None
    (machine.directory / "tokens" / "batch").mkdir(parents=True)
    (machine.directory / "tokens" / "batch" / "azure").write_bytes(token.read_bytes() + b"\n")
    return {"sign_in": "workload_identity", "federated_file": "batch/azure", **WITHOUT_VAULT}


def system_assigned_identity(_machine: Machine) -> dict[str, Any]:
    return {"sign_in": "managed_identity", **WITHOUT_IDS, **WITHOUT_VAULT}


def user_assigned_identity(machine: Machine) -> dict[str, Any]:
    return {**system_assigned_identity(machine), "managed_identity_client_id": ROBOT.client_id}


def be_a_virtual_machine(machine: Machine) -> None:
    machine.monkeypatch.delenv("IDENTITY_ENDPOINT")
    machine.monkeypatch.setenv(
        "AZURE_POD_IDENTITY_AUTHORITY_HOST", machine.signing_in.azure.endpoints.identity
    )


def system_assigned_identity_of_a_virtual_machine(machine: Machine) -> dict[str, Any]:
    be_a_virtual_machine(machine)
    return system_assigned_identity(machine)


def user_assigned_identity_of_a_virtual_machine(machine: Machine) -> dict[str, Any]:
    be_a_virtual_machine(machine)
    return user_assigned_identity(machine)


def person(machine: Machine) -> dict[str, Any]:
    changes = {"sign_in": "integrated", "login": None, **WITHOUT_VAULT}
    log_in(machine, changes)
    return changes


def log_in(machine: Machine, changes: dict[str, Any], *, name: str = DEVELOPER.name) -> str:
    """Somebody signs in with a code, and approves it at once."""
    signing_in = machine.signing_in
    sign_in = BatchSignIn(
        machine.connection(**changes),
        on_secret=signing_in.seen.append,
        retries=0,
        clock=time.time,
        surroundings=machine.surroundings,
    )

    def show(line: str) -> None:
        waiting = signing_in.azure.sign_ins.device_codes.pending()
        assert waiting[0].user_code in line
        signing_in.azure.sign_ins.approve_device(waiting[0].user_code, name)

    return sign_in.log_in(by_device_code=True, show=show)


WAYS: dict[str, tuple[Way, str]] = {
    "secret in the connection": (secret_in_the_connection, "airflow-batch"),
    "secret in the vault": (secret_in_the_vault, "airflow-batch"),
    "secret, tenant and client in the vault": (everything_in_the_vault, "airflow-batch"),
    "certificate, PEM": (pem_certificate, "airflow-batch"),
    "certificate, PKCS#12": (pkcs12_certificate, "airflow-batch"),
    "certificate, subject name and issuer": (subject_name_and_issuer, "airflow-batch"),
    "workload identity, pod": (pod, "airflow-batch"),
    "workload identity, file": (federated_file, "airflow-batch"),
    "managed identity, App Service, system": (system_assigned_identity, "airflow-worker"),
    "managed identity, App Service, user": (user_assigned_identity, ROBOT.name),
    "managed identity, IMDS, system": (system_assigned_identity_of_a_virtual_machine, "airflow-worker"),
    "managed identity, IMDS, user": (user_assigned_identity_of_a_virtual_machine, ROBOT.name),
    "person": (person, DEVELOPER.name),
}
