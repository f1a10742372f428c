"""Many real processes share one token: what Entra ID and Key Vault are asked is counted on the ledger."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from airflow_provider_batchad.local.client_settings import CLOUD_NAME, describe_cloud, describe_connection
from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.batch_fixtures import eventually
from tests.contract.signing_in import SigningIn, running

PROGRAM = Path(__file__).with_name("cache_program.py")
PROCESSES = 12


class Machine:
    """Starts processes that share a directory.

    :param started: all of them, so that none outlives its test.
    """

    def __init__(self, signing_in: SigningIn, directory: Path) -> None:
        self.azure = signing_in.azure
        self.count = signing_in.count
        self.directory = directory
        self.connection = describe_connection(self.azure)
        self.fernet_key: str | None = Fernet.generate_key().decode()
        self.started: list[subprocess.Popen[str]] = []

    def start(self, **changes: Any) -> subprocess.Popen[str]:
        task = {
            "connection": self.connection,
            "clouds": {CLOUD_NAME: describe_cloud(self.azure)},
            "directory": str(self.directory),
            "fernet_key": self.fernet_key,
            **changes,
        }
        process = subprocess.Popen(
            [sys.executable, PROGRAM, json.dumps(task)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, **changes: Any) -> dict[str, Any]:
        return answer_of(self.start(**changes))

    def counts(self) -> dict[str, int]:
        """Vault requests are two for each read: one is the challenge."""
        return {
            "tokens": self.count("entra", "Token"),
            "discovery": self.count("entra", "OpenID Configuration"),
            "vault": self.count("keyvault", "Get Secret"),
        }

    def hold_one(self, service: str, operation: str) -> tuple[subprocess.Popen[str], str]:
        """A process that asks, holding the lock, and gets no answer until the fault is removed."""
        rule = FaultRule(service=service, operation=operation, hold=True, times=1)
        fault = self.azure.faults.add(rule)
        process = self.start()
        eventually(lambda: self.azure.faults.held(fault.id), seconds=60)
        return process, fault.id


def answer_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    answer: dict[str, Any] = json.loads(output)
    return answer


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    config = LocalAzureConfig(port=0, secrets_file=tmp_path / "secrets")
    with running(monkeypatch, config) as signing_in:
        machine = Machine(signing_in, tmp_path / "tokens")
        yield machine
        for process in machine.started:
            process.kill()
            process.communicate()


ONE_SIGN_IN = {"tokens": 1, "discovery": 1, "vault": 2}


def test_many_cold_processes_at_once_make_one_token_request_and_one_vault_read(machine):
    answers = [answer_of(process) for process in [machine.start() for _ in range(PROCESSES)]]
    assert len({answer["token"] for answer in answers}) == 1
    assert all(answer["registered"] for answer in answers)
    assert machine.counts() == ONE_SIGN_IN


def test_without_a_cipher_each_process_asks_for_itself(machine):
    machine.fernet_key = None
    for process in [machine.start() for _ in range(3)]:
        answer_of(process)
    assert machine.counts() == {"tokens": 3, "discovery": 3, "vault": 6}
    assert not machine.directory.exists()


def test_a_process_with_a_warm_cache_loads_none_of_what_signs_in(machine):
    cold, warm = machine.run(), machine.run()
    assert "msal" in cold["modules"]
    assert warm["token"] == cold["token"]
    assert set(warm["modules"]) & {"msal", "requests", "aiohttp", "filelock"} == set()
    assert not [name for name in warm["azure"] if name.startswith(("azure.identity", "azure.keyvault"))]


def test_connections_with_other_ids_and_accounts_share(machine):
    machine.run()
    machine.run(conn_id="another")
    assert machine.counts() == ONE_SIGN_IN


def test_the_principals_name_is_known_although_the_vault_was_not_asked(machine):
    machine.connection["login"] = None
    machine.connection["extra"] |= {"vault_client_id_name": "batch-client-id"}
    cold, warm = machine.run(), machine.run()
    assert warm["client_id"] == cold["client_id"] == machine.azure.config.applications[0].client_id
    assert machine.counts()["tokens"] == 1


@pytest.mark.parametrize(
    ("service", "operation", "repeated"),
    [
        ("keyvault", "Get Secret", {"tokens": 1, "discovery": 1, "vault": 3}),
        ("entra", "Token", {"tokens": 2, "discovery": 2, "vault": 4}),
    ],
)
def test_a_holder_that_is_killed_holds_up_nobody_and_only_its_own_work_is_repeated(
    machine, service, operation, repeated
):
    holder, fault = machine.hold_one(service, operation)
    waiting = [machine.start() for _ in range(PROCESSES)]
    holder.kill()
    answers = [answer_of(process) for process in waiting]
    assert len({answer["token"] for answer in answers}) == 1
    machine.azure.faults.remove(fault)
    eventually(lambda: machine.counts() == repeated)


def test_a_holder_that_does_not_go_on_is_gone_around_and_spoils_nothing(machine):
    holder, fault = machine.hold_one("entra", "Token")
    os.kill(holder.pid, signal.SIGSTOP)
    waiting = [machine.start(patience_seconds=1.0) for _ in range(4)]
    tokens = {answer_of(process)["token"] for process in waiting}
    machine.azure.faults.remove(fault)
    os.kill(holder.pid, signal.SIGCONT)
    late = answer_of(holder)["token"]
    assert machine.run()["token"] in {late, *tokens}
    assert machine.counts()["tokens"] <= 1 + len(waiting)


@pytest.mark.parametrize(("service", "operation"), [("entra", "Token"), ("keyvault", "Get Secret")])
def test_what_one_process_is_told_to_wait_keeps_the_others_from_asking(machine, service, operation):
    throttled = FaultRule(service=service, operation=operation, status=429, headers={"Retry-After": "250"})
    fault = machine.azure.faults.add(throttled)
    for process in [machine.start() for _ in range(PROCESSES)]:
        _, errors = process.communicate(timeout=120)
        assert process.returncode != 0
        assert "Unreachable" in errors
    assert machine.azure.faults.hits(fault.id) == 1


def test_a_token_that_was_refused_is_replaced_for_the_others_too(machine):
    first = machine.run()["token"]
    second = machine.run(refused=True)["token"]
    assert second != first
    assert machine.run()["token"] == second
    assert machine.counts()["tokens"] == 2


def test_a_connection_that_knows_the_application_but_not_its_secret_gets_no_token(machine):
    secret = machine.azure.directory.applications()[0].secrets[0].value
    extra = machine.connection["extra"]
    for name in ("vault_url", "vault_credential_name", "vault_sign_in"):
        del extra[name]
    machine.run(connection={**machine.connection, "password": secret})
    guess = machine.start(connection={**machine.connection, "password": f"{secret[:-1]}!"})
    _, errors = guess.communicate(timeout=120)
    assert guess.returncode != 0
    assert "CredentialRefused" in errors
    assert secret not in errors


def test_no_file_holds_a_secret_or_a_token_in_the_clear(machine):
    machine.run()
    assert machine.azure.config.secrets_file is not None
    known = machine.azure.config.secrets_file.read_text().split()
    assert sum(value.startswith("eyJ") for value in known) >= 2, "no token was handed out"
    written = {file.name: file.read_bytes() for file in machine.directory.iterdir()}
    assert any(written.values())
    for value in known:
        assert not [name for name, content in written.items() if value.encode() in content or value in name]


@pytest.mark.parametrize("kind", ["link", "open to others", "a file", "cannot be made"])
def test_a_directory_that_others_may_use_costs_the_cache_and_nothing_else(machine, tmp_path, kind):
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    match kind:
        case "link":
            machine.directory.symlink_to(target)
        case "open to others":
            machine.directory.mkdir()
            machine.directory.chmod(0o770)
        case "a file":
            machine.directory.write_text("")
        case "cannot be made":
            (tmp_path / "file").write_text("")
            machine.directory = tmp_path / "file" / "tokens"
    process = machine.start()
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert json.loads(output)["token"]
    assert errors.count("No token cache in") == 1
    machine.run()
    assert machine.counts() == {"tokens": 2, "discovery": 2, "vault": 4}
    assert list(target.iterdir()) == []
