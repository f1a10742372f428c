"""What Entra ID and Key Vault refuse, in the words of the connection; and a rotated secret."""

from __future__ import annotations

import dataclasses
import logging
import pickle
import sys
import traceback
from collections.abc import Iterator

import jwt
import pytest

from airflow_provider_batchad.errors import (
    BatchAdError,
    CredentialRefused,
    PrincipalNotFound,
    SignInError,
    Unreachable,
    VaultError,
)
from airflow_provider_batchad.identity import vault_credential
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.signing_in import SigningIn, running

OTHER = "99999999-0000-0000-0000-000000000000"
WITHOUT_VAULT = {"vault_url": None, "vault_credential_name": None, "vault_sign_in": None}


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SigningIn]:
    with running(monkeypatch) as signing_in:
        yield signing_in


def refusal_of(signing_in: SigningIn, kind: type[BatchAdError], **changes: object) -> BatchAdError:
    with pytest.raises(kind) as caught:
        signing_in.callback(**changes)()
    assert type(caught.value) is kind
    return caught.value


def rotate(signing_in: SigningIn) -> None:
    """A new secret in Entra ID and in the vault; the old one deleted."""
    azure = signing_in.azure
    azure.directory.revoke_secret(signing_in.client_id)
    new = azure.directory.add_secret(signing_in.client_id)
    azure.vault.set_secret("batch-client-secret", new.value)


def test_wrong_tenant_is_named(signing_in):
    error = refusal_of(signing_in, PrincipalNotFound, tenant_id=OTHER)
    assert (error.step, error.code) == ("token", "AADSTS90002")
    assert "'extra.tenant_id'" in str(error)
    assert OTHER in str(error)


def test_wrong_client_is_named(signing_in):
    error = refusal_of(signing_in, PrincipalNotFound, login=OTHER)
    assert (error.step, error.code) == ("token", "AADSTS700016")
    assert "'login'" in str(error)


def test_wrong_tenant_from_the_vault_is_named_by_its_own_field(signing_in):
    signing_in.azure.vault.set_secret("batch-tenant-id", OTHER, confidential=False)
    error = refusal_of(signing_in, PrincipalNotFound, tenant_id=None, vault_tenant_id_name="batch-tenant-id")
    assert "'extra.vault_tenant_id_name'" in str(error)


@pytest.mark.parametrize(
    ("secret", "changes", "field"),
    [
        (
            "batch-tenant-id",
            {"tenant_id": None, "vault_tenant_id_name": "batch-tenant-id"},
            "extra.vault_tenant_id_name",
        ),
        (
            "batch-client-id",
            {"login": None, "vault_client_id_name": "batch-client-id"},
            "extra.vault_client_id_name",
        ),
        ("batch-client-secret", {}, "extra.vault_credential_name"),
    ],
)
def test_useless_value_in_the_vault_is_named_and_not_shown(signing_in, secret, changes, field):
    value = "\n" if secret == "batch-client-secret" else "canary nonsense"
    signing_in.azure.vault.set_secret(secret, value)
    error = refusal_of(signing_in, VaultError, **changes)
    assert f"'{field}'" in str(error)
    assert "canary" not in str(error)
    assert signing_in.count("entra", "Token") == 0


def test_wrong_secret_in_the_connection(signing_in):
    error = refusal_of(signing_in, CredentialRefused, password="canary-wrong-secret", **WITHOUT_VAULT)
    assert error.code == "AADSTS7000215"
    assert "'password'" in str(error)
    assert "canary-wrong-secret" not in str(error)
    assert not error.retryable


def test_expired_secret_in_the_vault(signing_in):
    signing_in.azure.directory.expire_secret(signing_in.client_id)
    error = refusal_of(signing_in, CredentialRefused)
    assert error.code == "AADSTS7000222"
    assert "has expired" in str(error)
    assert "'extra.vault_credential_name'" in str(error)
    # read, asked, read again (the challenge is known by then), and not asked with the same version again
    assert signing_in.count("keyvault", "Get Secret") == 3
    assert signing_in.count("entra", "Token") == 1


def test_rotated_secret_costs_one_more_request_and_no_error(signing_in, caplog):
    callback = signing_in.callback()
    first = callback()
    rotate(signing_in)
    signing_in.azure.ledger.clear()
    with caplog.at_level(logging.INFO, logger="airflow_provider_batchad"):
        second = callback(rejected=first.token)
    assert signing_in.principal_of(second.token).name == "airflow-batch"
    assert signing_in.count("entra", "Token") == 2
    assert signing_in.count("keyvault", "Get Secret") == 1
    assert "is there by now, and is tried" in caplog.text
    signing_in.azure.ledger.clear()
    callback(rejected=second.token)
    assert signing_in.azure.ledger.counts() == {"entra": {"Token": 1}}


def test_second_rotation_is_followed_as_well(signing_in):
    callback = signing_in.callback()
    token = callback()
    for _ in range(2):
        rotate(signing_in)
        token = callback(rejected=token.token)
        assert signing_in.principal_of(token.token)


def test_vault_that_still_holds_the_old_version_is_read_again_next_time(signing_in):
    callback = signing_in.callback()
    first = callback()
    azure = signing_in.azure
    azure.directory.revoke_secret(signing_in.client_id)
    new = azure.directory.add_secret(signing_in.client_id)
    with pytest.raises(CredentialRefused):
        callback(rejected=first.token)
    azure.vault.set_secret("batch-client-secret", new.value)
    assert signing_in.principal_of(callback(rejected=first.token).token)


def test_pinned_version_is_not_replaced_by_a_newer_one(signing_in):
    version = signing_in.azure.vault.find("batch-client-secret").version
    callback = signing_in.callback(vault_credential_name=f"batch-client-secret/{version}")
    first = callback()
    rotate(signing_in)
    with pytest.raises(CredentialRefused):
        callback(rejected=first.token)


def test_new_version_that_is_refused_too_is_the_answer(signing_in):
    callback = signing_in.callback()
    first = callback()
    signing_in.azure.directory.revoke_secret(signing_in.client_id)
    signing_in.azure.vault.set_secret("batch-client-secret", "canary-never-valid")
    signing_in.azure.ledger.clear()
    with pytest.raises(CredentialRefused) as caught:
        callback(rejected=first.token)
    assert signing_in.count("entra", "Token") == 2
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_vault_out_of_reach_during_a_rotation_is_unreachable_and_not_refused(signing_in):
    callback = signing_in.callback()
    first = callback()
    rotate(signing_in)
    signing_in.azure.faults.add(FaultRule(service="keyvault", status=503, times=1))
    with pytest.raises(Unreachable) as caught:
        callback(rejected=first.token)
    assert caught.value.step == "vault"
    assert callback(rejected=first.token)


def test_refused_secret_is_asked_again_as_soon_as_entra_id_knows_it(signing_in):
    callback = signing_in.callback(password="soon-to-be-right", **WITHOUT_VAULT)
    with pytest.raises(CredentialRefused):
        callback()
    signing_in.azure.directory.add_secret(signing_in.client_id, "soon-to-be-right")
    assert signing_in.principal_of(callback().token)


def test_unknown_application_is_asked_again_as_soon_as_entra_id_knows_it(signing_in):
    """MSAL answers an identical 400 from memory for a minute."""
    azure = signing_in.azure
    application = dataclasses.replace(
        azure.config.applications[0], name="late", client_id=OTHER, object_id=OTHER, secret="late-secret"
    )
    callback = signing_in.callback(login=OTHER, password="late-secret", **WITHOUT_VAULT)
    with pytest.raises(PrincipalNotFound):
        callback()
    azure.directory.add_application(application)
    assert signing_in.principal_of(callback().token).name == "late"


def test_name_that_is_not_in_the_vault(signing_in):
    error = refusal_of(signing_in, VaultError, vault_credential_name="no-such-secret")
    assert (error.step, error.code) == ("vault", "SecretNotFound")
    assert "'extra.vault_credential_name'" in str(error)


def test_vault_that_refuses_names_the_role(signing_in):
    azure = signing_in.azure
    worker = azure.directory.principal("airflow-worker")
    for assignment in azure.roles.assignments(principal_id=worker.object_id):
        azure.roles.unassign(assignment.id)
    error = refusal_of(signing_in, VaultError)
    assert error.step == "vault"
    assert error.code == "ForbiddenByRbac"
    assert "Key Vault Secrets User" in str(error)


def test_disabled_version_says_so(signing_in):
    signing_in.azure.vault.set_secret("batch-client-secret", "canary", enabled=False)
    error = refusal_of(signing_in, VaultError)
    assert error.code == "SecretDisabled"
    assert "Enable that version" in str(error)


def test_identity_that_the_machine_does_not_have(signing_in):
    error = refusal_of(signing_in, VaultError, managed_identity_client_id=OTHER)
    assert error.step == "vault"
    assert "'extra.vault_sign_in'" in str(error)
    error = refusal_of(
        signing_in,
        SignInError,
        login=None,
        tenant_id=None,
        sign_in="managed_identity",
        managed_identity_client_id=OTHER,
        **WITHOUT_VAULT,
    )
    assert error.step == "token"
    assert "managed_identity_client_id" in str(error)


def test_environment_that_says_nothing(signing_in):
    error = refusal_of(signing_in, VaultError, vault_sign_in="environment")
    assert "EnvironmentCredential" in str(error)


def test_environment_with_a_wrong_secret_carries_entra_ids_number(signing_in, monkeypatch):
    monkeypatch.setenv("AZURE_TENANT_ID", signing_in.azure.config.tenant.id)
    monkeypatch.setenv("AZURE_CLIENT_ID", signing_in.client_id)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "canary-wrong-secret")
    for choice in ("environment", "default"):
        error = refusal_of(signing_in, VaultError, vault_sign_in=choice)
        assert error.code == "AADSTS7000215"
        assert "canary" not in str(error)


def test_workload_identity_shows_entra_id_the_pods_token(signing_in, monkeypatch, tmp_path):
    """Local Azure knows no federated credential: that refusal says whose token reached it."""
    file = tmp_path / "token"
    subject = "system:serviceaccount:airflow:worker"
    file.write_text(jwt.encode({"sub": subject}, "a key of at least thirty-two bytes", algorithm="HS256"))
    monkeypatch.setenv("AZURE_TENANT_ID", signing_in.azure.config.tenant.id)
    monkeypatch.setenv("AZURE_CLIENT_ID", signing_in.client_id)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(file))
    error = refusal_of(signing_in, VaultError, vault_sign_in="workload_identity")
    assert error.code == "AADSTS700213"
    assert subject in str(error)


def test_workload_identity_outside_of_a_pod(signing_in):
    error = refusal_of(signing_in, VaultError, vault_sign_in="workload_identity")
    assert "token_file_path" in str(error)


def test_azure_cli_that_is_not_there(signing_in, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refusal_of(signing_in, VaultError, vault_sign_in="azure_cli")
    assert "Azure CLI not found" in str(error)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("sys.exit('HTTPSConnectionPool(host=x, port=443): Max retries exceeded with url: /t')", Unreachable),
        ("import time; time.sleep(60)", Unreachable),
        ("sys.exit('ERROR: AADSTS50076: more is demanded')", VaultError),
    ],
    ids=["no network", "hangs", "refused"],
)
def test_azure_cli_without_a_network_is_no_refused_sign_in(signing_in, monkeypatch, tmp_path, body, kind):
    program = tmp_path / "az"
    program.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(vault_credential, "AZURE_CLI_SECONDS", 2)
    error = refusal_of(signing_in, kind, vault_sign_in="azure_cli")
    assert error.step == "vault"


def test_vault_that_wants_a_token_for_another_resource_gets_none(signing_in):
    error = refusal_of(signing_in, VaultError, cloud={"vault_resource": "https://vault.other.example"})
    assert "another resource" in str(error)
    assert signing_in.azure.ledger.counts()["keyvault"] == {"Get Secret": 1}
    assert "identity" not in signing_in.azure.ledger.counts()


def test_cloud_whose_batch_resource_is_wrong(signing_in):
    error = refusal_of(signing_in, SignInError, cloud={"batch_resource": "https://other.example/"})
    assert error.code == "AADSTS500011"


def test_no_secret_in_any_log_error_or_representation(signing_in, caplog):
    with caplog.at_level(logging.DEBUG):
        callback = signing_in.callback()
        token = callback()
        rotate(signing_in)
        callback(rejected=token.token)
        signing_in.azure.directory.revoke_secret(signing_in.client_id)
        with pytest.raises(CredentialRefused) as caught:
            callback(rejected=callback().token)
    assert len(signing_in.seen) >= 6
    told = (
        caplog.text + "".join(traceback.format_exception(caught.value)) + f"{callback!r} {vars(callback)!r}"
    )
    assert [len(secret) for secret in signing_in.seen if secret in told] == []
    assert "GET" in caplog.text  # the logs were really on


def test_nothing_that_holds_a_secret_is_pickled(signing_in):
    callback = signing_in.callback()
    callback()
    sign_in = callback._request.__self__
    for thing in (callback, sign_in, sign_in._principal, sign_in._reader._vault):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(thing)
