"""Access tokens of the simulated Entra ID: signed JWTs, and the check that every service makes of them."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import jwt

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from jwt.types import Options

    from airflow_provider_batchad.local.clock import Clock

# Entra ID dates a token five minutes back, for clients whose clock is behind.
_BACKDATE_SECONDS: Final = 300
_KEPT_TOKENS: Final = 10_000
_BEARER: Final = "bearer "
# The times are compared with the settable clock, the audience by each service.
_SIGNATURE_ONLY: Final[Options] = {
    "verify_aud": False,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class RejectionReason(StrEnum):
    """Why a service does not accept a request's token."""

    MISSING = "missing"
    MALFORMED = "malformed"
    SIGNATURE = "signature"
    AUDIENCE = "audience"
    TENANT = "tenant"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"


class TokenRejected(Exception):
    """A service does not accept the token; how it says so is the service's own matter.

    :param found: the token's value of what was wrong, such as its audience; ``None`` where there is none.
    """

    def __init__(self, reason: RejectionReason, *, found: str | None = None) -> None:
        self.reason = reason
        self.found = found
        super().__init__(reason.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a token speaks for.

    :param object_id: of the service principal; role assignments name it.
    :param app_id: the client ID.
    :param name: for people: the ledger and error texts; the tokens of applications do not hold it.
    :param is_person: somebody who signed in with the application, not the application itself.
    """

    tenant_id: str
    object_id: str
    app_id: str
    name: str
    is_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What a token of this authority says, its signature being good.

    :param answers_challenges: whether its client announced that it can answer a claims challenge (``CP1``).
    """

    principal: Principal
    audience: str
    not_before: float
    expires_on: float
    answers_challenges: bool


def make_key() -> RSAPrivateKey:
    """A key to sign tokens with."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class TokenAuthority:
    """Signs tokens with a key of this run, and verifies them for every service.

    A token that was verified once is remembered by its hash; expiry is looked at each time.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._key = make_key()
        self._public_key = self._key.public_key()
        self._verified: dict[bytes, TokenFacts] = {}
        self._names: dict[str, str] = {}
        self.key_id = _thumbprint(self._public_key.public_numbers().n)

    def issue(
        self,
        principal: Principal,
        *,
        audience: str,
        lifetime_seconds: float,
        extra_claims: Mapping[str, object] | None = None,
        not_before: float = 0.0,
    ) -> tuple[str, int]:
        """A v1 access token, as Batch and Key Vault are given them.

        :param extra_claims: beside or in place of those of an application with a secret.
        :param not_before: the token's own ``nbf`` is not earlier than this.
        :return: the token and the second at which it expires.
        """
        self._names[principal.object_id] = principal.name
        now = self._clock.time()
        expires_on = int(now + lifetime_seconds)
        issuer = f"https://sts.windows.net/{principal.tenant_id}/"
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": issuer,
            "iat": int(now) - _BACKDATE_SECONDS,
            "nbf": max(int(now) - _BACKDATE_SECONDS, min(int(not_before), int(now))),
            "exp": expires_on,
            "aio": secrets.token_urlsafe(24),
            "appid": principal.app_id,
            "appidacr": "1",
            "idp": issuer,
            "idtyp": "app",
            "oid": principal.object_id,
            "rh": f"1.{secrets.token_urlsafe(24)}.",
            "sub": principal.object_id,
            "tid": principal.tenant_id,
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
            **(extra_claims or {}),
        }
        return self.sign(claims), expires_on

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Any claims as a token of this authority."""
        headers = {"kid": self.key_id, "x5t": self.key_id}
        return jwt.encode(dict(claims), self._key, algorithm="RS256", headers=headers)

    def read(self, token: str) -> TokenFacts:
        """What the token says, whether or not it holds now.

        :raises TokenRejected: this authority did not sign it.
        """
        # Bytes of a header that are no UTF-8 come as lone surrogates, which cannot be encoded.
        if not token.isascii():
            raise TokenRejected(RejectionReason.MALFORMED)
        known = self._verified.get(digest := hashlib.sha256(token.encode()).digest())
        if known is None:
            known = self._decode(token)
            if len(self._verified) >= _KEPT_TOKENS:
                self._verified.clear()
            self._verified[digest] = known
        return known

    def verify(self, token: str, *, audience: str | Collection[str], tenant_id: str) -> Principal:
        """Who the token speaks for.

        :param audience: what the service accepts, to the letter, the trailing slash included.
        :raises TokenRejected: it does not hold here, or not now.
        """
        known = self.read(token)
        accepted = (audience,) if isinstance(audience, str) else audience
        if known.audience not in accepted:
            raise TokenRejected(RejectionReason.AUDIENCE, found=known.audience)
        if known.principal.tenant_id != tenant_id:
            raise TokenRejected(RejectionReason.TENANT, found=known.principal.tenant_id)
        now = self._clock.time()
        if now >= known.expires_on:
            raise TokenRejected(RejectionReason.EXPIRED)
        if now < known.not_before:
            raise TokenRejected(RejectionReason.NOT_YET_VALID)
        return known.principal

    def verify_header(
        self, authorization: str | None, *, audience: str | Collection[str], tenant_id: str
    ) -> Principal:
        """The same for the value of an ``Authorization`` header."""
        if not authorization:
            raise TokenRejected(RejectionReason.MISSING)
        token = token_of(authorization)
        if token is None:
            raise TokenRejected(RejectionReason.MALFORMED)
        return self.verify(token, audience=audience, tenant_id=tenant_id)

    def public_keys(self) -> dict[str, object]:
        """The JSON Web Key Set that clients check signatures with."""
        numbers = self._public_key.public_numbers()
        key = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.key_id,
            "x5t": self.key_id,
            "n": _base64url(numbers.n),
            "e": _base64url(numbers.e),
        }
        return {"keys": [key]}

    def _decode(self, token: str) -> TokenFacts:
        try:
            claims = jwt.decode(token, self._public_key, algorithms=["RS256"], options=_SIGNATURE_ONLY)
            principal = Principal(
                tenant_id=claims["tid"],
                object_id=claims["oid"],
                app_id=claims["appid"],
                name=self._names[claims["oid"]],
                is_person=claims["idtyp"] == "user",
            )
            return TokenFacts(
                principal=principal,
                audience=claims["aud"],
                not_before=float(claims["nbf"]),
                expires_on=float(claims["exp"]),
                answers_challenges="CP1" in claims.get("xms_cc", ()),
            )
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
            raise TokenRejected(RejectionReason.SIGNATURE) from None
        except (jwt.PyJWTError, KeyError, TypeError, ValueError):
            raise TokenRejected(RejectionReason.MALFORMED) from None


def token_of(authorization: str | None) -> str | None:
    """The token of an ``Authorization`` header; ``None`` for another scheme and without a header."""
    if not authorization or authorization[: len(_BEARER)].lower() != _BEARER:
        return None
    return authorization[len(_BEARER) :].strip()


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _thumbprint(modulus: int) -> str:
    digest = hashlib.sha256(str(modulus).encode()).digest()[:20]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
