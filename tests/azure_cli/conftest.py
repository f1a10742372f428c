"""The Azure CLI, from an environment of its own, signed in to a local Azure that its tests share."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.local.config import (
    AIRFLOW_APPLICATION,
    ApplicationConfig,
    AssignmentConfig,
    LocalAzureConfig,
)
from airflow_provider_batchad.local.server import LocalAzure
from demo.weather import INPUTS

AZ = Path(__file__).parents[2] / ".venv-azure-cli" / "bin" / "az"
APPLICATION = "airflow-batch"
# Holds nothing until a test gives it a role.
SUBMITTER = "submitter"
CONFIG = LocalAzureConfig(
    port=0,
    token_lifetime_seconds=100_000,
    applications=(AIRFLOW_APPLICATION, ApplicationConfig(name=SUBMITTER)),
    files_dir=INPUTS,
    assignments=(
        AssignmentConfig(principal=APPLICATION, role="Owner", resource="subscription"),
        AssignmentConfig(principal=APPLICATION, role="Azure Batch Data Contributor", resource="batch"),
        AssignmentConfig(principal=APPLICATION, role="Key Vault Secrets Officer", resource="keyvault"),
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """What it printed, which must have been its success."""
        assert self.status == 0, self.stderr
        return json.loads(self.stdout) if self.stdout.strip() else None


@dataclass(frozen=True, slots=True)
class AzureCli:
    """The command ``az``.

    :param directory: where it keeps its settings, and where tests put their files.
    """

    azure: LocalAzure
    directory: Path

    def environment(self) -> dict[str, str]:
        """What the command finds in its environment."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AZURE_")},
            "AZURE_CONFIG_DIR": str(self.directory / "settings"),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
            "AZURE_CORE_NO_COLOR": "true",
            "REQUESTS_CA_BUNDLE": str(self.azure.ca_file),
        }

    def __call__(self, *arguments: str) -> Answer:
        done = subprocess.run(
            [AZ, *arguments], env=self.environment(), capture_output=True, text=True, timeout=120, check=False
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def batch(self, *arguments: str) -> Answer:
        """A command of the group ``batch`` at the account, with a token."""
        return self(
            "batch",
            *arguments,
            "--account-name",
            self.azure.config.account,
            "--account-endpoint",
            self.azure.endpoints.batch,
        )

    def write(self, name: str, document: object) -> str:
        """A JSON file's path."""
        path = self.directory / name
        path.write_text(json.dumps(document))
        return str(path)


@pytest.fixture(scope="session")
def az(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureCli]:
    """The CLI after ``az login`` as the service principal."""
    assert AZ.exists(), "there is no Azure CLI here: run `make test-azure-cli`, which sets it up"
    with LocalAzure(CONFIG) as azure:
        cli = AzureCli(azure, tmp_path_factory.mktemp("az"))
        vault_port = azure.endpoints.keyvault.rpartition(":")[2]
        principal = azure.directory.principal(APPLICATION)
        application = azure.directory.application(principal.app_id)
        assert application is not None
        for command in (
            ("cloud", "register", "--name", "local", "--endpoint-resource-manager",
             azure.endpoints.management, "--suffix-keyvault-dns", f":{vault_port}"),
            ("cloud", "set", "--name", "local"),
            ("login", "--service-principal", "--username", principal.app_id,
             "--password", application.secrets[0].value, "--tenant", azure.config.tenant.id),
        ):  # fmt: skip
            done = cli(*command)
            assert done.status == 0, done.stderr
        yield cli
