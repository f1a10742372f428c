"""Five hundred waiting jobs in one triggerer, while their secret is rotated and the old one revoked."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.batch import BatchClient
from azure.batch.models import BatchJobCreateOptions, BatchPoolInfo
from azure.core.credentials import AzureNamedKeyCredential

from airflow_provider_batchad.local.client_settings import client_environment, describe_connection
from airflow_provider_batchad.local.config import AIRFLOW_APPLICATION, LocalAzureConfig
from airflow_provider_batchad.local.server import LocalAzure
from airflow_provider_batchad.local.shared_key import KeyName
from demo.airflow import AirflowSettings, Standalone
from demo.airflow_api import AirflowApi
from demo.processes import ProcessGroup
from tests.airflow.task_runs import eventually
from tests.reliability.waiting import DAG_COUNT, TRIGGERS_AT_ONCE, dag_ids, job_ids

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1800)]

CLIENT_ID = AIRFLOW_APPLICATION.client_id
# A connection for each lifetime of tokens, in seconds.
LIFETIMES = {"minute": 60.0, "ten_seconds": 10.0}
DAG_FILE = "from tests.reliability.waiting import define  # defines DAGs for airflow\n\n"


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalAzure]:
    with LocalAzure(LocalAzureConfig(port=0)) as azure:
        yield azure


@pytest.fixture(scope="module")
def api(azure: LocalAzure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowApi]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    for name in LIFETIMES:
        (home / "dags" / f"{name}.py").write_text(f"{DAG_FILE}globals().update(define({name!r}))\n")
    environment = {
        **client_environment(azure),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": str(TRIGGERS_AT_ONCE),
    }
    settings = AirflowSettings(home=home, dags_folder=home / "dags", environment=environment, paused=False)
    with ProcessGroup() as group:
        airflow = Standalone(settings, group=group)
        airflow.start()
        airflow.wait_until_ready()
        known = lambda: airflow.api.get("dags", limit=1)["total_entries"]  # noqa: E731 - read once below
        eventually(lambda: known() == 2 * DAG_COUNT, 300, "Airflow knows the DAGs", every=0.5)
        yield airflow.api


@pytest.fixture
def client(azure: LocalAzure) -> Iterator[BatchClient]:
    """Somebody else, with the account's key: no token is asked for."""
    credential = AzureNamedKeyCredential(azure.config.account, azure.account_keys[KeyName.PRIMARY])
    ca_file = os.fspath(azure.ca_file)
    with BatchClient(azure.endpoints.batch, credential, connection_verify=ca_file) as client:
        yield client


@pytest.mark.parametrize("name", LIFETIMES)
def test_five_hundred_waiting_tasks_outlive_the_rotation_of_their_secret(
    azure: LocalAzure, api: AirflowApi, client: BatchClient, name: str
) -> None:
    azure.directory.token_lifetime_seconds = LIFETIMES[name]
    secret_name = f"secret-of-{name.replace('_', '-')}"
    azure.vault.set_secret(secret_name, secrets_of(azure)[-1].value)
    connection = describe_connection(azure)
    connection["extra"]["vault_credential_name"] = secret_name
    api.post("connections", {**connection, "connection_id": name, "extra": json.dumps(connection["extra"])})
    jobs = job_ids(name)
    with ThreadPoolExecutor(8) as threads:
        pool = BatchPoolInfo(pool_id="cpu")
        list(threads.map(lambda job: client.create_job(BatchJobCreateOptions(id=job, pool_info=pool)), jobs))
    before = azure.ledger.last_sequence
    for dag_id in dag_ids(name):
        api.post(f"dags/{dag_id}/dagRuns", {"logical_date": None})

    eventually(lambda: states(api, name) == {"deferred": len(jobs)}, 600, "all wait", every=0.5)
    waiting = azure.ledger.last_sequence
    eventually(lambda: 200 in token_statuses(azure, waiting), 120, "they have a token", every=0.5)
    rotated = rotate(azure, secret_name)
    eventually(lambda: 401 in token_statuses(azure, rotated), 120, "the old secret is refused", every=0.5)
    eventually(lambda: token_statuses(azure, rotated)[-1] == 200, 60, "the new one is taken", every=0.5)
    # The poll of them all asks with the new token.
    renewed = azure.ledger.last_sequence
    eventually(lambda: polls(azure, renewed) >= 2, 120, "the new token is used", every=0.5)
    assert states(api, name) == {"deferred": len(jobs)}

    statuses = token_statuses(azure, rotated)
    assert statuses.count(401) == 1, "one process waits: it asks once with the old secret"
    assert statuses[statuses.index(401) + 1] == 200
    # From the first to the last of it: each lifetime one token, and one more for the rotation.
    requests = azure.ledger.entries(service="entra", operation="Token", after=before)
    seconds = requests[-1].time - requests[0].time
    assert len(requests) <= 3 + seconds / (0.8 * LIFETIMES[name])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda job: end(client, job), jobs))
    eventually(lambda: states(api, name).get("deferred") is None, 300, "none waits", every=0.5)
    eventually(lambda: states(api, name) == {"success": len(jobs)}, 120, "all succeed", every=0.5)


def end(client: BatchClient, job: str) -> None:
    client.begin_terminate_job(
        job, options={"terminateReason": "the test is over"}, polling_interval=0.1
    ).wait()


def states(api: AirflowApi, name: str) -> dict[str, int]:
    """How many tasks are in which state."""
    counted = {}
    for state in ("deferred", "success", "failed", "up_for_retry", "running", "queued", "scheduled"):
        query = {"dag_ids": dag_ids(name), "state": [state], "page_limit": 1}
        found = api.post("dags/~/dagRuns/~/taskInstances/list", query)["total_entries"]
        counted |= {state: found} if found else {}
    return counted


def polls(azure: LocalAzure, after: int) -> int:
    """How often the jobs were listed."""
    return len(azure.ledger.entries(service="batch", operation="List Jobs", status=200, after=after))


def token_statuses(azure: LocalAzure, after: int) -> list[int]:
    entries = azure.ledger.entries(service="entra", operation="Token", after=after)
    return [entry.status for entry in entries]


def secrets_of(azure: LocalAzure):
    application = azure.directory.application(CLIENT_ID)
    assert application is not None
    return application.secrets


def rotate(azure: LocalAzure, secret_name: str) -> int:
    """A new secret in the vault, the old one revoked; the number of the ledger's last line before that."""
    old = secrets_of(azure)[-1]
    azure.vault.set_secret(secret_name, azure.directory.add_secret(CLIENT_ID).value)
    sequence = azure.ledger.last_sequence
    azure.directory.revoke_secret(CLIENT_ID, old.key_id)
    return sequence
