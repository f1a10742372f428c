"""Secrets and certificates that end: in the log, in *Test*'s answer, as metrics, in refusals."""

from __future__ import annotations

import json
import logging
import os
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_batchad.errors import CredentialRefused
from airflow_provider_batchad.hooks.batch import AzureBatchAdHook
from airflow_provider_batchad.local.pytest_plugin import local_azure_environment
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.signing_in import SigningIn

__all__ = ["local_azure_environment"]

SECRET = "batch-client-secret"


@pytest.fixture
def signing_in(local_azure_environment: LocalAzure) -> SigningIn:
    return SigningIn(local_azure_environment)


@pytest.fixture
def gauges(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """What Airflow's metrics are told."""
    from airflow.providers.common.compat.sdk import Stats

    told: list[tuple[str, float]] = []
    monkeypatch.setattr(Stats, "gauge", lambda name, value, **_options: told.append((name, value)))
    return told


def end_in(signing_in: SigningIn, days: float) -> None:
    ends = signing_in.azure.clock.now() + timedelta(days=days)
    signing_in.azure.vault.set_secret(SECRET, signing_in.secret, expires_on=ends)


def ends_of_log(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.getMessage() for line in caplog.records if line.name.endswith("identity.validity")]


def test_secret_that_ends_soon_is_warned_of_and_measured(signing_in, caplog, gauges):
    end_in(signing_in, 6)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            passed, message = AzureBatchAdHook().test_connection()
            assert passed, message
            assert f"Warning: Key Vault's secret {SECRET!r}" in message
            assert "expires on" in message
    assert len(ends_of_log(caplog)) == 1
    assert {name for name, _ in gauges} == {f"batchad.credential_days_left.batchad_default.{SECRET}"}
    assert all(5.9 < days <= 6 for _, days in gauges)


def test_secret_that_lasts_is_measured_and_not_warned_of(signing_in, caplog, gauges):
    end_in(signing_in, 200)
    passed, message = AzureBatchAdHook().test_connection()
    assert passed
    assert "Warning" not in message
    assert ends_of_log(caplog) == []
    assert gauges[0][1] == pytest.approx(200, abs=0.1)


def test_refusal_of_an_ended_secret_names_its_end_first(signing_in):
    end_in(signing_in, -3)
    signing_in.azure.directory.revoke_secret(signing_in.client_id)
    passed, message = AzureBatchAdHook().test_connection()
    assert not passed
    assert message.startswith(f"Sign-in at Microsoft Entra ID: Key Vault's secret {SECRET!r} (version ")
    assert "expired on" in message
    assert "AADSTS7000215" in message
    signing_in.azure.ledger.clear()
    with pytest.raises(CredentialRefused, match=r"^Key Vault's secret"):
        signing_in.callback()()
    assert signing_in.count("entra", "Token") == 1  # it was tried all the same


def test_certificates_own_end_is_said_and_measured(signing_in, monkeypatch, caplog, gauges):
    azure = signing_in.azure
    added = azure.vault.add_certificate(
        "batch-certificate", expires_on=azure.clock.now() + timedelta(days=20)
    )
    azure.directory.add_certificate(signing_in.client_id, added.certificate_pem)
    _name_certificate(monkeypatch)
    passed, message = AzureBatchAdHook().test_connection()
    assert passed, message
    measured = dict(gauges)
    days = measured["batchad.certificate_days_left.batchad_default.batch-certificate"]
    assert days == pytest.approx(20, abs=0.1)
    warning = "The certificate in Key Vault's secret 'batch-certificate'"
    assert f"Warning: {warning}" in message
    assert sum(line.startswith(warning) for line in ends_of_log(caplog)) == 1


def _name_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "AIRFLOW_CONN_BATCHAD_DEFAULT"
    given: dict[str, Any] = json.loads(os.environ[name])
    extra = json.loads(given["extra"]) if isinstance(given["extra"], str) else given["extra"]
    extra.pop("vault_credential_name", None)
    extra["vault_certificate_name"] = "batch-certificate"
    monkeypatch.setenv(name, json.dumps({**given, "extra": extra}))
