"""A whole Airflow, as ``airflow standalone`` runs it, in a folder of its own."""

from __future__ import annotations

import base64
import json
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from demo.airflow_api import AirflowApi
from demo.ports import free_port
from demo.processes import base_environment

if TYPE_CHECKING:
    from demo.processes import ProcessGroup

COMPONENTS = ("scheduler", "dag-processor", "api-server", "triggerer")
USERNAME = "admin"


class NotReady(RuntimeError):
    """Something did not happen in the time that it may take."""


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowSettings:
    """What one Airflow is started with.

    :param home: its AIRFLOW_HOME: database, logs, the generated password. Made if it is not there.
    :param dags_folder: where its DAG files are.
    :param port: of its web server; a free one by default.
    :param environment: more variables for its processes, such as those that local Azure prints.
    :param paused: whether a DAG waits for a person (or the API) to unpause it, as Airflow has it by default.
    :param fernet_key: what it encrypts connections and trigger arguments with; a new one by default.
    """

    home: Path
    dags_folder: Path
    port: int = field(default_factory=free_port)
    environment: Mapping[str, str] = field(default_factory=dict)
    paused: bool = True
    parallelism: int = 4
    fernet_key: str = field(default_factory=_fernet_key, repr=False)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)

    @property
    def base_url(self) -> str:
        return f"http://localhost:{self.port}"

    def to_environment(self) -> dict[str, str]:
        """All variables of this Airflow's processes, and of an ``airflow …`` command beside them."""
        return {
            **base_environment(),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__API__BASE_URL": self.base_url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
            "AIRFLOW__API__WORKERS": "1",
            # Nothing is left outside of the folder.
            "AIRFLOW__BATCHAD__TOKEN_CACHE_DIR": str(self.home / "tokens"),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": str(self.paused),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.base_url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": self.fernet_key,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": str(self.parallelism),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USERNAME}:admin",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            **self.environment,
        }


class Standalone:
    """One Airflow: its processes belong to ``group``, which watches and ends them.

    :param settings: what to start it with.
    :param group: the processes that live and die together.
    """

    def __init__(self, settings: AirflowSettings, *, group: ProcessGroup) -> None:
        self.settings = settings
        self.environment = settings.to_environment()
        self.log = settings.home / "standalone.log"
        self.api = AirflowApi(base_url=settings.base_url, username=USERNAME, password=settings.password)
        self._group = group
        self._process: psutil.Process | None = None
        self._components: dict[str, psutil.Process] = {}

    def start(self) -> None:
        """Start it; returns at once."""
        home = self.settings.home
        home.mkdir(parents=True, exist_ok=True)
        passwords = home / "simple_auth_manager_passwords.json.generated"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({USERNAME: self.settings.password}) + "\n")
        self._process = self._group.start(
            "Airflow (standalone)",
            [sys.executable, "-m", "airflow", "standalone"],
            environment=self.environment,
            log=self.log,
        )

    def wait_until_ready(
        self,
        *,
        timeout_seconds: float = 240,
        on_progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Wait for the web server and a heartbeat of scheduler, DAG processor and triggerer.

        :param on_progress: called with the name of each part as it comes up.
        :raises ProcessDied: if one of them ends meanwhile.
        :raises NotReady: if it takes longer than ``timeout_seconds``.
        """
        up: set[str] = set()
        deadline = time.monotonic() + timeout_seconds
        while not self._is_complete(up):
            if time.monotonic() > deadline:
                missing = sorted({"metadatabase", "scheduler", "dag_processor", "triggerer"} - up)
                raise NotReady(
                    f"After {timeout_seconds:.0f} s Airflow still waits for {', '.join(missing)}; "
                    f"its output is in {self.log}."
                )
            if self._watch_components() and "database" not in up:
                up.add("database")
                on_progress("database")
            self._group.check()
            for part, state in self.api.health().items():
                if state == "healthy" and part not in up:
                    up.add(part)
                    on_progress("web server" if part == "metadatabase" else part.replace("_", " "))
            time.sleep(0.25)

    def _is_complete(self, up: set[str]) -> bool:
        healthy = up >= {"metadatabase", "scheduler", "dag_processor", "triggerer"}
        return healthy and len(self._components) == len(COMPONENTS)

    def _watch_components(self) -> bool:
        """Find the four that ``standalone`` starts once its database is there; whether there is one yet.

        It does not notice itself when one of them ends.
        """
        if self._process is None or len(self._components) == len(COMPONENTS):
            return True
        for name, process in find_components(self._process).items():
            if name not in self._components:
                self._components[name] = process
                self._group.watch(f"Airflow's {name}", process, log=self.log)
        return bool(self._components)


def find_components(standalone: psutil.Process) -> dict[str, psutil.Process]:
    """The processes of ``COMPONENTS`` that this ``airflow standalone`` has started so far."""
    found = {}
    with suppress(psutil.Error):
        for child in standalone.children():
            # Airflow sets its processes' titles: "airflow api-server" becomes "airflow api_server -- …".
            words = " ".join(child.cmdline()).replace("_", "-").split()
            found.update({name: child for name in COMPONENTS if name in words})
    return found
