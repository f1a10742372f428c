"""One real triggerer of Airflow with a database of its own, for :mod:`benchmarks.waiting`."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peer import ROOT
from demo.ports import free_port
from demo.processes import ProcessGroup, base_environment

ROWS = Path(__file__).with_name("waiting_rows.py")
PATIENCE_SECONDS = 300.0
CAPACITY = 2000


@dataclass(kw_only=True)
class Triggerer:
    """A running triggerer.

    :param notes: what its triggers note.
    """

    python: str
    environment: Mapping[str, str]
    notes: Path
    group: ProcessGroup
    _read: int = 0
    _noted: list[dict[str, Any]] = field(default_factory=list)

    def add(self, triggers: Sequence[Mapping[str, Any]]) -> None:
        """So many more tasks are deferred."""
        command = [self.python, str(ROWS), "add"]
        given = json.dumps(triggers).encode()
        subprocess.run(
            command, input=given, env=dict(self.environment), check=True, stdout=subprocess.DEVNULL
        )

    def noted(self) -> list[dict[str, Any]]:
        """All that was noted so far."""
        if self.notes.exists():
            with self.notes.open() as notes:
                notes.seek(self._read)
                for line in iter(notes.readline, ""):
                    # The last one may be half written.
                    if not line.endswith("\n"):
                        break
                    self._read += len(line)
                    self._noted.append(json.loads(line))
        return self._noted

    def wait_until(self, what: str, true: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Look twice a second.

        :raises ProcessDied: the triggerer has ended.
        :raises TimeoutError: it does not come true.
        """
        deadline = time.monotonic() + seconds
        while not true():
            self.group.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"In {seconds:.0f} s it has not come true that {what}.")
            time.sleep(0.5)


@contextmanager
def running(python: str, environment: Mapping[str, str]) -> Iterator[Triggerer]:
    """From an empty database to the end of the triggerer.

    :param python: of the environment that it runs in.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        variables = {
            **base_environment(),
            "AIRFLOW_HOME": folder,
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__BATCHAD__TOKEN_CACHE_DIR": str(home / "tokens"),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__TRIGGERER__CAPACITY": str(CAPACITY),
            "PYTHONPATH": str(ROOT),
            "WAITING_NOTES": str(home / "notes"),
            **environment,
        }
        subprocess.run([python, str(ROWS), "prepare"], env=variables, check=True, stdout=subprocess.DEVNULL)
        with ProcessGroup(grace_seconds=0) as group:
            log = home / "triggerer.log"
            group.start(
                "the triggerer", [python, "-m", "airflow", "triggerer"], environment=variables, log=log
            )
            triggerer = Triggerer(python=python, environment=variables, notes=home / "notes", group=group)
            triggerer.wait_until("it runs", lambda: bool(triggerer.noted()))
            yield triggerer
