"""An assertion that an application signed with its own certificate, and Entra ID's check of it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Self

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_batchad.local.entra import assertion_errors as refused
from airflow_provider_batchad.local.entra.errors import (
    CERTIFICATE_NOT_REGISTERED,
    MALFORMED_ASSERTION,
    SignInRefused,
)

if TYPE_CHECKING:
    from airflow_provider_batchad.local.config import TenantConfig
    from airflow_provider_batchad.local.entra.application import Application, TrustedSubject

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# "Certificate credentials": these two, the second being what current clients send.
_ALGORITHMS: Final = ("RS256", "PS256")
_CERTIFICATE_HEADERS: Final = ("x5t#S256", "x5t", "x5c")
# The service allows for clocks that differ; by how much is not documented, five minutes is assumed.
CLOCK_SKEW_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """A JWT that somebody presents for proof; nothing in it is verified yet."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The parts of a JWT. White space around it makes it malformed: a token file is sent as it is.

        :raises SignInRefused: it is none.
        """
        try:
            if text != text.strip():
                raise SignInRefused(MALFORMED_ASSERTION)
            header = jwt.get_unverified_header(text)
            claims = jwt.decode(text, options={"verify_signature": False})
        except jwt.PyJWTError:
            raise SignInRefused(MALFORMED_ASSERTION) from None
        return cls(text=text, header=header, claims=claims)

    @property
    def is_self_issued(self) -> bool:
        """Whether its header names a certificate and its issuer is no other service."""
        issuer = str(self.claims.get("iss", ""))
        return "://" not in issuer and any(name in self.header for name in _CERTIFICATE_HEADERS)

    def audiences(self) -> tuple[str, ...]:
        """The ``aud``, which may be one or several."""
        audience = self.claims.get("aud")
        return tuple(map(str, audience)) if isinstance(audience, list) else (str(audience),)

    def check_times(self, now: float) -> None:
        """Refuse what is not valid at this moment, or does not say until when it is.

        :raises SignInRefused: so it is.
        """
        try:
            not_before = float(self.claims.get("nbf", 0))
            expires_on = float(self.claims["exp"])
        except (KeyError, TypeError, ValueError):
            raise SignInRefused(MALFORMED_ASSERTION) from None
        if not_before - CLOCK_SKEW_SECONDS <= now <= expires_on + CLOCK_SKEW_SECONDS:
            return
        raise SignInRefused(
            refused.ASSERTION_EXPIRED,
            now=_seven_digits(now),
            not_before=_seven_digits(not_before),
            expires_on=_seven_digits(expires_on),
        )


def verify_self_issued(
    assertion: Assertion, application: Application, tenant: TenantConfig, *, authority: str, now: float
) -> None:
    """Check an assertion by "Certificate credentials": key, signature, subject, audience, times, ``jti``.

    A ``jti`` may come again: MSAL sends one assertion for as long as it is good.

    :raises SignInRefused: it does not hold.
    """
    client_id = application.principal.app_id
    certificate, label = _find_certificate(assertion, application)
    _check_signature(assertion, certificate, client_id=client_id, thumbprint=label, now=now)
    claims = assertion.claims
    if any(str(claims.get(name)).casefold() != client_id.casefold() for name in ("iss", "sub")):
        raise SignInRefused(refused.ASSERTION_OF_ANOTHER)
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise SignInRefused(MALFORMED_ASSERTION)
    expected = {audience.casefold() for audience in _audiences_of(authority, tenant)}
    if not expected & {audience.casefold() for audience in assertion.audiences()}:
        raise SignInRefused(refused.ASSERTION_AUDIENCE)
    assertion.check_times(now)


def _audiences_of(authority: str, tenant: TenantConfig) -> list[str]:
    # The token endpoints and the issuers, with the tenant's id or its domain.
    paths = ("/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "/", "")
    return [f"{authority}/{name}{path}" for name in (tenant.id, tenant.domain) for path in paths]


def _find_certificate(assertion: Assertion, application: Application) -> tuple[x509.Certificate, str]:
    label = _thumbprint(assertion.header)
    registered = next((one for one in application.certificates if one.is_named_by(assertion.header)), None)
    if registered is not None:
        return registered.certificate, label
    if "x5c" in assertion.header and application.trusted_subjects:
        return _check_chain(assertion.header["x5c"], application.trusted_subjects), label
    raise SignInRefused(CERTIFICATE_NOT_REGISTERED, client_id=application.principal.app_id, thumbprint=label)


def _check_signature(
    assertion: Assertion, certificate: x509.Certificate, *, client_id: str, thumbprint: str, now: float
) -> None:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    reason = None
    if not start.timestamp() <= now <= end.timestamp():
        reason = "The key used is expired."
    key = certificate.public_key()
    try:
        # Elliptic curve keys may be registered, and are of no use: only RSA is documented for assertions.
        if not isinstance(key, rsa.RSAPublicKey):
            raise jwt.InvalidKeyError
        jwt.decode(
            assertion.text,
            key,
            algorithms=list(_ALGORITHMS),
            options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.PyJWTError:
        reason = "The provided signature value did not match the expected signature value."
    if reason is not None:
        raise SignInRefused(
            refused.ASSERTION_SIGNATURE,
            reason=reason,
            thumbprint=thumbprint,
            start=start.strftime("%m/%d/%Y %H:%M:%S"),
            end=end.strftime("%m/%d/%Y %H:%M:%S"),
            client_id=client_id,
        )


def _check_chain(encoded: object, trusted: tuple[TrustedSubject, ...]) -> x509.Certificate:
    chain = _read_chain(encoded)
    leaf = chain[0]
    names = _names_of(leaf)
    allowed = [one for one in trusted if one.name.casefold() in {name.casefold() for name in names}]
    if not allowed:
        raise SignInRefused(refused.SUBJECT_NOT_AUTHORIZED, names=", ".join(names[:10]))
    authorities = [certificate for one in allowed for certificate in one.authorities]
    for issued, issuer in pairwise(chain):
        if any(_is_issued_by(issued, one) for one in authorities):
            return leaf
        if not _is_issued_by(issued, issuer):
            break
    else:
        if any(_is_issued_by(chain[-1], one) for one in authorities):
            return leaf
    raise SignInRefused(refused.CERTIFICATE_CHAIN)


def _read_chain(encoded: object) -> list[x509.Certificate]:
    try:
        texts = encoded if isinstance(encoded, list) else [encoded]
        chain = [x509.load_der_x509_certificate(base64.b64decode(str(text))) for text in texts]
    except (binascii.Error, TypeError, ValueError):
        raise SignInRefused(refused.CERTIFICATE_CHAIN) from None
    if not chain:
        raise SignInRefused(refused.CERTIFICATE_CHAIN)
    return chain


def _is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _names_of(certificate: x509.Certificate) -> list[str]:
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    names = [str(one.value) for one in common]
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return names
    return [*names, *alternative.value.get_values_for_type(x509.DNSName)]


def _thumbprint(header: dict[str, Any]) -> str:
    encoded = str(header.get("x5t#S256") or header.get("x5t") or "")
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).hex().upper()
    except (binascii.Error, ValueError):
        return ""


def _seven_digits(seconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return str(seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}0Z"
