"""Local Azure as a process of its own, and what it has been asked."""

from __future__ import annotations

import json
import shlex
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from demo.airflow import NotReady
from demo.processes import base_environment

if TYPE_CHECKING:
    from pathlib import Path

    from demo.processes import ProcessGroup

CONNECTION = "AIRFLOW_CONN_BATCHAD_DEFAULT"
CONNECTION_ID = "batchad_default"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """How far one Batch job is."""

    job_id: str
    tasks: int
    completed: int
    failed: int


class LocalAzureProcess:
    """``batchad local``, started with the files that Batch tasks download.

    :param folder: where it keeps its certificates, settings and log.
    :param files: what its storage service lets everyone read.
    """

    def __init__(self, *, folder: Path, files: Path, group: ProcessGroup) -> None:
        self.log = folder / "local-azure.log"
        self.settings: dict[str, str] = {}
        self._folder = folder
        self._files = files
        self._group = group
        self._session = requests.Session()
        self._session.trust_env = False

    def start(self, *, timeout_seconds: float = 60) -> None:
        """Start it and wait until every service answers.

        :raises ProcessDied: if it ends meanwhile.
        :raises NotReady: after ``timeout_seconds``.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        exports = self._folder / "environment.sh"
        self._group.start(
            "Local Azure",
            [
                *(sys.executable, "-m", "airflow_provider_batchad.local", "--port", "0"),
                *("--files", str(self._files), "--env-file", str(exports)),
                *("--state-dir", str(self._folder / "state")),
                *("--secrets-file", str(self._folder / "secrets.txt")),
            ],
            environment=base_environment(),
            log=self.log,
        )
        deadline = time.monotonic() + timeout_seconds
        while not exports.exists():
            self._group.check()
            if time.monotonic() > deadline:
                raise NotReady(f"Local Azure is not ready after {timeout_seconds:.0f} s: {self.log}.")
            time.sleep(0.1)
        words = shlex.split(exports.read_text(), comments=True)
        self.settings = dict(word.split("=", 1) for word in words if "=" in word)
        self._session.verify = self.settings["BATCHAD_LOCAL_CA_FILE"]

    @property
    def connection(self) -> dict[str, Any]:
        """The Airflow connection to it, as Airflow's API takes it; nothing in it is secret."""
        given: dict[str, Any] = json.loads(self.settings[CONNECTION])
        return {**given, "connection_id": CONNECTION_ID, "extra": json.dumps(given["extra"])}

    @property
    def environment(self) -> dict[str, str]:
        """What Airflow needs: its cloud and the machine's identity. The connection is not among it."""
        return {name: value for name, value in self.settings.items() if name != CONNECTION}

    @property
    def inputs_url(self) -> str:
        return self.settings["BATCHAD_LOCAL_STORAGE"]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many requests so far, by service and REST operation."""
        counts: dict[str, dict[str, int]] = self._ask("/ledger/counts")
        return counts

    def jobs(self) -> list[JobProgress]:
        """Every Batch job, oldest first."""
        return [
            JobProgress(
                job_id=job["job_id"], tasks=job["tasks"], completed=job["completed"], failed=job["failed"]
            )
            for job in self._ask("/batch/jobs")["jobs"]
        ]

    def _ask(self, path: str) -> Any:
        answer = self._session.get(self.settings["BATCHAD_LOCAL_CONTROL"] + path, timeout=30)
        answer.raise_for_status()
        return answer.json()


def requests_since(
    before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]
) -> dict[str, dict[str, int]]:
    """The difference of two counts, without what was not asked."""
    return {
        service: asked
        for service, counts in after.items()
        if (
            asked := {
                name: number - before.get(service, {}).get(name, 0)
                for name, number in counts.items()
                if number > before.get(service, {}).get(name, 0)
            }
        )
    }
