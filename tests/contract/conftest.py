"""Microsoft's real clients against local Azure, with and without a CA bundle in the environment."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator

import pytest
import requests
from azure.keyvault.secrets._shared import http_challenge_cache
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from airflow_provider_batchad.local.entra import tokens
from airflow_provider_batchad.local.pytest_plugin import local_azure, local_azure_config
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import batch, own_batch

__all__ = ["batch", "local_azure", "local_azure_config", "own_batch"]

_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(scope="session")
def key() -> RSAPrivateKey:
    """It takes longer to make than all else of a local Azure's start."""
    return tokens.make_key()


@pytest.fixture(autouse=True)
def one_key(key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local Azures that tests start sign their tokens with one key."""
    monkeypatch.setattr(tokens, "make_key", lambda: key)


@pytest.fixture(params=["bundle exported", "no bundle"])
def bundle_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that exports a CA bundle of its own, which some clients prefer to what they are told; and one
    that does not."""
    for name in _BUNDLE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    if request.param == "bundle exported":
        bundle = ssl.get_default_verify_paths().cafile or requests.utils.DEFAULT_CA_BUNDLE_PATH
        for name in _BUNDLE_VARIABLES[:3]:
            monkeypatch.setenv(name, bundle)


@pytest.fixture(autouse=True)
def forgotten_challenges() -> None:
    """Key Vault's clients keep challenges by host and port for the whole process, and the system gives a port
    out again: without this, a test would now and then find its vault known."""
    http_challenge_cache.clear()


@pytest.fixture
def session(local_azure: LocalAzure) -> Iterator[requests.Session]:
    """A plain HTTP client that trusts local Azure's certificate authority."""
    with requests.Session() as client:
        client.trust_env = False
        client.verify = os.fspath(local_azure.ca_file)
        yield client


@pytest.fixture
def client_secret(local_azure: LocalAzure) -> str:
    """The secret of the application ``airflow-batch``."""
    return local_azure.directory.applications()[0].secrets[0].value


@pytest.fixture
def machine(local_azure: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> LocalAzure:
    """This process is on a machine with managed identities, as App Service shows them."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{local_azure.endpoints.identity}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", local_azure.identity_header)
    return local_azure
