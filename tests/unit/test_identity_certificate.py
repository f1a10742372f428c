"""Certificates as Key Vault hands them out, and everything else that may stand there."""

from __future__ import annotations

import base64
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from airflow_provider_batchad.identity.certificate import UselessCertificate, read_certificate
from airflow_provider_batchad.local.keyvault.certificates import (
    CertificateFormat,
    CertificateIssuer,
    KeyAndCertificate,
    make_certificate,
)

NOW = datetime.now(UTC).replace(microsecond=0)
LATER = NOW + timedelta(days=90)


@pytest.fixture(scope="module")
def issuer() -> CertificateIssuer:
    return CertificateIssuer.create("Contoso Issuing CA", now=NOW)


@pytest.fixture(scope="module")
def pair(issuer: CertificateIssuer) -> KeyAndCertificate:
    return make_certificate("batch.contoso.com", not_before=NOW, not_after=LATER, issuer=issuer)


@pytest.fixture(scope="module")
def curve() -> KeyAndCertificate:
    return make_certificate("batch.contoso.com", not_before=NOW, not_after=LATER, key_type="EC")


def key_pem(pair: KeyAndCertificate, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    return pair.key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def what_is_wrong(value: str, content_type: str | None = None) -> str:
    with pytest.raises(UselessCertificate) as caught:
        read_certificate(value, content_type)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert caught.value.remedy.endswith(".")
    return caught.value.what


@pytest.mark.parametrize("content_type", [*CertificateFormat, None, "text/plain"])
@pytest.mark.parametrize("form", list(CertificateFormat))
def test_it_is_read_by_what_it_holds_whatever_its_content_type(pair, issuer, form, content_type):
    found = read_certificate(pair.encode(form, exportable=True), content_type)
    assert found.chain == (pair.certificate, issuer.certificate)
    assert found.key.private_numbers() == pair.key.private_numbers()
    assert found.ends_on == LATER
    assert len(found.thumbprint) == 40


def test_chain_is_put_in_order_and_strangers_are_left_out(pair, issuer, curve):
    parts = [issuer.pem, curve.certificate_pem, key_pem(pair), pair.certificate_pem]
    assert read_certificate("".join(parts), None).chain == (pair.certificate, issuer.certificate)


def test_key_in_the_older_form_and_windows_line_ends_are_read(pair):
    text = key_pem(pair, PrivateFormat.TraditionalOpenSSL) + pair.certificate_pem
    assert read_certificate(text.replace("\n", "\r\n"), None).chain == (pair.certificate,)


def test_base64_with_line_ends_is_read(pair):
    text = pair.encode(CertificateFormat.PKCS12, exportable=True)
    lines = "\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    assert read_certificate(lines, None).chain[0] == pair.certificate


@pytest.mark.parametrize("form", list(CertificateFormat))
def test_key_that_is_not_exportable_is_missing(pair, form):
    assert "not exportable" in what_is_wrong(pair.encode(form, exportable=False))


@pytest.mark.parametrize("form", list(CertificateFormat))
def test_elliptic_curve_is_refused(curve, form):
    assert "an elliptic-curve key" in what_is_wrong(curve.encode(form, exportable=True))


def test_other_kinds_of_key_are_refused(pair):
    other = ed25519.Ed25519PrivateKey.generate()
    text = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert "not RSA" in what_is_wrong(text + pair.certificate_pem)


def test_key_alone_is_refused(pair):
    assert "without its certificate" in what_is_wrong(key_pem(pair))


def test_key_of_another_certificate_is_refused(pair):
    other = make_certificate("batch.contoso.com", not_before=NOW, not_after=LATER)
    assert "of another one" in what_is_wrong(key_pem(other) + pair.certificate_pem)


def test_key_under_a_passphrase_is_refused(pair):
    key = pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
    assert "passphrase" in what_is_wrong(key + pair.certificate_pem)
    old = pair.key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x")
    ).decode()
    assert "passphrase" in what_is_wrong(old + pair.certificate_pem)


def test_archive_under_a_password_is_refused(pair):
    archive = pkcs12.serialize_key_and_certificates(
        None, pair.key, pair.certificate, None, BestAvailableEncryption(b"x")
    )
    assert "password" in what_is_wrong(base64.b64encode(archive).decode())


@pytest.mark.parametrize(
    ("value", "content_type", "words"),
    [
        ("", None, "its content type: none"),
        ("Qp18Q~a-client-secret", None, "neither PEM nor PKCS#12"),
        ("Qp18Q~a-client-secret", "application/x-pem-file", "application/x-pem-file"),
        ("Qp18Q~a-client-secret", "a note that is nobody's business", "its content type: another"),
        ("bm90IGEgY2VydGlmaWNhdGU=", "application/x-pkcs12", "neither PEM nor PKCS#12"),
        ("MAMCAQE=", "application/x-pkcs12", "no PKCS#12 archive"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", None, "cannot be read"),
        ("-----BEGIN PRIVATE KEY-----\nMIIB", None, "cannot be read"),
        ("-----BEGIN SOMETHING-----", None, "no private key"),
    ],
)
def test_what_is_no_certificate_is_not_repeated(value, content_type, words):
    what = what_is_wrong(value, content_type)
    assert words in what
    assert "Qp18Q" not in what
    assert "nobody" not in what


def test_neither_shown_nor_pickled(pair):
    found = read_certificate(pair.encode(CertificateFormat.PEM, exportable=True), None)
    assert "key=" not in repr(found)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(found)
