"""What the machine and the Airflow configuration say about signing in; the connection cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where this process may look, and whether somebody is there who signs in.

    :param federated_dir: the directory that a connection's ``federated_file`` lies below; none by default.
    :param login_dir: where ``batchad login`` keeps what it got; the user's own directory by default.
    :param unattended: why nobody is there, as "a task that Airflow runs by itself"; ``None`` where somebody
        is, such as at ``airflow dags test``, in a script or a notebook.
    """

    federated_dir: Path | None = None
    login_dir: Path | None = None
    unattended: str | None = None
