"""An application's proof by its certificate: a signed assertion.

Source: learn.microsoft.com/entra/identity-platform/certificate-credentials: PS256 with ``x5t#S256``. The
whole chain goes with it (``x5c``), so that an application that trusts a subject name and an issuer in place
of one certificate takes it too; MSAL's own ``public_certificate`` sends the first certificate alone.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_batchad.identity.certificate import KeyAndChain


def sign_assertion(certificate: KeyAndChain, *, client_id: str, token_endpoint: str) -> str:
    """Sign one that is good for ten minutes, as MSAL does.

    :param token_endpoint: the audience: whoever gets hold of the assertion can use it nowhere else.
    """
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from msal.oauth2cli import JwtAssertionCreator

    chain = [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in certificate.chain]
    creator = JwtAssertionCreator(
        certificate.key,
        algorithm="PS256",
        sha256_thumbprint=certificate.chain[0].fingerprint(SHA256()).hex(),
        headers={"x5c": chain},
    )
    signed: bytes = creator.create_normal_assertion(audience=token_endpoint, issuer=client_id)
    return signed.decode()
