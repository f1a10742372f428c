"""Leaks of every kind, one a test. Not collected by itself: it is run to see that each is found."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet

from airflow_provider_batchad.errors import CredentialRefused
from airflow_provider_batchad.identity.vault import VaultSecret
from airflow_provider_batchad.local.config import ApplicationConfig, LocalAzureConfig
from airflow_provider_batchad.local.server import LocalAzure
from airflow_provider_batchad.triggers.job import AzureBatchJobTrigger
from tests.canaries.plugin import canaries_of


@pytest.fixture
def canary(request: pytest.FixtureRequest) -> str:
    """As long as a client secret, with characters that are escaped on their way."""
    value = f'canary/{secrets.token_urlsafe(24)}~"'
    canaries_of(request.config).births.plant(value)
    return value


@pytest.fixture
def token(request: pytest.FixtureRequest) -> str:
    parts = [f"eyJ{secrets.token_urlsafe(24)}", secrets.token_urlsafe(600), secrets.token_urlsafe(256)]
    value = ".".join(parts)
    canaries_of(request.config).births.plant(value)
    return value


def test_nothing(canary: str, token: str, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("planted").debug("A secret of %d letters.", len(canary))


def test_a_log_that_goes_nowhere(canary: str) -> None:
    logger = logging.getLogger("planted.silent")
    logger.propagate = False
    logger.debug("it is %s", canary)


def _leak(value: str) -> None:
    raise ValueError(value)


def _leak_as_cause(value: str) -> None:
    try:
        _leak(value)
    except ValueError:
        raise RuntimeError("something else") from None


def test_a_logged_traceback(canary: str) -> None:
    try:
        _leak(canary)
    except ValueError:
        logging.getLogger("planted").debug("Oops.", exc_info=True)


def test_an_expected_error(canary: str) -> None:
    with pytest.raises(ValueError, match=r"^canary"):
        _leak(canary)


def test_the_cause_of_an_error(canary: str) -> None:
    with pytest.raises(RuntimeError):
        _leak_as_cause(canary)


def test_an_error_that_is_swallowed(canary: str) -> None:
    with contextlib.suppress(CredentialRefused):
        raise CredentialRefused(f"AADSTS7000215: {canary}", step="token")


def test_a_representation(canary: str) -> None:
    VaultSecret(name=canary, version="1", value="x", expires_on=None, not_before=None)


def test_output(canary: str) -> None:
    print(canary)  # noqa: T201 - it is a leak


def test_output_that_is_read(canary: str, capsys: pytest.CaptureFixture[str]) -> None:
    print(canary)  # noqa: T201 - it is a leak
    capsys.readouterr()


def test_output_of_a_process(canary: str) -> None:
    subprocess.run([sys.executable, "-c", f"print({canary!r})"], capture_output=True, check=True)


def test_the_arguments_of_a_trigger(canary: str) -> None:
    AzureBatchJobTrigger("batchad_default", canary).serialize()


@pytest.fixture
def azure() -> Iterator[LocalAzure]:
    with LocalAzure(LocalAzureConfig(port=0)) as azure:
        yield azure


def test_the_ledger(azure: LocalAzure) -> None:
    entry = dict.fromkeys(("service", "operation", "method", "principal", "code", "fault"), "x")
    numbers = dict.fromkeys(("time", "status", "request_bytes", "response_bytes", "seconds"), 1)
    path = f"/{azure.directory.applications()[0].secrets[0].value}"
    azure.ledger.record(**entry, **numbers, path=path, actions=())  # type: ignore[arg-type]


def test_a_secret_of_local_azure(azure: LocalAzure) -> None:
    print(azure.directory.applications()[0].secrets[0].value)  # noqa: T201 - it is a leak


def test_the_end_of_a_token(token: str) -> None:
    print(token[-60:])  # noqa: T201 - it is a leak


def test_a_value_in_a_url(canary: str) -> None:
    print(f"client_secret={quote(canary, safe='')}&x")  # noqa: T201 - it is a leak


def test_a_value_in_json(canary: str) -> None:
    print(json.dumps({"value": canary}))  # noqa: T201 - it is a leak


@pytest.mark.parametrize("name", ["i", "id", "ids"])
def test_a_basic_header(canary: str, name: str) -> None:
    print(base64.b64encode(f"{name}:{canary}".encode()).decode())  # noqa: T201 - it is a leak


def test_a_file(canary: str, tmp_path: Path) -> None:
    (tmp_path / "task.log").write_text(canary)


def test_an_encrypted_cell_of_a_database(canary: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    key = Fernet.generate_key().decode()
    canaries_of(request.config).births.fernet_keys.add(key)
    with contextlib.closing(sqlite3.connect(tmp_path / "airflow.db")) as database:
        database.execute("CREATE TABLE trigger (encrypted_kwargs TEXT)")
        cell = Fernet(key).encrypt(canary.encode()).decode()
        database.execute("INSERT INTO trigger VALUES (?)", [cell])
        database.commit()


def test_a_pem_key(request: pytest.FixtureRequest) -> None:
    line = secrets.token_urlsafe(48)
    canaries_of(request.config).births.plant(
        f"-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----"
    )
    print(f"MII{line}")  # noqa: T201 - it is a leak


def test_a_file_that_is_there_for_it(tmp_path: Path) -> None:
    config = LocalAzureConfig(
        port=0, secrets_file=tmp_path / "secrets", applications=(ApplicationConfig(name="airflow-batch"),)
    )
    with LocalAzure(config):
        assert (tmp_path / "secrets").read_text()
