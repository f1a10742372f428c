"""Certificates as Key Vault hands them out: as a secret, with the private key, in PEM or PKCS#12."""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

if TYPE_CHECKING:
    from airflow_provider_batchad.local.keyvault.vault import SecretVersion

KeyType = Literal["RSA", "EC"]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_AUTHORITY_VALID_FOR: Final = timedelta(days=3650)


class CertificateFormat(StrEnum):
    """The content type of a certificate's secret."""

    PEM = "application/x-pem-file"
    PKCS12 = "application/x-pkcs12"


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultCertificate:
    """A certificate that was added to the vault.

    :param secret: the version of the secret that holds it.
    :param certificate_pem: its public half, for an application to be registered with.
    """

    secret: SecretVersion
    certificate_pem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAndCertificate:
    """A private key, its certificate, and those of the authorities above."""

    key: PrivateKey = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def certificate_pem(self) -> str:
        """The public half."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def encode(self, content_type: CertificateFormat, *, exportable: bool) -> str:
        """The secret's value; without the key where it may not be exported, as Key Vault leaves it out."""
        certificates = (self.certificate, *self.chain)
        if content_type is CertificateFormat.PKCS12:
            archive = pkcs12.serialize_key_and_certificates(
                None, self.key if exportable else None, self.certificate, self.chain or None, NoEncryption()
            )
            return base64.b64encode(archive).decode()
        parts = [one.public_bytes(Encoding.PEM) for one in certificates]
        if exportable:
            parts.insert(0, self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return b"".join(parts).decode()


def make_certificate(
    subject: str,
    *,
    not_before: datetime,
    not_after: datetime,
    key_type: KeyType = "RSA",
    issuer: CertificateIssuer | None = None,
) -> KeyAndCertificate:
    """A certificate for a common name: signed by itself, or by an issuer."""
    key = _make_key(key_type)
    builder = _begin(subject, key, not_before=not_before, not_after=not_after)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
    if issuer is None:
        own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
        return KeyAndCertificate(key=key, certificate=builder.issuer_name(own).sign(key, hashes.SHA256()))
    return KeyAndCertificate(key=key, certificate=issuer.sign(builder), chain=(issuer.certificate,))


class CertificateIssuer:
    """A certificate authority that certificates can come from, for subject-name/issuer sign-in."""

    def __init__(self, pair: KeyAndCertificate) -> None:
        self._pair = pair

    @classmethod
    def create(cls, name: str, *, now: datetime) -> Self:
        """A new authority of this name."""
        key = _make_key("RSA")
        own = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        begin = _begin(name, key, not_before=now - timedelta(days=1), not_after=now + _AUTHORITY_VALID_FOR)
        builder = begin.issuer_name(own).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        return cls(KeyAndCertificate(key=key, certificate=builder.sign(key, hashes.SHA256())))

    @property
    def certificate(self) -> x509.Certificate:
        """Its own."""
        return self._pair.certificate

    @property
    def pem(self) -> str:
        """Its own, as PEM."""
        return self._pair.certificate_pem

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Issue a certificate."""
        return builder.issuer_name(self.certificate.subject).sign(self._pair.key, hashes.SHA256())


def to_pem(archive: str) -> str:
    """A PKCS#12 value as the PEM that Key Vault converts it to (``outContentType``)."""
    key, certificate, others = pkcs12.load_key_and_certificates(base64.b64decode(archive), None)
    parts = [] if key is None else [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())]
    if certificate is not None:
        parts.append(certificate.public_bytes(Encoding.PEM))
    parts += [one.public_bytes(Encoding.PEM) for one in others]
    return b"".join(parts).decode()


def _make_key(key_type: KeyType) -> PrivateKey:
    if key_type == "EC":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _begin(
    subject: str, key: PrivateKey, *, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .public_key(key.public_key())
        .serial_number(int(uuid.uuid4()))
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
