"""A certificate with its private key, as Key Vault hands it out: a secret in PEM or PKCS#12.

Key Vault keeps a certificate's private key in the secret of the same name
(learn.microsoft.com/azure/key-vault/certificates/about-certificates, "Composition of a certificate"): PEM as
text, PKCS#12 in base64 and without a password. It is converted in memory and touches no disk.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

_PEM: Final = "-----BEGIN "
_ENCRYPTED: Final = "ENCRYPTED"
_LONGEST_CHAIN: Final = 10


class UselessCertificate(ValueError):
    """What was read is no certificate to sign in with.

    :param what: what is wrong with it, to follow "What Key Vault holds under …".
    :param remedy: what to store there in its place.
    """

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAndChain:
    """An RSA key with its certificate, and the certificates above it as far as they were stored.

    :param chain: the certificate itself first, each signed by the next.
    """

    key: RSAPrivateKey = field(repr=False)
    chain: tuple[Certificate, ...]

    @property
    def begins_on(self) -> datetime:
        """When the certificate itself begins."""
        return self.chain[0].not_valid_before_utc

    @property
    def ends_on(self) -> datetime:
        """When the certificate itself ends."""
        return self.chain[0].not_valid_after_utc

    @property
    def thumbprint(self) -> str:
        """Its SHA-1 in hexadecimal, as the portal and Entra ID's errors show it."""
        from cryptography.hazmat.primitives.hashes import SHA1

        return self.chain[0].fingerprint(SHA1()).hex().upper()  # noqa: S303 - a name, nothing rests on it

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled: read it where it is needed")


def read_certificate(value: str, content_type: str | None) -> KeyAndChain:
    """Read the value of a certificate's secret: by what it holds, whatever its content type says.

    :param content_type: as the vault has it, for messages: ``application/x-pem-file`` or
        ``application/x-pkcs12``.
    :raises UselessCertificate: it is none, lacks its key, or is of a kind that Entra ID does not take.
    """
    key, certificates = _read_pem(value) if _PEM in value else _read_pkcs12(value, content_type)
    if key is None:
        raise UselessCertificate(
            "holds no private key: its key is not exportable, or only its public half was stored.",
            "Make the certificate with an exportable key ('exportable': true in its policy).",
        )
    if not certificates:
        raise UselessCertificate(
            "is a private key without its certificate.", "Store the certificate together with its key."
        )
    return KeyAndChain(key=_rsa(key), chain=_chain_of(key, certificates))


def _read_pem(value: str) -> tuple[Any, list[Certificate]]:
    from cryptography import x509

    data = value.encode()
    try:
        certificates = x509.load_pem_x509_certificates(data) if "BEGIN CERTIFICATE" in value else []
        return _read_pem_key(value), certificates
    except UselessCertificate:
        raise
    except Exception:  # noqa: BLE001 - what cryptography says of a broken value repeats parts of it
        raise UselessCertificate(
            "is PEM that cannot be read.", "Store the whole file: key and certificates, line ends included."
        ) from None


def _read_pem_key(value: str) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    label = next((line for line in value.splitlines() if _PEM in line and "PRIVATE KEY" in line), None)
    if label is None:
        return None
    end = label.replace("BEGIN", "END").strip()
    block = value[value.index(label) :].partition(end)[0]
    if _ENCRYPTED in block:
        raise UselessCertificate(
            "has a private key under a passphrase.", "Store it without: Key Vault is what keeps it secret."
        )
    return load_pem_private_key(f"{block}{end}\n".encode(), None)


def _read_pkcs12(value: str, content_type: str | None) -> tuple[Any, list[Certificate]]:
    from cryptography.hazmat.primitives.serialization import pkcs12

    try:
        archive = base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        archive = b""
    # A PKCS#12 archive is a DER sequence, which begins with this byte.
    if not archive.startswith(b"\x30"):
        raise UselessCertificate(
            f"is neither PEM nor PKCS#12 in base64 (its content type: {_known(content_type)}).",
            "Name a certificate of the vault there; a client secret belongs in 'vault_credential_name'.",
        )
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(archive, None)
    except Exception:  # noqa: BLE001 - what cryptography says of a broken value repeats parts of it
        raise UselessCertificate(
            "is no PKCS#12 archive, or one under a password.",
            "Import it with 'az keyvault certificate import': Key Vault hands it out without a password.",
        ) from None
    return key, [one for one in (certificate, *others) if one is not None]


def _known(content_type: str | None) -> str:
    """The content type where it is one; somebody may have put anything there."""
    known = ("application/x-pem-file", "application/x-pkcs12")
    return content_type if content_type in known else "another" if content_type else "none"


def _rsa(key: Any) -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPrivateKey):
        return key
    kind = "an elliptic-curve key" if isinstance(key, ec.EllipticCurvePrivateKey) else "a key that is not RSA"
    raise UselessCertificate(
        f"has {kind}, and Entra ID takes RSA keys alone.", "Make the certificate with an RSA key."
    )


def _chain_of(key: Any, certificates: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The key's certificate and those above it, whatever their order."""
    public = key.public_key()
    link = next((one for one in certificates if _holds(one, public)), None)
    if link is None:
        raise UselessCertificate(
            "has a private key and the certificate of another one.", "Store the two that belong together."
        )
    chain = [link]
    while len(chain) < _LONGEST_CHAIN:
        above = next(
            (one for one in certificates if one not in chain and _is_issued_by(chain[-1], one)), None
        )
        if above is None:
            break
        chain.append(above)
    return tuple(chain)


def _holds(certificate: Certificate, public_key: Any) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return bool(certificate.public_key() == public_key)
    except (UnsupportedAlgorithm, ValueError):
        return False


def _is_issued_by(certificate: Certificate, authority: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True
