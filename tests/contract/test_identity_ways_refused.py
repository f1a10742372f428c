"""What each way refuses: named by its field, in words that say what to do, and without what was sent."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from airflow_provider_batchad.errors import (
    BatchAdError,
    ConnectionFieldError,
    CredentialRefused,
    SignInError,
    Unreachable,
    VaultError,
)
from airflow_provider_batchad.identity.surroundings import Surroundings
from airflow_provider_batchad.local.config import DEVELOPER, UserConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.keyvault.certificates import CertificateFormat
from tests.contract import ways
from tests.contract.ways import Machine, running_machine

BY_CERTIFICATE = {"vault_credential_name": None, "vault_certificate_name": "batch-certificate"}
UNATTENDED = Surroundings(unattended="a process that Airflow runs by itself")


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    with running_machine(request, tmp_path) as machine:
        yield machine


def refusal_of(machine: Machine, kind: type[BatchAdError], **changes: Any) -> Any:
    with pytest.raises(kind) as caught:
        machine.callback(**changes)()
    assert type(caught.value) is kind
    told = "".join(traceback.format_exception(caught.value))
    assert not [secret for secret in machine.signing_in.seen if secret in told]
    return caught.value


def keep(machine: Machine, **how: Any) -> None:
    machine.signing_in.azure.vault.add_certificate("batch-certificate", **how)


CERTIFICATES: dict[str, tuple[Callable[[Machine], None], str]] = {
    "elliptic curve, PEM": (
        lambda m: keep(m, key_type="EC", content_type=CertificateFormat.PEM),
        "elliptic-curve",
    ),
    "elliptic curve, PKCS#12": (lambda m: keep(m, key_type="EC"), "elliptic-curve"),
    "not exportable, PEM": (
        lambda m: keep(m, exportable=False, content_type=CertificateFormat.PEM),
        "not exportable",
    ),
    "not exportable, PKCS#12": (lambda m: keep(m, exportable=False), "not exportable"),
    "a client secret": (
        lambda m: m.signing_in.azure.vault.set_secret("batch-certificate", "canary-Qp18Q~secret"),
        "'vault_credential_name'",
    ),
}


@pytest.mark.parametrize("what", CERTIFICATES)
def test_useless_certificate_is_told_by_what_it_lacks(machine: Machine, what: str) -> None:
    prepare, words = CERTIFICATES[what]
    prepare(machine)
    error = refusal_of(machine, VaultError, **BY_CERTIFICATE)
    assert error.step == "vault"
    assert "'extra.vault_certificate_name'" in str(error)
    assert words in str(error)
    assert machine.signing_in.count("entra", "Token") == 0


def test_certificate_where_a_secret_should_be_is_told(machine: Machine) -> None:
    keep(machine)
    error = refusal_of(machine, VaultError, vault_credential_name="batch-certificate")
    assert "'extra.vault_credential_name'" in str(error)
    assert "'vault_certificate_name'" in str(error)


def test_certificate_that_is_not_registered_is_refused_by_its_field(machine: Machine) -> None:
    keep(machine)
    error = refusal_of(machine, CredentialRefused, **BY_CERTIFICATE)
    assert (error.step, error.code) == ("token", "AADSTS700027")
    assert "'extra.vault_certificate_name'" in str(error)


def test_certificate_of_another_name_is_refused(machine: Machine) -> None:
    changes = ways.subject_name_and_issuer(machine)
    application = machine.signing_in.azure.directory.application(machine.signing_in.client_id)
    assert application is not None
    (trusted,) = application.trusted_subjects
    application.trusted_subjects = ()
    pem = trusted.authorities[0].public_bytes(Encoding.PEM)
    machine.signing_in.azure.directory.trust_subject(machine.signing_in.client_id, "other.contoso.com", pem)
    error = refusal_of(machine, CredentialRefused, **changes)
    assert error.code == "AADSTS700030"


FEDERATED: dict[str, tuple[Callable[[Machine], dict[str, Any]], type[BatchAdError], str]] = {
    "no directory is configured": (
        lambda m: {**ways.federated_file(m), "surroundings": Surroundings()},
        ConnectionFieldError,
        "federated_dir",
    ),
    "another file": (
        lambda m: {**ways.federated_file(m), "federated_file": "batch/absent"},
        SignInError,
        "is not there",
    ),
    "no variable": (
        lambda m: {"sign_in": "workload_identity", **ways.WITHOUT_VAULT},
        ConnectionFieldError,
        "AZURE_FEDERATED_TOKEN_FILE",
    ),
    "no tenant": (
        lambda m: {**ways.federated_file(m), "tenant_id": None},
        ConnectionFieldError,
        "AZURE_TENANT_ID",
    ),
    "no client": (
        lambda m: {**ways.federated_file(m), "login": None},
        ConnectionFieldError,
        "AZURE_CLIENT_ID",
    ),
}


@pytest.mark.parametrize("what", FEDERATED)
def test_federated_token_that_cannot_be_found_is_told_by_where_it_should_be(
    machine: Machine, what: str
) -> None:
    prepare, kind, words = FEDERATED[what]
    changes = prepare(machine)
    surroundings = changes.pop("surroundings", machine.surroundings)
    with pytest.raises(kind, match=words):
        machine.signing_in.callback(surroundings=surroundings, **changes)()
    assert machine.signing_in.azure.ledger.counts() == {}


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers"])
def test_environment_must_say_one_tenant(machine: Machine, tenant: str) -> None:
    changes = ways.pod(machine)
    machine.monkeypatch.setenv("AZURE_TENANT_ID", tenant)
    error = refusal_of(machine, ConnectionFieldError, **changes)
    assert error.field == "extra.tenant_id"


def test_token_of_another_subject_is_refused_with_the_command_that_shows_what_is_known(
    machine: Machine,
) -> None:
    changes = ways.federated_file(machine)
    token = machine.signing_in.azure.workload_issuer.issue("system:serviceaccount:other:pod")
    (machine.directory / "tokens" / "batch" / "azure").write_text(token)
    error = refusal_of(machine, SignInError, **changes)
    assert error.code == "AADSTS700213"
    assert "az ad app federated-credential list" in str(error)


@pytest.mark.parametrize("sign_in", ["service_principal", "workload_identity"])
@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers"])
def test_application_demands_a_tenant_of_its_own(machine: Machine, tenant: str, sign_in: str) -> None:
    without = {} if sign_in == "service_principal" else ways.WITHOUT_VAULT
    with pytest.raises(ConnectionFieldError, match="a tenant of its own") as caught:
        machine.connection(tenant_id=tenant, sign_in=sign_in, **without)
    assert caught.value.field == "extra.tenant_id"


def test_application_without_a_tenant_is_refused(machine: Machine) -> None:
    with pytest.raises(ConnectionFieldError, match="is missing") as caught:
        machine.connection(tenant_id=None)
    assert caught.value.field == "extra.tenant_id"


@pytest.mark.parametrize("tenant", ["organizations", None])
def test_person_may_leave_the_tenant_open(machine: Machine, tenant: str | None) -> None:
    changes = {"sign_in": "integrated", "login": None, "tenant_id": tenant, **ways.WITHOUT_VAULT}
    assert ways.log_in(machine, changes) == DEVELOPER.name
    assert machine.signing_in.principal_of(machine.callback(**changes)().token).name == DEVELOPER.name


INTEGRATED = {"sign_in": "integrated", "login": None, **ways.WITHOUT_VAULT}


def test_nobody_has_logged_in(machine: Machine) -> None:
    error = refusal_of(machine, SignInError, **INTEGRATED)
    assert "airflow batchad login batchad_default" in str(error)
    assert machine.signing_in.azure.ledger.counts() == {}


def test_person_is_not_there_where_airflow_runs_by_itself(machine: Machine) -> None:
    ways.log_in(machine, INTEGRATED)
    with pytest.raises(ConnectionFieldError, match="a process that Airflow runs by itself") as caught:
        machine.signing_in.callback(surroundings=UNATTENDED, **INTEGRATED)
    assert caught.value.field == "extra.sign_in"
    assert "'service_principal'" in str(caught.value)


def test_login_that_was_revoked_says_to_sign_in_again(machine: Machine) -> None:
    ways.log_in(machine, INTEGRATED)
    machine.signing_in.azure.clock.advance(60)
    machine.signing_in.azure.sign_ins.revoke(DEVELOPER.name)
    error = refusal_of(machine, SignInError, **INTEGRATED)
    assert error.code == "AADSTS50173"
    assert "airflow batchad login batchad_default" in str(error)


def test_login_is_of_one_tenant_and_application(machine: Machine) -> None:
    ways.log_in(machine, INTEGRATED)
    refusal_of(machine, SignInError, **{**INTEGRATED, "tenant_id": "organizations"})


def test_another_person_takes_the_place_of_the_first(machine: Machine) -> None:
    signing_in = machine.signing_in
    signing_in.azure.directory.add_user(UserConfig(name="second@contoso.onmicrosoft.com"))
    ways.log_in(machine, INTEGRATED)
    ways.log_in(machine, INTEGRATED, name="second@contoso.onmicrosoft.com")
    token = machine.callback(**INTEGRATED)().token
    assert signing_in.principal_of(token).name == "second@contoso.onmicrosoft.com"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"RefreshToken": 1}', b"no JSON"])
def test_login_file_that_is_none_counts_as_nobody(machine: Machine, content: bytes) -> None:
    ways.log_in(machine, INTEGRATED)
    (path,) = (machine.directory / "logins").glob("*.login")
    path.write_bytes(content)
    assert "Nobody has signed in" in str(refusal_of(machine, SignInError, **INTEGRATED))


def test_only_its_owner_can_read_a_login(machine: Machine) -> None:
    ways.log_in(machine, INTEGRATED)
    directory = machine.directory / "logins"
    (path,) = directory.glob("*.login")
    assert (directory.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    path.chmod(0o640)
    assert "Nobody has signed in" in str(refusal_of(machine, SignInError, **INTEGRATED))


def test_directory_of_logins_that_others_can_enter_is_not_used(machine: Machine) -> None:
    ways.log_in(machine, INTEGRATED)
    (machine.directory / "logins").chmod(0o755)
    assert "mode 0700" in str(refusal_of(machine, SignInError, **INTEGRATED))


def test_outage_is_none_of_the_persons_login(machine: Machine) -> None:
    ways.log_in(machine, INTEGRATED)
    machine.signing_in.azure.faults.add(FaultRule(service="entra", operation="Token", status=503, times=1))
    refusal_of(machine, Unreachable, **INTEGRATED)
    assert machine.callback(**INTEGRATED)()


def test_every_token_of_a_login_is_registered(machine: Machine) -> None:
    ways.log_in(machine, INTEGRATED)
    machine.signing_in.seen.clear()
    machine.callback(**INTEGRATED)()
    (path,) = (machine.directory / "logins").glob("*.login")
    kinds = json.loads(path.read_text())
    secrets = [entry["secret"] for kind in kinds.values() for entry in kind.values() if "secret" in entry]
    assert len(secrets) >= 3
    assert set(secrets) <= set(machine.signing_in.seen)
