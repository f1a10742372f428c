from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_batchad import identity

HEAVY = ("aiohttp", "airflow", "azure", "cryptography", "msal", "requests")


IDENTITY = Path(identity.__file__).parent
# Its classes derive from azure-core's; the hooks import it inside functions.
DERIVED = {"credential"}
MODULES = [
    "azure_connection",
    "clouds",
    "connection",
    "connection_form",
    *sorted(f"identity.{path.stem}" for path in IDENTITY.glob("[a-z]*.py") if path.stem not in DERIVED),
]


@pytest.mark.parametrize("module", MODULES)
def test_importing_it_loads_none_of_microsofts_clients_and_no_airflow(module):
    program = (
        f"import json, sys, airflow_provider_batchad.{module}\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert [name for name in json.loads(done.stdout) if name in HEAVY] == []
