"""The certificate authority that is made on the spot, and the certificate that the listeners show."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import trustme

_NAME: Final = "localhost"
_ADDRESSES: Final = ("127.0.0.1", "::1")
_KEPT_DAYS: Final = 3650


class CertificateAuthority:
    """Makes the TLS context of the listeners.

    The authority can vouch for nothing but loopback (RFC 5280, 4.2.1.10), whoever reads its key. The key
    stays in memory, unless a directory is given to keep it in: then clients go on trusting the same authority
    after a restart.

    :param directory: where ``ca.pem`` is written; made if need be.
    :param keep_key: whether the key is kept beside it, with mode 0600.
    :raises ValueError: what is kept is not an authority and its key.
    """

    def __init__(self, directory: Path, *, keep_key: bool) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ca_file = directory / "ca.pem"
        key_file = directory / "ca-key.pem"
        if keep_key and self.ca_file.exists():
            self._authority = _read(self.ca_file, key_file)
            return
        self._authority = _make()
        if keep_key:
            # First: an authority without its key is refused, a key without its authority is replaced.
            _write_private(key_file, self._authority.private_key_pem.bytes())
        self.ca_file.write_bytes(self._authority.cert_pem.bytes())

    def server_context(self) -> ssl.SSLContext:
        """A context with a new certificate for the names and addresses of loopback."""
        certificate = self._authority.issue_cert(_NAME, *_ADDRESSES)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # ssl reads certificates from files only; the directory is this user's own and gone at once.
        with tempfile.TemporaryDirectory(prefix="batchad-tls-") as private:
            chain = Path(private) / "server.pem"
            _write_private(chain, certificate.private_key_and_cert_chain_pem.bytes())
            context.load_cert_chain(chain)
        return context


def _make() -> trustme.CA:
    import trustme
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    number = x509.random_serial_number()
    # Another name for each: a bundle may hold several.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Local Azure"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{number:x}"),
        ]
    )
    loopback = [x509.IPAddress(ipaddress.ip_network(address)) for address in _ADDRESSES]
    began = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(began)
        .not_valid_after(began + dt.timedelta(days=_KEPT_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.NameConstraints(permitted_subtrees=[x509.DNSName(_NAME), *loopback], excluded_subtrees=None),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    return trustme.CA.from_pem(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ),
    )


def _read(ca_file: Path, key_file: Path) -> trustme.CA:
    import trustme

    try:
        return trustme.CA.from_pem(ca_file.read_bytes(), key_file.read_bytes())
    except (FileNotFoundError, ValueError, TypeError):
        # Not with its cause, which may repeat parts of the key.
        pass
    raise ValueError(
        f"{key_file} does not hold the key of {ca_file}: put it back, or remove both to have another "
        "authority made, which clients must then be told to trust"
    )


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
