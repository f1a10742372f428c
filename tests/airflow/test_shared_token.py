"""Twenty task instances of a real Airflow: one token request, one vault read; a rotation while they wait."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_batchad.local.client_settings import describe_connection
from airflow_provider_batchad.local.config import AIRFLOW_APPLICATION
from tests.airflow.task_runs import eventually

if TYPE_CHECKING:
    from tests.airflow.conftest import Deployment

CLIENT_ID = AIRFLOW_APPLICATION.client_id
COUNT = 20


@pytest.fixture
def secret_name(deployment: Deployment) -> Iterator[str]:
    """The connection ``crowd``, whose token nobody has yet: its secret is under a name of its own."""
    name = f"crowd-{uuid.uuid4().hex[:8]}"
    deployment.azure.vault.set_secret(name, _secrets(deployment)[-1].value)
    connection = describe_connection(deployment.azure)
    connection["extra"]["vault_credential_name"] = name
    body = {**connection, "connection_id": "crowd", "extra": json.dumps(connection["extra"])}
    deployment.airflow.api.post("connections", body)
    yield name
    deployment.airflow.api.delete("connections/crowd")


def _secrets(deployment: Deployment):
    application = deployment.azure.directory.application(CLIENT_ID)
    assert application is not None
    return application.secrets


def token_statuses(deployment: Deployment, after: int) -> list[int]:
    return [
        entry.status
        for entry in deployment.azure.ledger.entries(service="entra", operation="Token", after=after)
    ]


def task_states(deployment: Deployment, dag_id: str, run_id: str) -> list[tuple[str | None, int]]:
    found = deployment.airflow.api.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=100)
    return [(instance["state"], instance["try_number"]) for instance in found["task_instances"]]


def test_twenty_task_instances_make_one_token_request_and_one_vault_read(
    deployment: Deployment, secret_name: str
) -> None:
    ledger = deployment.azure.ledger
    before = ledger.last_sequence
    run_id, state = deployment.run("shared_token")
    assert state == "success"
    assert task_states(deployment, "shared_token", run_id) == [("success", 1)] * COUNT
    assert len(ledger.entries(service="batch", operation="List Jobs", after=before)) == COUNT
    assert token_statuses(deployment, before) == [200]
    assert len(ledger.entries(service="entra", operation="OpenID Configuration", after=before)) == 1
    reads = ledger.entries(service="keyvault", after=before)
    assert [entry.status for entry in reads] == [401, 200], "a challenge and a read"
    assert all(secret_name in entry.path for entry in reads)


def test_twenty_deferred_tasks_outlive_the_rotation_of_their_secret(
    deployment: Deployment, secret_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    azure, gate = deployment.azure, tmp_path / "gate"
    monkeypatch.setattr(azure.directory, "token_lifetime_seconds", 10.0)
    run_id = deployment.start_run("rotation", conf={"gate": str(gate)})

    def all_wait() -> bool:
        states = task_states(deployment, "rotation", run_id)
        assert not [state for state in states if state[0] in ("failed", "up_for_retry")]
        return states == [("deferred", 1)] * COUNT

    eventually(all_wait, 150, "all wait", every=0.5)
    # The next token is asked for by the triggerer, which then holds the old secret.
    waiting = azure.ledger.last_sequence
    eventually(lambda: 200 in token_statuses(deployment, waiting), 60, "they have a token", every=0.5)
    rotated = rotate(deployment, secret_name)
    eventually(lambda: 401 in token_statuses(deployment, rotated), 60, "the old secret is refused", every=0.5)
    eventually(lambda: token_statuses(deployment, rotated)[-1] == 200, 60, "the new one is taken", every=0.5)
    gate.touch()
    assert deployment.wait_for_run("rotation", run_id) == "success"
    assert task_states(deployment, "rotation", run_id) == [("success", 1)] * COUNT
    statuses = token_statuses(deployment, rotated)
    assert statuses.count(401) == 1, "the triggerer alone had the old secret, and asked with it once"
    assert statuses[statuses.index(401) + 1] == 200


def rotate(deployment: Deployment, secret_name: str) -> int:
    """A new secret in the vault, the old one revoked; the number of the ledger's last line before that."""
    azure = deployment.azure
    old = _secrets(deployment)[-1]
    new = azure.directory.add_secret(CLIENT_ID)
    for name in (secret_name, AIRFLOW_APPLICATION.vault_secret_name):
        azure.vault.set_secret(name, new.value)
    sequence = azure.ledger.last_sequence
    azure.directory.revoke_secret(CLIENT_ID, old.key_id)
    return sequence
