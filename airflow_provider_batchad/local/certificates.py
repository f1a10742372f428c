"""The certificate authority that is made on the spot, and the certificate that the listeners show."""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path
from typing import Final

_SUBJECT_NAMES: Final = ("localhost", "127.0.0.1", "::1")


class CertificateAuthority:
    """Makes the TLS context of the listeners.

    The authority's private key stays in memory, unless a directory is given to keep it in: then clients go
    on trusting the same authority after a restart. Whoever can read that key can pretend to be any site to
    those clients, hence its mode 0600.

    :param directory: where ``ca.pem`` is written; made if need be.
    :param keep_key: whether the key is kept beside it.
    """

    def __init__(self, directory: Path, *, keep_key: bool) -> None:
        import trustme

        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ca_file = directory / "ca.pem"
        key_file = directory / "ca-key.pem"
        if keep_key and self.ca_file.exists() and key_file.exists():
            self._authority = trustme.CA.from_pem(self.ca_file.read_bytes(), key_file.read_bytes())
            return
        self._authority = trustme.CA(organization_name="Local Azure")
        self.ca_file.write_bytes(self._authority.cert_pem.bytes())
        if keep_key:
            _write_private(key_file, self._authority.private_key_pem.bytes())

    def server_context(self) -> ssl.SSLContext:
        """A context with a new certificate for the names and addresses of loopback."""
        certificate = self._authority.issue_cert(*_SUBJECT_NAMES)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # ssl reads certificates from files only; the directory is this user's own and gone at once.
        with tempfile.TemporaryDirectory(prefix="batchad-local-") as private:
            chain = Path(private) / "server.pem"
            _write_private(chain, certificate.private_key_and_cert_chain_pem.bytes())
            context.load_cert_chain(chain)
        return context


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
