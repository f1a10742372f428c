from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest

from airflow_provider_batchad.local.clock import Clock
from airflow_provider_batchad.local.entra.tokens import (
    Principal,
    RejectionReason,
    TokenAuthority,
    TokenRejected,
)

AUDIENCE = "https://batch.core.windows.net/"
WHO = Principal(tenant_id="tenant", object_id="object", app_id="app", name="airflow-batch")


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def authority(clock: Clock) -> TokenAuthority:
    return TokenAuthority(clock=clock)


@pytest.fixture(autouse=True)
def real_time(clock: Clock) -> None:
    clock.real()


@pytest.fixture
def token(authority: TokenAuthority) -> str:
    return authority.issue(WHO, audience=AUDIENCE, lifetime_seconds=60)[0]


def rejection(authority: TokenAuthority, token: str | None, **wanted: Any) -> RejectionReason:
    header = None if token is None else f"Bearer {token}"
    with pytest.raises(TokenRejected) as rejected:
        authority.verify_header(header, **{"audience": AUDIENCE, "tenant_id": "tenant", **wanted})
    return rejected.value.reason


def test_good_token_names_its_principal_again_and_again(authority: TokenAuthority, token: str) -> None:
    for _ in range(2):
        assert authority.verify(token, audience=AUDIENCE, tenant_id="tenant") == WHO
    assert authority.verify_header(f"bearer {token}", audience={AUDIENCE, "x"}, tenant_id="tenant") == WHO


def test_audience_counts_to_the_last_slash(authority: TokenAuthority, token: str) -> None:
    assert rejection(authority, token, audience=AUDIENCE.rstrip("/")) is RejectionReason.AUDIENCE


def test_other_tenant_is_refused(authority: TokenAuthority, token: str) -> None:
    assert rejection(authority, token, tenant_id="another") is RejectionReason.TENANT


def test_token_ends_by_the_settable_clock_even_when_it_was_seen_before(
    authority: TokenAuthority, token: str, clock: Clock
) -> None:
    authority.verify(token, audience=AUDIENCE, tenant_id="tenant")
    clock.advance(61)
    assert rejection(authority, token) is RejectionReason.EXPIRED
    clock.advance(-1000)
    assert rejection(authority, token) is RejectionReason.NOT_YET_VALID


def test_missing_and_malformed_are_told_apart(authority: TokenAuthority) -> None:
    assert rejection(authority, None) is RejectionReason.MISSING
    assert rejection(authority, "not.a.token") is RejectionReason.MALFORMED
    with pytest.raises(TokenRejected) as rejected:
        authority.verify_header("SharedKey demo:abc", audience=AUDIENCE, tenant_id="tenant")
    assert rejected.value.reason is RejectionReason.MALFORMED


def test_changed_claims_break_the_signature(authority: TokenAuthority, token: str) -> None:
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["exp"] += 10_000
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert rejection(authority, f"{header}.{changed}.{signature}") is RejectionReason.SIGNATURE


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_another_algorithm_is_refused(authority: TokenAuthority, token: str, algorithm: str) -> None:
    claims = jwt.decode(token, options={"verify_signature": False})
    key = "k" * 32 if algorithm == "HS256" else None
    forged = jwt.encode(claims, key, algorithm=algorithm)  # type: ignore[arg-type]
    assert rejection(authority, forged) is RejectionReason.SIGNATURE


def test_key_of_another_run_is_refused(authority: TokenAuthority, clock: Clock) -> None:
    foreign = TokenAuthority(clock=clock).issue(WHO, audience=AUDIENCE, lifetime_seconds=60)[0]
    assert rejection(authority, foreign) is RejectionReason.SIGNATURE
