"""Airflow's own ``AzureBatchHook``, in the environment of its provider, against local Azure."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.local.config import (
    AssignmentConfig,
    LocalAzureConfig,
    WorkloadIdentityConfig,
)
from airflow_provider_batchad.local.server import LocalAzure
from airflow_provider_batchad.local.shared_key import KeyName

pytestmark = pytest.mark.peer

PYTHON = Path(__file__).parents[2] / ".venv-peer" / "bin" / "python"
APPLICATION = "airflow-batch"


def run_hook(azure: LocalAzure, home: Path, *, key: str | None = None, **variables: str) -> dict[str, Any]:
    assert PYTHON.exists(), "Airflow's Azure provider is not here: run `make test-peer`, which sets it up"
    connection: dict[str, Any] = {
        "conn_type": "azure_batch",
        "extra": {"account_url": azure.endpoints.batch},
    }
    if key is not None:
        connection |= {"login": azure.config.account, "password": key}
    environment = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_AZURE_BATCH_DEFAULT": json.dumps(connection),
        # The hook takes no other way to trust a certificate authority.
        "REQUESTS_CA_BUNDLE": str(azure.ca_file),
        **variables,
    }
    program = Path(__file__).with_name("hook_program.py")
    done = subprocess.run(
        [PYTHON, program, f"job-{uuid.uuid4().hex[:8]}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


def test_hook_runs_a_job_with_an_account_key(tmp_path: Path) -> None:
    with LocalAzure(LocalAzureConfig(port=0, assignments=())) as azure:
        seen = run_hook(azure, tmp_path, key=azure.account_keys[KeyName.PRIMARY])
        asked = azure.ledger.entries(service="batch")
    assert seen == {
        "works": True,
        "sentence": "Successfully connected to Azure Batch.",
        "failed": ["bad"],
        "output": "from the hook\n",
    }
    assert {entry.principal for entry in asked} == {"shared key"}
    assert sorted(str(entry.code) for entry in asked if entry.status == 409) == [
        "JobExists",
        "TaskExists",
        "TaskExists",
    ]


def test_hook_says_that_a_key_is_wrong(tmp_path: Path) -> None:
    with LocalAzure(LocalAzureConfig(port=0)) as azure:
        seen = run_hook(azure, tmp_path, key="bm8ga2V5")
    assert seen["works"] is False
    assert "(AuthenticationFailed) Server failed to authenticate the request" in seen["sentence"]


@pytest.mark.parametrize(
    ("role", "outcome"), [("Azure Batch Job Submitter", None), ("Azure Batch Account Reader", 403)]
)
def test_hook_signs_in_with_workload_identity(tmp_path: Path, role: str, outcome: int | None) -> None:
    config = LocalAzureConfig(
        port=0,
        workload_identity=WorkloadIdentityConfig(application=APPLICATION),
        assignments=(AssignmentConfig(principal=APPLICATION, role=role, resource="batch"),),
    )
    with LocalAzure(config) as azure:
        seen = run_hook(
            azure,
            tmp_path,
            AZURE_AUTHORITY_HOST=azure.endpoints.entra,
            AZURE_TENANT_ID=azure.config.tenant.id,
            AZURE_CLIENT_ID=azure.directory.principal(APPLICATION).app_id,
            AZURE_FEDERATED_TOKEN_FILE=str(azure.federated_token_file),
        )
        principals = {entry.principal for entry in azure.ledger.entries(service="batch")}
    assert seen["works"], seen["sentence"]
    assert seen.get("refused") == outcome
    assert principals == {APPLICATION}
