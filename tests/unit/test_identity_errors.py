from __future__ import annotations

import email.utils
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_provider_batchad.errors import CredentialRefused, PrincipalNotFound, SignInError, Unreachable
from airflow_provider_batchad.identity.entra_errors import explain_entra_error
from airflow_provider_batchad.identity.principal import ClientSecret
from airflow_provider_batchad.identity.unreachable import AnswerWatch, is_outage, parse_retry_after

PRINCIPAL = ClientSecret(
    tenant_id="the-tenant",
    client_id="the-client",
    secret="canary",
    tenant_field="extra.vault_tenant_id_name",
    client_field="login",
    credential_field="extra.vault_credential_name",
)
DESCRIPTION = (
    "AADSTS{number}: Something is wrong. Trace ID: 11111111-2222-3333-4444-555555555555 "
    "Correlation ID: 99999999-2222-3333-4444-555555555555 Timestamp: 2026-01-01 00:00:00Z"
)


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (7000215, CredentialRefused, "'extra.vault_credential_name'"),
        (7000222, CredentialRefused, "has expired"),
        (700016, PrincipalNotFound, "'login'"),
        (7000229, PrincipalNotFound, "az ad sp create --id the-client"),
        (90002, PrincipalNotFound, "'extra.vault_tenant_id_name'"),
        (900023, PrincipalNotFound, "the-tenant"),
        (500011, SignInError, "Microsoft.Batch"),
        (1002012, SignInError, "'extra.cloud'"),
        (53003, SignInError, "Conditional Access"),
        (7000112, SignInError, "is disabled"),
        (700027, CredentialRefused, "az ad app credential reset --id the-client"),
        (700024, CredentialRefused, "clock"),
        (7000213, CredentialRefused, "name or issuer"),
        (50012, CredentialRefused, "thumbprint"),
        (700021, CredentialRefused, "another application"),
        (700023, SignInError, "another authority"),
        (7000216, CredentialRefused, "no proof"),
        (70021, SignInError, "az ad app federated-credential list --id the-client"),
        (7000272, CredentialRefused, "issuer's keys"),
        (700213, SignInError, "az ad app federated-credential list --id the-client"),
        (7000218, SignInError, "public client flows"),
        (50034, SignInError, "'extra.vault_tenant_id_name'"),
    ],
)
def test_known_number_names_the_field_that_mends_it(number, kind, words):
    error = explain_entra_error(number, DESCRIPTION.format(number=number), PRINCIPAL)
    assert type(error) is kind
    assert error.code == f"AADSTS{number}"
    assert error.step == "token"
    assert error.remedy
    assert words in str(error)
    assert "11111111-2222-3333-4444-555555555555" in str(error)
    assert "canary" not in str(error)


def test_unknown_number_is_shown_raw_with_its_trace():
    error = explain_entra_error(123456, DESCRIPTION.format(number=123456), PRINCIPAL)
    assert type(error) is SignInError
    assert "AADSTS123456: Something is wrong." in str(error)
    assert "trace ID 11111111-2222-3333-4444-555555555555" in str(error)
    assert "Correlation" not in str(error)


@pytest.mark.parametrize("number", [50000, 50196, 90006, 90012, 90024, 90033, 90055])
def test_number_that_says_to_try_again_is_no_refusal(number):
    error = explain_entra_error(number, DESCRIPTION.format(number=number), PRINCIPAL, retry_after_seconds=9)
    assert type(error) is Unreachable
    assert error.retry_after_seconds == 9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("0", None),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
    ],
)
def test_retry_after_in_seconds(text, seconds):
    assert parse_retry_after({"Retry-After": text}) == seconds


def test_retry_after_as_a_date_and_without_one():
    assert parse_retry_after({}) is None
    assert parse_retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) is None
    later = email.utils.formatdate(4_000_000_000, usegmt=True)
    assert parse_retry_after({"retry-after": later}) > 1e9


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_statuses_of_an_outage(status):
    assert is_outage(status)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409])
def test_statuses_that_are_an_answer(status):
    assert not is_outage(status)


def _request(url: str) -> SimpleNamespace:
    return SimpleNamespace(http_request=SimpleNamespace(url=url))


def _response(status: int, **headers: str) -> SimpleNamespace:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return SimpleNamespace(http_response=SimpleNamespace(status_code=status, headers=named))


@pytest.fixture
def watch() -> AnswerWatch:
    return AnswerWatch()


def test_watch_sees_that_nobody_answered(watch):
    hooks = watch.hooks()
    assert not watch.saw_outage()
    hooks["raw_request_hook"](_request("https://identity.example/msi/token"))
    assert watch.saw_outage()
    hooks["raw_response_hook"](_response(400))
    assert not watch.saw_outage()


def test_virtual_machines_address_is_silent_on_other_machines(watch):
    watch.hooks()["raw_request_hook"](_request("http://169.254.169.254/metadata/identity/oauth2/token"))
    assert not watch.saw_outage()


def test_watch_takes_a_long_wait_off_the_answer_and_keeps_a_short_one(watch):
    answered = watch.hooks()["raw_response_hook"]
    short, long = _response(429, Retry_After="5"), _response(429, Retry_After="3000")
    answered(short)
    assert (watch.retry_after_seconds, short.http_response.headers) == (5, {"Retry-After": "5"})
    answered(long)
    assert (watch.retry_after_seconds, long.http_response.headers) == (3000, {})
    assert watch.saw_outage()


def test_recorded_errors_of_entra_id_have_a_meaning():
    """Those that concern an application with a secret."""
    recordings = Path(__file__).parents[1] / "contract" / "recordings" / "entra.json"
    numbers = {
        number
        for entry in json.loads(recordings.read_text())
        for number in entry["body"].get("error_codes", [])
    }
    assert numbers
    certificates_and_federation = {700027, 700024, 700213}
    for number in numbers - certificates_and_federation:
        assert explain_entra_error(number, DESCRIPTION.format(number=number), PRINCIPAL).remedy
