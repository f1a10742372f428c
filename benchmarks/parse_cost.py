"""What a DAG file pays for importing the operator: ``python -m benchmarks.parse_cost [--json]``.

Airflow imports every DAG file again and again. Measured is what the import adds once
``from airflow.sdk import DAG, task`` and ``airflow.triggers.base`` are there, in a process of its own each
time, ours and the peer's in turn.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.command_line import parser_of
from benchmarks.peer import peer_python

OURS = "airflow_provider_batchad.operators:AzureBatchSubmitJobOperator"
PEER = "airflow.providers.microsoft.azure.operators.batch:AzureBatchOperator"
HEAVY = ("aiohttp", "azure", "cryptography", "msal")
RUNS = 9

# Runs in the measured process. A full collection takes 75 ms there, and would fall in or out of the
# measured part by luck; without bytecode the compiler would be measured.
PROBE = """
import gc, importlib, importlib.util, json, os, sys, time
import psutil
from airflow.sdk import DAG, task
import airflow.triggers.base

module, _, name = sys.argv[1].partition(":")
before = set(sys.modules)
gc.collect()
memory = psutil.Process().memory_info().rss
start = time.perf_counter()
getattr(importlib.import_module(module), name)
seconds = time.perf_counter() - start
memory = psutil.Process().memory_info().rss - memory
added = set(sys.modules) - before
sources = [getattr(sys.modules[key], "__file__", None) or "" for key in added]
compiled = [importlib.util.cache_from_source(source) for source in sources if source.endswith(".py")]
print(json.dumps({
    "ms": seconds * 1000,
    "mb": memory / 1e6,
    "added": sorted(added),
    "without_bytecode": [path for path in compiled if not os.path.exists(path)],
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Medians of several runs: milliseconds and megabytes (1e6 bytes of resident memory)."""

    ms: float
    mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseCost:
    """The object that ``--json`` prints."""

    ours: Cost
    peer: Cost
    heavy_modules: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    ms: float
    mb: float
    added: list[str]
    without_bytecode: list[str]


def measure(python: Path, target: str) -> Sample:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    answer = subprocess.run(
        [str(python), "-c", PROBE, target], env=environment, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise SystemExit(f"Importing {target} with {python} failed:\n{answer.stderr}")
    return Sample(**json.loads(answer.stdout.splitlines()[-1]))


def median(samples: Sequence[Sample]) -> Cost:
    """The cost, once every run has had its bytecode."""
    missing = sorted({path for sample in samples for path in sample.without_bytecode})
    if missing:
        raise SystemExit(
            f"No bytecode is kept for {missing[0]} and {len(missing) - 1} more: nothing to compare."
        )
    return Cost(
        ms=round(statistics.median(sample.ms for sample in samples), 2),
        mb=round(statistics.median(sample.mb for sample in samples), 3),
    )


def run(runs: int = RUNS) -> ParseCost:
    """Measure both in turn.

    :param runs: of each.
    """
    pythons = {OURS: Path(sys.executable), PEER: peer_python()}
    samples: dict[str, list[Sample]] = {OURS: [], PEER: []}
    for target, python in pythons.items():
        measure(python, target)  # leaves the bytecode
    for _ in range(runs):
        for target, python in pythons.items():
            samples[target].append(measure(python, target))
    added = {name for sample in samples[OURS] for name in sample.added}
    return ParseCost(
        ours=median(samples[OURS]),
        peer=median(samples[PEER]),
        heavy_modules=sorted(name for name in added if name.split(".")[0] in HEAVY),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"of each of the two (default {RUNS})")
    options = parser.parse_args(arguments)
    result = run(options.runs)
    if options.json:
        print(json.dumps(asdict(result)))
        return
    print("What the import of an operator adds to a DAG file\n")
    print(f"{'':28}{'ms':>8}{'MB':>8}")
    for label, cost in (
        ("AzureBatchSubmitJobOperator", result.ours),
        ("AzureBatchOperator (peer)", result.peer),
    ):
        print(f"{label:28}{cost.ms:8.1f}{cost.mb:8.2f}")
    print(f"heavy modules loaded: {', '.join(result.heavy_modules) or 'none'}")


if __name__ == "__main__":
    main()
