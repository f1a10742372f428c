"""What the Airflow configuration and this process say about signing in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from airflow_provider_batchad.airflow_options import SECTION
from airflow_provider_batchad.identity.surroundings import Surroundings

_TASK_RUNNER = "airflow.sdk.execution_time.task_runner"
# What Airflow gives to a task that `airflow dags test`, `airflow tasks test` or `dag.test()` runs.
_IN_PROCESS = "InProcess"
# Airflow sets it while a task runs, and whatever the task starts inherits it.
_TASKS_VARIABLE = "AIRFLOW_CTX_DAG_ID"


def find_surroundings() -> Surroundings:
    """The configuration's directory of federated tokens, and whether a person may sign in here.

    :raises ValueError: a path is not absolute, so that it would depend on where a process was started.
    """
    from airflow.providers.common.compat.sdk import conf

    allowed = conf.getboolean(SECTION, "integrated_unattended", fallback=False)
    return Surroundings(
        federated_dir=_directory("federated_dir"),
        login_dir=_directory("login_dir"),
        unattended=None if allowed else why_unattended(),
    )


def why_unattended() -> str | None:
    """Why no person is there to sign in; ``None`` in a script, a notebook, a command, or a test of a DAG.

    Airflow's workers and triggerer have a channel to a supervisor in another process, which the other places
    have not (``airflow.sdk.execution_time``).
    """
    comms = getattr(sys.modules.get(_TASK_RUNNER), "SUPERVISOR_COMMS", None)
    if comms is None and _TASKS_VARIABLE in os.environ:
        return "a process that an Airflow task started"
    if comms is None or type(comms).__name__.startswith(_IN_PROCESS):
        return None
    return "a process that Airflow runs by itself"


def _directory(option: str) -> Path | None:
    from airflow.providers.common.compat.sdk import conf

    text = (conf.get(SECTION, option, fallback="") or "").strip()
    path = Path(text).expanduser() if text else None
    if path is not None and not path.is_absolute():
        raise ValueError(f"[{SECTION}] {option} must be an absolute path")
    return path
