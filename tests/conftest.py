"""What every test starts from: a new Airflow home, and none of this machine's Azure or Airflow settings."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.canaries.plugin import Canaries
from tests.parity import PAGE, ParityCheck, read_claims
from tests.role_table import RoleTable
from tests.wire_table import WireTable

# A machine may export it; every process that a test starts would then compile its imports anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_FOREIGN = ("AIRFLOW", "AZURE_", "IDENTITY_", "MSI_")
for _name in [name for name in os.environ if name.startswith(_FOREIGN)]:
    del os.environ[_name]

# Before anything imports Airflow: it reads its home once, and writes a configuration file there.
_home = Path(tempfile.mkdtemp(prefix="airflow-home-"))
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = str(_home)
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(_home / "dags")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
# Ports are used again: a token that an earlier test left would be taken for this one's.
os.environ["AIRFLOW__BATCHAD__TOKEN_CACHE"] = "False"

_WHOLE_AIRFLOWS = ("tests/airflow/", "tests/web/", "tests/reliability/test_demo.py")


_MASKERS = (
    "airflow._shared.secrets_masker.secrets_masker",
    "airflow.sdk._shared.secrets_masker.secrets_masker",
)


@pytest.fixture(autouse=True)
def forgotten_secrets() -> Iterator[None]:
    """Airflow's maskers forget what a test had them hide.

    They compile all values into one pattern anew with each, and hold each line of a log against it: over the
    thousands of secrets of a whole session that would cost more than the tests.
    """
    yield
    for name in _MASKERS:
        module = sys.modules.get(name)
        if module is not None:
            module._secrets_masker().reset_masker()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep what starts a whole Airflow in one process, one after the other; the rest runs beside it.

    pytest-xdist's own groups have no effect with pytest 9.2, which keeps an item's id elsewhere.
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneAirflow(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "whole Airflows" if nodeid.startswith(_WHOLE_AIRFLOWS) else nodeid

    return OneAirflow(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Hold what the documents claim of local Azure against this session, and look for secrets in it."""
    config.pluginmanager.register(ParityCheck(read_claims(PAGE.read_text())))
    config.pluginmanager.register(Canaries(config, _home))
    config.pluginmanager.register(WireTable())
    config.pluginmanager.register(RoleTable())
