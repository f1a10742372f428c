"""What it costs to add tasks to a job: ``python -m benchmarks.submission [--json]``.

Ours goes from the operator's arguments to the last answer: templates rendered, everything checked, the job
looked for, created, filled and sealed. Beside it, on the same local Azure: azure-batch's models and
``create_tasks``, and ready dicts through azure-batch's ``send_request``, both with as many connections as
ours; and ready bytes through a bare client on one.
Each is a process of its own; its CPU seconds are the client's alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig
from airflow_provider_batchad.local.server import LocalAzure
from benchmarks.command_line import parser_of
from benchmarks.submission_client import WAYS

NUMBERS = (1_000, 10_000, 100_000)
OPERATION = "Create Task Collection"


def run(numbers: Sequence[int] = NUMBERS) -> dict[str, dict[str, dict[str, float]]]:
    """Measure every way with every number of tasks.

    :param numbers: of tasks.
    """
    # Nothing runs: the account's nodes would share the machine's cores.
    config = LocalAzureConfig(port=0, pools=(PoolConfig(id="cpu", nodes=0),))
    with tempfile.TemporaryDirectory() as home, LocalAzure(config) as azure:
        environment = _environment(azure, home)
        return {
            str(number): {way: _measure(azure, environment, way, number) for way in WAYS}
            for number in numbers
        }


def _environment(azure: LocalAzure, home: str) -> dict[str, str]:
    application = azure.config.applications[0]
    registered = azure.directory.application(application.client_id)
    if registered is None:
        raise SystemExit("local Azure has lost its application.")
    return {
        **client_environment(azure),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "AIRFLOW_HOME": home,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__BATCHAD__TOKEN_CACHE": "False",
        "TENANT_ID": application.tenant_id or azure.config.tenant.id,
        "CLIENT_ID": application.client_id,
        "CLIENT_SECRET": registered.secrets[0].value,
        "AUTHORITY": azure.endpoints.entra,
        "ACCOUNT_URL": azure.endpoints.batch,
    }


def _measure(azure: LocalAzure, environment: dict[str, str], way: str, number: int) -> dict[str, float]:
    before = azure.ledger.counts().get("batch", {}).get(OPERATION, 0)
    command = [sys.executable, "-m", "benchmarks.submission_client", way, str(number)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way} with {number} tasks failed; why stands above.")
    cost: dict[str, Any] = json.loads(done.stdout)
    return {"requests": azure.ledger.counts()["batch"][OPERATION] - before, **cost}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--tasks", type=int, nargs="+", default=NUMBERS, help="numbers of tasks")
    options = parser.parse_args(arguments)
    result = run(options.tasks)
    if options.json:
        print(json.dumps(result))
        return
    print("What it costs to add tasks to a job; requests are those that add tasks\n")
    print(f"{'tasks':>8}  {'':20}{'requests':>9}{'CPU s':>9}{'rendering':>11}{'seconds':>9}{'MB':>8}")
    for number, ways in result.items():
        for way, cost in ways.items():
            rendering = f"{cost['render_cpu_seconds']:11.3f}" if "render_cpu_seconds" in cost else f"{'':11}"
            print(
                f"{number:>8}  {way:20}{cost['requests']:9}{cost['cpu_seconds']:9.3f}{rendering}"
                f"{cost['seconds']:9.2f}{cost['rss_mb']:8.1f}"
            )


if __name__ == "__main__":
    main()
