"""What Entra ID's answers mean, wherever in them its numbers stand."""

from __future__ import annotations

import json

import pytest

from airflow_provider_batchad.clouds import PUBLIC
from airflow_provider_batchad.errors import BatchAdError, CredentialRefused, SignInError, Unreachable
from airflow_provider_batchad.identity.entra_answers import Answer, explain_failure
from tests.unit.test_identity_errors import PRINCIPAL

REFUSED = "AADSTS7000215: Invalid client secret provided."


def explain(found: object, *, status: int = 401, text: str = "") -> BatchAdError:
    last = Answer(status=status, retry_after_seconds=None, text=text)
    return explain_failure(PUBLIC, last, found, PRINCIPAL)


@pytest.mark.parametrize(
    "body",
    [
        {"error": "invalid_client", "error_description": REFUSED, "error_codes": [7000215]},
        {"error": "invalid_client", "error_description": REFUSED},
        {"error": "invalid_client", "error_description": "In another language.", "error_codes": [7000215]},
        {"error": "invalid_client", "error_description": f"{REFUSED} See AADSTS700016.", "error_codes": [1]},
    ],
)
def test_the_number_is_where_entra_id_puts_it(body):
    for found, text in ((body, ""), (ValueError("of MSAL"), json.dumps(body))):
        error = explain(found, text=text)
        assert type(error) is CredentialRefused
        assert error.code == "AADSTS7000215"


@pytest.mark.parametrize(
    "text",
    [
        f"<html>{REFUSED}</html>",
        json.dumps({"message": REFUSED}),
        json.dumps({"error_description": f"The proxy says: {REFUSED}"}),
        json.dumps({"error_description": 7, "error_codes": "7000215"}),
        json.dumps({"error_codes": [True]}),
        json.dumps([REFUSED]),
        "",
    ],
)
def test_a_number_in_the_words_of_somebody_else_refuses_no_credential(text):
    """Whatever stands between may quote it."""
    for status in (400, 401, 403):
        error = explain(ValueError("of MSAL"), status=status, text=text)
        assert type(error) is Unreachable
        assert "is not Entra ID's answer" in error.message


def test_an_answer_of_msal_without_a_number_is_told_in_its_words():
    error = explain({"error": "invalid_grant", "error_description": f"About {REFUSED}"}, status=400)
    assert not isinstance(error, SignInError)
    assert "About" in str(error)


def test_an_outage_is_told_with_its_number():
    body = json.dumps({"error_description": "AADSTS90033: A transient error.", "error_codes": [90033]})
    error = explain(ValueError("of MSAL"), status=503, text=body)
    assert "answered 503 (AADSTS90033)" in str(error)
