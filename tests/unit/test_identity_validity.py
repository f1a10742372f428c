"""Secrets and certificates that have ended, end soon, or have not begun."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_batchad.errors import CredentialRefused
from airflow_provider_batchad.identity.validity import Validity, ValidityWatch

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def validity(*, days: float | None = None, begins_in_days: float | None = None, **changes: Any) -> Validity:
    given = {
        "kind": "secret",
        "name": "batch-secret",
        "version": uuid.uuid4().hex,
        "field": "extra.vault_credential_name",
        "not_before": None if begins_in_days is None else NOW + timedelta(days=begins_in_days),
        "expires_on": None if days is None else NOW + timedelta(days=days),
    }
    return Validity(**{**given, **changes})


class Watching:
    def __init__(self) -> None:
        self.now = NOW.timestamp()
        self.reported: list[float] = []
        self.watch = ValidityWatch(
            vault_url="https://demo.vault.azure.net",
            clock=lambda: self.now,
            on_validity=lambda _, left: self.reported.append(left),
        )


@pytest.fixture
def watching() -> Watching:
    return Watching()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"days": -1}, "expired on 2026-02-28 00:00 UTC by the note on it"),
        ({"days": 0.9}, "expires on 2026-03-01 21:36 UTC, in 0.9 days by the note on it"),
        ({"days": 6}, "in 6.0 days"),
        ({"days": 29}, "in 29.0 days"),
        ({"begins_in_days": 1, "days": 90}, "is not valid before 2026-03-02 00:00 UTC"),
    ],
)
def test_what_is_due_is_said_in_the_log_and_to_whoever_asks(watching, caplog, given, words):
    with caplog.at_level(logging.WARNING):
        watching.watch.look_at(validity(**given))
    assert words in caplog.text
    assert "'batch-secret'" in caplog.text
    assert "'extra.vault_credential_name'" in caplog.text
    (said,) = watching.watch.warnings()
    assert words in said


@pytest.mark.parametrize("given", [{}, {"days": 31}, {"days": 400, "begins_in_days": -1}])
def test_nothing_is_said_of_what_lasts(watching, caplog, given):
    watching.watch.look_at(validity(**given))
    assert caplog.text == ""
    assert watching.watch.warnings() == ()


def test_each_threshold_of_a_version_is_said_once_in_a_process(watching, caplog):
    found = validity(days=40)
    for _ in range(42 * 4):
        watching.watch.look_at(found)
        watching.now += 6 * 3600
    assert [record.getMessage().split(" UTC")[1][:9] for record in caplog.records] == [
        ", in 30.0",
        ", in 7.0 ",
        ", in 1.0 ",
        " by the n",
    ]
    assert len(watching.reported) == 42 * 4


def test_another_watch_of_the_same_process_does_not_repeat_it_and_a_new_version_is_another(caplog):
    found = validity(days=3)
    for _ in range(3):
        other = Watching()
        other.watch.look_at(found)
        assert len(other.watch.warnings()) == 1
    assert len(caplog.records) == 1
    Watching().watch.look_at(validity(days=3))
    assert len(caplog.records) == 2


def test_days_left_are_reported_negative_after_the_end(watching):
    watching.watch.look_at(validity(days=12.5))
    watching.watch.look_at(validity(days=-2))
    watching.watch.look_at(validity())
    assert watching.reported == [pytest.approx(12.5), pytest.approx(-2)]


def test_certificates_own_end_is_told_beside_the_note(watching, caplog):
    note = validity(days=300, field="extra.vault_certificate_name")
    own = validity(days=5, field="extra.vault_certificate_name", kind="certificate")
    watching.watch.look_at(note)
    watching.watch.look_at(own)
    assert "The certificate in Key Vault's secret 'batch-secret'" in caplog.text
    assert "by the note" not in caplog.text
    assert len(watching.watch.warnings()) == 1


def test_refusal_names_first_what_had_ended_by_its_own_word(watching):
    refused = CredentialRefused("Entra ID refused.", step="token", code="AADSTS7000222", remedy="Renew it.")
    assert watching.watch.explain(refused) is refused
    watching.watch.look_at(validity(days=5))
    assert watching.watch.explain(refused) is refused
    watching.watch.look_at(validity(days=-5))
    explained = watching.watch.explain(refused)
    assert str(explained).startswith("Key Vault's secret 'batch-secret' (version ")
    assert str(explained).endswith("Entra ID refused. Renew it.")
    assert explained.code == "AADSTS7000222"


def test_refusal_does_not_blame_the_secret_that_holds_an_id(watching):
    refused = CredentialRefused("Entra ID refused.", step="token")
    watching.watch.look_at(validity(days=-5, field="extra.vault_tenant_id_name"))
    assert watching.watch.explain(refused) is refused
