from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {"aiohttp", "azure", "cryptography", "msal", "requests"}
# What every DAG file has loaded before it comes to a provider.
AIRFLOW = ("airflow.sdk", "airflow.triggers.base")
PROBE = """
import importlib, json, sys
first, then = json.loads(sys.argv[1])
for name in first:
    importlib.import_module(name)
before = set(sys.modules)
for name in then:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def modules_added(*then: str, after: tuple[str, ...] = ()) -> set[str]:
    names = [[*after], [*then]]
    answer = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(names)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return set(json.loads(answer.stdout.splitlines()[-1]))


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_what_a_dag_imports_loads_nothing_heavy() -> None:
    ours = {f"airflow_provider_batchad.{name}" for name in ("hooks", "links", "operators", "triggers")}
    added = modules_added(*ours, after=AIRFLOW)
    assert ours <= added
    assert packages(added) & HEAVY == set()


def test_the_operator_alone_loads_no_job_model_and_no_identity() -> None:
    added = modules_added("airflow_provider_batchad.operators", after=AIRFLOW)
    assert added.isdisjoint({"airflow_provider_batchad.jobs.spec", "airflow_provider_batchad.identity"})


def test_what_every_airflow_command_imports_loads_neither_airflow_nor_anything_heavy() -> None:
    added = modules_added("airflow_provider_batchad.provider", "airflow_provider_batchad.cli")
    assert packages(added) & {*HEAVY, "airflow"} == set()
