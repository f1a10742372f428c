"""The environment of the peer, Airflow's own Azure provider as ``peer.txt`` pins it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv-peer"


def peer_python() -> Path:
    """Its interpreter; the environment is built if it is not there or no longer what ``peer.txt`` says.

    :raises subprocess.CalledProcessError: if it cannot be built, which has then been said.
    """
    version = ".".join(map(str, sys.version_info[:2]))
    # The interpreter below this environment: one that is made from an environment's would hang on it.
    base = Path(sys.base_prefix) / "bin" / f"python{version}"
    subprocess.run(
        ["make", "--silent", "--directory", str(ROOT), f"PYTHON={base}", ENVIRONMENT.name],
        check=True,
        stdout=sys.stderr,
    )
    return ENVIRONMENT / "bin" / "python"
