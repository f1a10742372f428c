"""A whole Airflow whose parts can be frozen, ended and begun again, with short patience for silent ones."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from airflow_provider_batchad.local.config import (
    AIRFLOW_APPLICATION,
    DEFAULT_ASSIGNMENTS,
    ApplicationConfig,
    AssignmentConfig,
    LocalAzureConfig,
    PoolConfig,
)
from airflow_provider_batchad.local.server import LocalAzure
from demo.ports import free_port
from tests.airflow.conftest import Deployment, connection_of, running_airflow

HEARTBEAT_TIMEOUT_SECONDS = 40
QUEUED_TIMEOUT_SECONDS = 60
TRIGGERER_SILENCE_SECONDS = 20
IMPATIENT = {
    "AIRFLOW__BATCHAD__DEPLOYMENT": "nightly",
    "AIRFLOW__CORE__DEFAULT_POOL_TASK_SLOT_COUNT": "6",
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT_SECONDS),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": str(QUEUED_TIMEOUT_SECONDS),
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(TRIGGERER_SILENCE_SECONDS),
}


@dataclass(frozen=True, kw_only=True)
class Parts(Deployment):
    """A deployment, and hands on its processes."""

    replaced: dict[str, psutil.Process] = field(default_factory=dict)

    def process(self, name: str) -> psutil.Process:
        """The main process of ``scheduler``, ``triggerer``, ``api-server`` or ``dag-processor``."""
        if name in self.replaced:
            return self.replaced[name]
        return self.airflow._components[name]

    def start(self, name: str) -> psutil.Process:
        """One more of that part."""
        port = "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT"
        if name == "scheduler":
            port = "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"
        return self.airflow._group.start(
            f"another {name}",
            [sys.executable, "-m", "airflow", name],
            environment={**self.airflow.environment, port: str(free_port())},
            log=self.airflow.settings.home / f"{name}.log",
        )

    def replace(self, name: str, ending: signal.Signals = signal.SIGKILL) -> None:
        """End that part with all that it runs, and start another."""
        end(self.process(name), ending)
        self.replaced[name] = self.start(name)


def tree(process: psutil.Process) -> list[psutil.Process]:
    """The process and all below it."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def send(number: signal.Signals, *processes: psutil.Process) -> None:
    """Send it to these, as far as they are there."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def signal_all(process: psutil.Process, number: signal.Signals) -> None:
    """Send it to the process and to all below it."""
    send(number, *tree(process))


def end(process: psutil.Process, ending: signal.Signals, seconds: float = 60) -> None:
    """End the process: at once with all below it, or as it does it itself."""
    members = tree(process)
    if ending == signal.SIGKILL:
        signal_all(process, ending)
    else:
        process.send_signal(ending)
    _, alive = psutil.wait_procs(members, timeout=seconds)
    for one in alive:
        with suppress(psutil.NoSuchProcess):
            one.kill()


@contextmanager
def running(home: Path, *, applications: int = 0, parallelism: int = 32) -> Iterator[Parts]:
    """Local Azure and Airflow.

    :param applications: so many connections ``case_<n>``, each of an application of its own.
    """
    cases = [
        ApplicationConfig(name=f"case-{number}", vault_secret_name=f"secret-{number}")
        for number in range(applications)
    ]
    config = LocalAzureConfig(
        port=0,
        applications=(AIRFLOW_APPLICATION, *cases),
        assignments=(
            *DEFAULT_ASSIGNMENTS,
            *(
                AssignmentConfig(principal=case.name, role="Azure Batch Job Submitter", resource="batch")
                for case in cases
            ),
        ),
        pools=(PoolConfig(id="cpu", nodes=2, slots=256),),
        secrets_file=home / "secrets",
    )
    with LocalAzure(config) as azure:
        connections = {
            f"AIRFLOW_CONN_CASE_{number}": json.dumps(connection_of(azure, case))
            for number, case in enumerate(cases)
        }
        with running_airflow(
            home / "airflow", azure, more={**IMPATIENT, **connections}, parallelism=parallelism
        ) as airflow:
            yield Parts(airflow=airflow, azure=azure, secrets_file=home / "secrets")
