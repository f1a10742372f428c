from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "airflow", "azure", "cryptography", "msal", "requests")


@pytest.mark.parametrize(
    "module",
    [
        "clouds",
        "connection",
        "connection_form",
        "identity.entra",
        "identity.managed_identity",
        "identity.principal",
        "identity.sign_in",
        "identity.tokens",
        "identity.vault",
        "identity.vault_credential",
    ],
)
def test_importing_it_loads_none_of_microsofts_clients_and_no_airflow(module):
    program = (
        f"import json, sys, airflow_provider_batchad.{module}\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert [name for name in json.loads(done.stdout) if name in HEAVY] == []
