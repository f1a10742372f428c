"""What a person let an application do, and the codes and refresh tokens that stand for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.entra import grant_errors as refused
from airflow_provider_batchad.local.entra.errors import SignInRefused

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.entra.directory import Person
    from airflow_provider_batchad.local.entra.scopes import DelegatedScopes

# "Configurable token lifetimes": a code lives for ten minutes, a refresh token for 90 days from its last use.
_CODE_SECONDS: Final = 600.0
_REFRESH_SECONDS: Final = 90 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """A person signed in with an application.

    :param signed_in: when, in seconds since 1970.
    :param nonce: which the application wants to find in the ID token.
    """

    person: Person
    client_id: str
    scopes: DelegatedScopes
    signed_in: float
    nonce: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    delegation: Delegation
    redirect_uri: str
    challenge: str | None
    challenge_method: str
    expires: float


class AuthorizationCodes:
    """Codes of the authorization code flow, each good once.

    :param on_secret: told a code before anybody is given it.
    """

    def __init__(self, *, clock: Clock, on_secret: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_secret = on_secret
        self._codes: dict[str, _Code] = {}
        self._redeemed: set[str] = set()
        self._lock = threading.Lock()

    def issue(
        self, delegation: Delegation, *, redirect_uri: str, challenge: str | None, challenge_method: str
    ) -> str:
        """A code for what the person agreed to."""
        code = f"1.{secrets.token_urlsafe(64)}"
        self._on_secret(code)
        expires = self._clock.time() + _CODE_SECONDS
        with self._lock:
            self._codes[code] = _Code(
                delegation=delegation,
                redirect_uri=redirect_uri,
                challenge=challenge,
                challenge_method=challenge_method,
                expires=expires,
            )
        return code

    def redeem(
        self, code: str, *, client_id: str, redirect_uri: str | None, verifier: str | None
    ) -> Delegation:
        """What the code stands for; it is good no more.

        :raises SignInRefused: it was used, is too old, or another's.
        """
        with self._lock:
            found = self._codes.get(code)
            if code in self._redeemed:
                raise SignInRefused(refused.CODE_REDEEMED)
            if found is None or found.delegation.client_id != client_id:
                raise SignInRefused(refused.GRANT_MALFORMED)
            if self._clock.time() >= found.expires:
                raise SignInRefused(refused.CODE_EXPIRED)
            if redirect_uri != found.redirect_uri:
                raise SignInRefused(
                    refused.REDIRECT_MISMATCH, redirect_uri=redirect_uri or "", client_id=client_id
                )
            if found.challenge is not None and not _meets(found, verifier or ""):
                raise SignInRefused(refused.VERIFIER_WRONG)
            del self._codes[code]
            self._redeemed.add(code)
        return found.delegation


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """A refresh token's times, in seconds since 1970, and what it stands for."""

    delegation: Delegation
    issued: float
    expires: float


class RefreshTokens:
    """Refresh tokens: each use gives another one, and the former stays good for its time, as in Entra ID.

    :param on_secret: told a token before anybody is given it.
    """

    def __init__(self, *, clock: Clock, on_secret: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_secret = on_secret
        self._tokens: dict[str, RefreshToken] = {}
        self._revoked: dict[str, float] = {}
        self._lock = threading.Lock()

    def issue(self, delegation: Delegation) -> str:
        """A token for what the person agreed to."""
        token = f"1.{secrets.token_urlsafe(96)}"
        self._on_secret(token)
        now = self._clock.time()
        with self._lock:
            self._tokens[token] = RefreshToken(
                delegation=replace(delegation, nonce=None), issued=now, expires=now + _REFRESH_SECONDS
            )
        return token

    def redeem(self, token: str, *, client_id: str) -> Delegation:
        """What the token stands for; any resource may be asked for with it.

        :raises SignInRefused: it is too old, revoked, or another's.
        """
        with self._lock:
            found = self._tokens.get(token)
            if found is None or found.delegation.client_id != client_id:
                raise SignInRefused(refused.GRANT_MALFORMED)
            issued = _show(found.issued)
            if self._clock.time() >= found.expires:
                raise SignInRefused(refused.REFRESH_TOKEN_EXPIRED, issued=issued, lifetime="90.00:00:00")
            revoked = self._revoked.get(found.delegation.person.principal.object_id, 0.0)
            if found.delegation.signed_in <= revoked:
                raise SignInRefused(refused.GRANT_REVOKED, issued=issued, revoked=_show(revoked))
        return found.delegation

    def revoke(self, person: Person) -> None:
        """Let no refresh token be good that comes from a sign-in until now."""
        with self._lock:
            self._revoked[person.principal.object_id] = self._clock.time()


def _meets(code: _Code, verifier: str) -> bool:
    # RFC 7636, 4.6.
    if code.challenge_method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(verifier.encode(), (code.challenge or "").encode())


def _show(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
