"""Entra ID, Key Vault and the machine's endpoint when they do not answer as they should."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_batchad.errors import Unreachable
from airflow_provider_batchad.identity import whole_answer
from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.signing_in import SigningIn, running
from tests.contract.ways import WITHOUT_VAULT

HTML = "<!doctype html><html><body>Sign in to the guest network</body></html>"
FAULTS: dict[str, dict[str, Any]] = {
    "reset": {"broken": "reset"},
    "truncated": {"broken": "truncate"},
    "garbled": {"broken": "garble"},
    "500": {"status": 500},
    "503": {"status": 503},
    "429": {"status": 429, "headers": {"Retry-After": "3000"}},
    "429 with garbage": {"status": 429, "headers": {"Retry-After": "soon"}},
    "HTML with 200": {"status": 200, "body": HTML, "headers": {"Content-Type": "text/html"}},
    "empty 200": {"status": 200, "body": ""},
    "list for an object": {"status": 200, "body": "[1, 2]"},
    "wrong types": {"status": 200, "body": '{"access_token": 7, "expires_in": "x", "token_type": "Bearer"}'},
    "no lifetime": {"status": 200, "body": '{"access_token": "canary", "token_type": "Bearer"}'},
}
every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SigningIn]:
    with running(monkeypatch) as signing_in:
        yield signing_in


@every_fault
@pytest.mark.parametrize("operation", ["OpenID Configuration", "Token"])
def test_broken_entra_id_is_unreachable_and_its_recovery_noticed_at_once(signing_in, operation, fault):
    now = [signing_in.azure.clock.time()]
    callback = signing_in.callback(clock=lambda: now[0])
    rule = signing_in.azure.faults.add(FaultRule(service="entra", operation=operation, **fault))
    with pytest.raises(Unreachable) as caught:
        callback()
    assert caught.value.step == "token"
    assert caught.value.retryable
    assert "canary" not in str(caught.value)
    told_to_wait = fault.get("headers", {}).get("Retry-After") == "3000"
    assert caught.value.retry_after_seconds == (3000 if told_to_wait else None)
    signing_in.azure.faults.remove(rule.id)
    now[0] += 301 if told_to_wait else 0
    assert signing_in.principal_of(callback().token)


@every_fault
def test_valid_token_outlives_a_broken_entra_id(signing_in, fault):
    azure = signing_in.azure
    now = [azure.clock.time()]
    callback = signing_in.callback(clock=lambda: now[0])
    first = callback()
    now[0] += 3300
    rule = azure.faults.add(FaultRule(service="entra", **fault))
    assert [callback() for _ in range(20)] == [first] * 20
    assert 1 <= azure.faults.hits(rule.id) <= 2


VAULT_FAULTS = {
    **{name: fault for name, fault in FAULTS.items() if name not in ("wrong types", "no lifetime")},
    "no value": {"status": 200, "body": '{"id": "https://localhost/secrets/a/b"}'},
}


@pytest.mark.parametrize(
    ("fault", "skip"),
    [
        pytest.param(fault, skip, id=f"{name}, answer {skip + 1}")
        for name, fault in VAULT_FAULTS.items()
        # a first answer of 200 is no challenge, and is read as the secret: one of the two is enough
        for skip in ((1,) if fault.get("status") == 200 else (0, 1))
    ],
)
def test_broken_vault_is_unreachable_and_its_recovery_noticed_at_once(signing_in, fault, skip):
    callback = signing_in.callback()
    rule = signing_in.azure.faults.add(FaultRule(service="keyvault", skip=skip, **fault))
    with pytest.raises(Unreachable) as caught:
        callback()
    assert caught.value.step == "vault"
    assert signing_in.count("entra", "Token") == 0
    signing_in.azure.faults.remove(rule.id)
    callback = signing_in.callback()
    assert signing_in.principal_of(callback().token)


@pytest.mark.parametrize("fault", ["reset", "500", "503", "429"])
@pytest.mark.parametrize("batch_itself", [False, True], ids=["for the vault", "for Batch"])
def test_broken_endpoint_of_the_machine_is_unreachable(signing_in, fault, batch_itself):
    changes: dict[str, Any] = {}
    if batch_itself:
        nothing = dict.fromkeys(("login", "tenant_id", "vault_url", "vault_credential_name", "vault_sign_in"))
        changes = {**nothing, "sign_in": "managed_identity"}
    callback = signing_in.callback(**changes)
    rule = signing_in.azure.faults.add(FaultRule(service="identity", **FAULTS[fault]))
    with pytest.raises(Unreachable) as caught:
        callback()
    assert caught.value.step == ("token" if batch_itself else "vault")
    signing_in.azure.faults.remove(rule.id)
    assert signing_in.callback(**changes)()


@pytest.mark.parametrize("service", ["identity", "keyvault", "entra"])
def test_nobody_listening_is_unreachable(signing_in, monkeypatch, service):
    with LocalAzure() as gone:
        dead = gone.endpoints
    cloud = {}
    changes = {}
    match service:
        case "identity":
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{dead.identity}/msi/token")
        case "keyvault":
            cloud["vault_suffix"] = dead.keyvault.removeprefix("https://")
            changes["vault_url"] = dead.keyvault
        case "entra":
            cloud["authority"] = dead.entra
    with pytest.raises(Unreachable) as caught:
        signing_in.callback(cloud=cloud, **changes)()
    assert caught.value.step == ("token" if service == "entra" else "vault")


def test_entra_id_with_a_strangers_certificate_is_unreachable_and_told_nothing(signing_in, monkeypatch):
    with LocalAzure() as stranger:
        cloud = {"authority": stranger.endpoints.entra}
        with pytest.raises(Unreachable) as caught:
            signing_in.callback(cloud=cloud)()
        assert stranger.ledger.counts() == {}
    assert "'ca_file'" in str(caught.value)
    assert "certificate" in str(caught.value).lower()


def test_redirect_does_not_carry_the_secret_elsewhere(signing_in):
    elsewhere = f"{signing_in.azure.endpoints.storage}/caught"
    signing_in.azure.faults.add(
        FaultRule(service="entra", operation="Token", status=307, headers={"Location": elsewhere})
    )
    with pytest.raises(Unreachable):
        signing_in.callback()()
    assert "storage" not in signing_in.azure.ledger.counts()


@pytest.mark.parametrize("seconds", ["1e20", "NaN", "-5", "0", "Infinity"])
def test_life_that_is_no_length_of_time_is_no_answer(signing_in, seconds):
    body = f'{{"token_type": "Bearer", "access_token": "canary-{seconds}", "expires_in": {seconds}}}'
    signing_in.azure.faults.add(FaultRule(service="entra", operation="Token", status=200, body=body))
    with pytest.raises(Unreachable, match="is not Entra ID's answer"):
        signing_in.callback()()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_of_the_vault_is_not_followed(signing_in, status):
    with LocalAzure(LocalAzureConfig(port=0)) as stranger:
        elsewhere = f"{stranger.endpoints.keyvault}/secrets/batch-client-secret"
        rule = FaultRule(
            service="keyvault", operation="Get Secret", status=status, headers={"Location": elsewhere}
        )
        signing_in.azure.faults.add(rule)
        with pytest.raises(Unreachable, match="sends elsewhere") as caught:
            signing_in.callback()()
        assert stranger.ledger.counts() == {}
    assert caught.value.step == "vault"


def test_short_outage_of_the_vault_is_waited_out(signing_in):
    signing_in.azure.faults.add(FaultRule(service="keyvault", status=503, times=1))
    assert signing_in.callback(retries=3)()


@pytest.mark.parametrize("service", ["keyvault", "identity"])
def test_long_wait_that_a_service_asks_for_is_told_and_not_slept_out(signing_in, service):
    """azure-core would sleep for all of it, on the worker."""
    headers = {"Retry-After": "3000"}
    signing_in.azure.faults.add(FaultRule(service=service, status=429, headers=headers))
    with pytest.raises(Unreachable) as caught:
        signing_in.callback(retries=1)()
    assert caught.value.retry_after_seconds == 3000


def test_broken_connection_to_entra_id_is_tried_once_more(signing_in):
    rule = signing_in.azure.faults.add(FaultRule(service="entra", operation="Token", broken="reset", times=1))
    assert signing_in.callback(retries=3)()
    assert signing_in.azure.faults.hits(rule.id) == 1


def test_no_secret_in_what_an_outage_says(signing_in):
    signing_in.azure.faults.add(FaultRule(service="entra", operation="Token", broken="reset"))
    with pytest.raises(Unreachable) as caught:
        signing_in.callback()()
    told = "".join(traceback.format_exception(caught.value))
    assert signing_in.secret in signing_in.seen
    assert [len(secret) for secret in signing_in.seen if secret in told] == []


def test_an_answer_that_drips_is_not_waited_for(signing_in, monkeypatch):
    """Each byte comes within the client's time limit for one."""
    monkeypatch.setattr(whole_answer, "LONGEST_SECONDS", 0.3)
    as_machine = {"sign_in": "managed_identity", "login": None, "tenant_id": None, **WITHOUT_VAULT}
    for service, step, connection in (
        ("entra", "token", {}),
        ("keyvault", "vault", {}),
        ("identity", "vault", {}),
        ("identity", "token", as_machine),
    ):
        rule = signing_in.azure.faults.add(FaultRule(service=service, broken="drip"))
        with pytest.raises(Unreachable, match="the whole answer did not come") as caught:
            signing_in.callback(**connection)()
        assert caught.value.step == step
        assert signing_in.azure.faults.hits(rule.id) == 1
        signing_in.azure.faults.remove(rule.id)
