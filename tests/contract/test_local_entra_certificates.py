"""Client credentials by certificate: Microsoft's clients and every way to be refused."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msal
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential
from azure.identity.aio import CertificateCredential as AsyncCertificateCredential
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from airflow_provider_batchad.local.config import ApplicationConfig
from airflow_provider_batchad.local.keyvault.certificates import (
    CertificateFormat,
    CertificateIssuer,
    KeyAndCertificate,
    make_certificate,
)
from airflow_provider_batchad.local.server import LocalAzure

BATCH_SCOPE = "https://batch.core.windows.net//.default"
CLIENT_ID = ApplicationConfig(name="airflow-batch").client_id
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
NOW = datetime.now(UTC)
YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def issuer() -> CertificateIssuer:
    return CertificateIssuer.create("Contoso Issuing CA", now=NOW)


@pytest.fixture(scope="module")
def pair(issuer: CertificateIssuer) -> KeyAndCertificate:
    return make_certificate("batch.contoso.com", not_before=NOW, not_after=NOW + YEAR, issuer=issuer)


def pem_of(pair: KeyAndCertificate) -> bytes:
    return pair.encode(CertificateFormat.PEM, exportable=True).encode()


def options(azure: LocalAzure) -> dict[str, Any]:
    return {"authority": azure.endpoints.entra, "connection_verify": str(azure.ca_file)}


def audience(azure: LocalAzure) -> str:
    return f"{azure.endpoints.entra}/{azure.config.tenant.id}/oauth2/v2.0/token"


def sign(
    azure: LocalAzure,
    pair: KeyAndCertificate,
    *,
    algorithm: str = "RS256",
    headers: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """An assertion as "Certificate credentials" describes it, with claims changed or (``None``) left out."""
    now = int(time.time())
    sha1 = pair.certificate.fingerprint(hashes.SHA1())  # noqa: S303 - how x5t is defined
    whole = {
        "aud": audience(azure),
        "iss": CLIENT_ID,
        "sub": CLIENT_ID,
        "jti": str(uuid.uuid4()),
        "nbf": now,
        "exp": now + 600,
        **claims,
    }
    kept = {name: value for name, value in whole.items() if value is not None}
    named = {"x5t": base64.urlsafe_b64encode(sha1).rstrip(b"=").decode()} if headers is None else headers
    return jwt.encode(kept, pair.key, algorithm=algorithm, headers=named)


def present(session: requests.Session, azure: LocalAzure, assertion: str) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        "scope": BATCH_SCOPE,
    }
    return session.post(audience(azure), data=form)


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


@pytest.mark.usefixtures("bundle_environment")
@pytest.mark.parametrize("content_type", list(CertificateFormat))
def test_azure_identity_signs_in_with_the_vaults_certificate(
    local_azure: LocalAzure, content_type: CertificateFormat
) -> None:
    added = local_azure.vault.add_certificate("batch", content_type=content_type)
    local_azure.directory.add_certificate(CLIENT_ID, added.certificate_pem)
    value = added.secret.value
    data = base64.b64decode(value) if content_type is CertificateFormat.PKCS12 else value.encode()
    with CertificateCredential(
        local_azure.config.tenant.id,
        CLIENT_ID,
        certificate_data=data,
        disable_instance_discovery=True,
        **options(local_azure),
    ) as credential:
        token = credential.get_token(BATCH_SCOPE)
    assert claims_of(token.token)["appidacr"] == "2"


@pytest.mark.usefixtures("bundle_environment")
async def test_async_azure_identity_signs_in_with_ps256(
    local_azure: LocalAzure, pair: KeyAndCertificate
) -> None:
    local_azure.directory.add_certificate(CLIENT_ID, pair.certificate_pem)
    async with AsyncCertificateCredential(
        local_azure.config.tenant.id, CLIENT_ID, certificate_data=pem_of(pair), **options(local_azure)
    ) as credential:
        token = await credential.get_token(BATCH_SCOPE)
    assert claims_of(token.token)["appid"] == CLIENT_ID


@pytest.mark.parametrize("kind", ["public certificate", "thumbprint"])
def test_msal_signs_in_and_sends_one_assertion_again(
    local_azure: LocalAzure, session: requests.Session, pair: KeyAndCertificate, kind: str
) -> None:
    local_azure.directory.add_certificate(CLIENT_ID, pair.certificate_pem)
    key = pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    thumbprint = pair.certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - what MSAL asks for
    other = {"public_certificate": pair.certificate_pem} if kind[0] == "p" else {"thumbprint": thumbprint}
    application = msal.ConfidentialClientApplication(
        CLIENT_ID,
        client_credential={"private_key": key, **other},
        authority=f"{local_azure.endpoints.entra}/{local_azure.config.tenant.id}",
        instance_discovery=False,
        http_client=session,
    )
    for scope in (BATCH_SCOPE, "https://vault.azure.net/.default"):
        assert "access_token" in application.acquire_token_for_client([scope])


class TestSubjectNameIssuer:
    """The application knows no certificate, but a name and who may issue it."""

    def credential(self, azure: LocalAzure, pair: KeyAndCertificate) -> CertificateCredential:
        return CertificateCredential(
            azure.config.tenant.id,
            CLIENT_ID,
            certificate_data=pem_of(pair),
            send_certificate_chain=True,
            disable_instance_discovery=True,
            **options(azure),
        )

    def test_any_certificate_of_the_name_is_good(
        self, local_azure: LocalAzure, issuer: CertificateIssuer, pair: KeyAndCertificate
    ) -> None:
        local_azure.directory.trust_subject(CLIENT_ID, "batch.contoso.com", issuer.pem)
        renewed = make_certificate("batch.contoso.com", not_before=NOW, not_after=NOW + YEAR, issuer=issuer)
        for one in (pair, renewed):
            with self.credential(local_azure, one) as credential:
                assert credential.get_token(BATCH_SCOPE).token

    def test_another_name_is_refused(
        self, local_azure: LocalAzure, issuer: CertificateIssuer, pair: KeyAndCertificate
    ) -> None:
        local_azure.directory.trust_subject(CLIENT_ID, "other.contoso.com", issuer.pem)
        with (
            self.credential(local_azure, pair) as credential,
            pytest.raises(ClientAuthenticationError, match="AADSTS700030"),
        ):
            credential.get_token(BATCH_SCOPE)

    def test_another_issuer_is_refused(self, local_azure: LocalAzure, pair: KeyAndCertificate) -> None:
        foreign = CertificateIssuer.create("Contoso Issuing CA", now=NOW)
        local_azure.directory.trust_subject(CLIENT_ID, "batch.contoso.com", foreign.pem)
        with (
            self.credential(local_azure, pair) as credential,
            pytest.raises(ClientAuthenticationError, match="AADSTS7000213"),
        ):
            credential.get_token(BATCH_SCOPE)

    def test_application_that_does_not_allow_it_wants_the_certificate_itself(
        self, local_azure: LocalAzure, pair: KeyAndCertificate
    ) -> None:
        with (
            self.credential(local_azure, pair) as credential,
            pytest.raises(ClientAuthenticationError, match="AADSTS700027"),
        ):
            credential.get_token(BATCH_SCOPE)


def test_rotation_takes_both_certificates_until_the_old_one_is_removed(
    local_azure: LocalAzure, session: requests.Session, pair: KeyAndCertificate
) -> None:
    new = make_certificate("batch.contoso.com", not_before=NOW, not_after=NOW + YEAR)
    old_id = local_azure.directory.add_certificate(CLIENT_ID, pair.certificate_pem).key_id
    local_azure.directory.add_certificate(CLIENT_ID, new.certificate_pem)
    for one in (pair, new):
        assert present(session, local_azure, sign(local_azure, one)).status_code == 200
    assert local_azure.directory.remove_certificate(CLIENT_ID, old_id) == 1
    assert present(session, local_azure, sign(local_azure, pair)).json()["error_codes"] == [700027]
    assert present(session, local_azure, sign(local_azure, new)).status_code == 200


Change = Callable[[LocalAzure, KeyAndCertificate], str]
REFUSED: dict[str, tuple[int, int, Change]] = {
    "another audience": (401, 700023, lambda a, p: sign(a, p, aud="https://login.microsoftonline.com/x")),
    "another issuer": (401, 700021, lambda a, p: sign(a, p, iss="another-application")),
    "another subject": (401, 700021, lambda a, p: sign(a, p, sub="another-application")),
    "no jti": (400, 50027, lambda a, p: sign(a, p, jti=None)),
    "no exp": (400, 50027, lambda a, p: sign(a, p, exp=None)),
    "expired": (401, 700024, lambda a, p: sign(a, p, exp=int(time.time()) - 3600)),
    "of the future": (401, 700024, lambda a, p: sign(a, p, nbf=int(time.time()) + 3600)),
    "end of line": (400, 50027, lambda a, p: sign(a, p) + "\n"),
    "three dots": (400, 50027, lambda a, p: "a.b.c"),
    "another algorithm": (401, 700027, lambda a, p: sign(a, p, algorithm="RS384")),
}


@pytest.mark.parametrize("change", REFUSED)
def test_assertion_is_refused_by_its_number(
    local_azure: LocalAzure, session: requests.Session, pair: KeyAndCertificate, change: str
) -> None:
    status, number, make = REFUSED[change]
    local_azure.directory.add_certificate(CLIENT_ID, pair.certificate_pem)
    assert present(session, local_azure, sign(local_azure, pair)).status_code == 200
    answer = present(session, local_azure, make(local_azure, pair))
    assert (answer.status_code, answer.json()["error_codes"]) == (status, [number])


def test_key_of_another_certificate_is_refused(
    local_azure: LocalAzure, session: requests.Session, pair: KeyAndCertificate
) -> None:
    local_azure.directory.add_certificate(CLIENT_ID, pair.certificate_pem)
    other = make_certificate("batch.contoso.com", not_before=NOW, not_after=NOW + YEAR)
    headers = jwt.get_unverified_header(sign(local_azure, pair))
    forged = sign(local_azure, other, headers={"x5t": headers["x5t"]})
    answer = present(session, local_azure, forged)
    assert "did not match the expected signature value" in answer.json()["error_description"]


def test_expired_certificate_is_named_with_its_dates(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    old = make_certificate("old", not_before=NOW - 2 * YEAR, not_after=NOW - YEAR)
    local_azure.directory.add_certificate(CLIENT_ID, old.certificate_pem)
    answer = present(session, local_azure, sign(local_azure, old))
    assert answer.json()["error_codes"] == [700027]
    assert "The key used is expired." in answer.json()["error_description"]
    assert f"End={(NOW - YEAR):%m/%d/%Y %H:%M:%S}" in answer.json()["error_description"]


def test_certificate_ends_by_the_settable_clock(
    local_azure: LocalAzure, session: requests.Session, pair: KeyAndCertificate
) -> None:
    local_azure.directory.add_certificate(CLIENT_ID, pair.certificate_pem)
    local_azure.clock.advance(2 * YEAR)
    later = int(local_azure.clock.time())
    answer = present(session, local_azure, sign(local_azure, pair, nbf=later, exp=later + 600))
    assert "The key used is expired." in answer.json()["error_description"]


def test_elliptic_curve_key_is_refused_by_the_client_already(local_azure: LocalAzure) -> None:
    added = local_azure.vault.add_certificate("curve", key_type="EC", content_type=CertificateFormat.PEM)
    with pytest.raises(ValueError, match="RSA"):
        CertificateCredential(
            local_azure.config.tenant.id,
            CLIENT_ID,
            certificate_data=added.secret.value.encode(),
            **options(local_azure),
        )
