"""An application of the directory, and everything that it may prove itself with."""

from __future__ import annotations

import base64
import hmac
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from airflow_provider_batchad.local.entra.tokens import Principal

if TYPE_CHECKING:
    from airflow_provider_batchad.local.config import ApplicationConfig

# What Entra ID proposes as the audience of a federated identity credential.
EXCHANGE_AUDIENCE: Final = "api://AzureADTokenExchange"
_ANY_PORT: Final = ("http://localhost", "http://127.0.0.1", "http://[::1]")


class SecretCheck(StrEnum):
    """What a client secret turned out to be."""

    GOOD = "good"
    EXPIRED = "expired"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """One of an application's secrets; several are good at a time, which is how they are rotated."""

    key_id: str
    value: str = field(repr=False)
    expires_on: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """The public half of a certificate that signs an application's assertions."""

    key_id: str
    certificate: x509.Certificate

    @classmethod
    def from_pem(cls, pem: str | bytes) -> Self:
        """The first certificate of a PEM text, which may hold a private key as well: it is not kept.

        :raises ValueError: it holds none.
        """
        content = pem.encode() if isinstance(pem, str) else pem
        return cls(key_id=str(uuid.uuid4()), certificate=x509.load_pem_x509_certificates(content)[0])

    def is_named_by(self, header: dict[str, object]) -> bool:
        """Whether a JWT's header means this certificate: by ``x5t#S256``, ``x5t`` or ``kid``."""
        sha1 = self.certificate.fingerprint(hashes.SHA1())  # noqa: S303 - how x5t is defined, RFC 7515, 4.1.7
        sha256 = self.certificate.fingerprint(hashes.SHA256())
        known = {
            "x5t#S256": (_base64url(sha256),),
            "x5t": (_base64url(sha1),),
            "kid": (_base64url(sha1), sha1.hex().upper()),
        }
        named = {name: str(header[name]).rstrip("=") for name in known if name in header}
        strongest = next(iter(named), None)
        return strongest is not None and named[strongest] in known[strongest]


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedCredential:
    """Whose tokens an application takes for proof; compared with regard to case."""

    name: str
    issuer: str
    subject: str
    audience: str = EXCHANGE_AUDIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedSubject:
    """Subject-name/issuer authentication: any certificate of this name that these authorities issued.

    :param name: the common name, or one of the DNS names.
    """

    name: str
    authorities: tuple[x509.Certificate, ...]


class Application:
    """An application, and its service principal in its tenant.

    :ivar is_public: whether people sign in with it although it proves nothing about itself.
    :ivar is_first_party: one of Microsoft's own, known in every tenant, without a credential.
    """

    def __init__(self, config: ApplicationConfig, *, tenant_id: str, is_first_party: bool = False) -> None:
        self.principal = Principal(
            tenant_id=tenant_id,
            object_id=config.object_id,
            app_id=config.client_id,
            name=config.name,
        )
        self.redirect_uris = config.redirect_uris
        self.is_public = config.public_client
        self.is_first_party = is_first_party
        self.secrets: tuple[ClientSecret, ...] = ()
        self.certificates: tuple[ClientCertificate, ...] = ()
        self.federated_credentials: tuple[FederatedCredential, ...] = ()
        self.trusted_subjects: tuple[TrustedSubject, ...] = ()

    def is_known_in(self, tenant_id: str) -> bool:
        """Whether the tenant has it."""
        return self.is_first_party or self.principal.tenant_id == tenant_id

    def check_secret(self, value: str, *, now: datetime) -> SecretCheck:
        """Whether the value is one of the application's secrets, and still good."""
        found = SecretCheck.WRONG
        for secret in self.secrets:
            if hmac.compare_digest(secret.value.encode(), value.encode()):
                if secret.expires_on is None or now < secret.expires_on:
                    return SecretCheck.GOOD
                found = SecretCheck.EXPIRED
        return found

    def allows_redirect_to(self, uri: str) -> bool:
        """Whether the address is registered; of a loopback address the port does not count."""
        wanted = _without_loopback_port(uri)
        return any(_without_loopback_port(one) == wanted for one in self.redirect_uris)


def _without_loopback_port(uri: str) -> str:
    # "Redirect URI (reply URL) restrictions": of loopback addresses any port is taken.
    for host in _ANY_PORT:
        rest = uri.removeprefix(host)
        if rest != uri and (not rest or rest[0] in ":/"):
            path = rest.partition("/")[2]
            return f"{host}/{path}".rstrip("/")
    return uri


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
