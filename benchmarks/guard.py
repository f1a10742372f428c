"""What the guard adds to a request: ``python -m benchmarks.guard [--json]``.

Measured is the policy alone, called as azure-core's pipeline calls it, for each operation of the service in
turn, with bodies of a job and of a hundred tasks where the operation has one; beside it the same loop with a
policy that does nothing.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import HttpRequest

from airflow_provider_batchad.access.actions import ACTIONS
from airflow_provider_batchad.access.declaration import Declaration, declared
from airflow_provider_batchad.access.guard import Guard
from airflow_provider_batchad.access.operations import OPERATIONS
from benchmarks.command_line import parser_of

ROUNDS = 200
REPEATS = 9
_JOB = json.dumps({"id": "j", "poolInfo": {"poolId": "cpu"}, "onAllTasksComplete": "noaction"}).encode()
_TASKS = json.dumps({"value": [{"id": f"t{n}", "commandLine": "x" * 900} for n in range(100)]}).encode()
_BODIES = {"Create Job": _JOB, "Update Job": _JOB, "Replace Job": _JOB, "Create Task Collection": _TASKS}


def _requests() -> list[Any]:
    return [
        SimpleNamespace(
            http_request=HttpRequest(
                one.method,
                f"https://a.r.batch.azure.com{one.path.replace('{}', 'some-name')}?api-version=2025-06-01",
                content=_BODIES.get(one.name),
            ),
            context=SimpleNamespace(options={}),
        )
        for one in OPERATIONS
    ]


def _seconds(policy: SansIOHTTPPolicy[Any, Any], requests: Sequence[Any]) -> float:
    gc.collect()
    start = time.perf_counter()
    for _ in range(ROUNDS):
        for request in requests:
            policy.on_request(request)
    return time.perf_counter() - start


def run() -> dict[str, float]:
    """The median of several repeats, the idle loop taken off."""
    requests = _requests()
    guard, idle = Guard(enforce=True), SansIOHTTPPolicy[Any, Any]()
    with declared(Declaration("benchmark", frozenset(ACTIONS))):
        costs = [_seconds(guard, requests) - _seconds(idle, requests) for _ in range(REPEATS)]
    return {"ns_per_request": round(statistics.median(costs) / (ROUNDS * len(requests)) * 1e9, 1)}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser_of(__doc__).parse_args(arguments)
    found = run()
    if options.json:
        print(json.dumps(found))
        return
    print(f"What the guard adds to a request: {found['ns_per_request'] / 1000:.2f} microseconds")


if __name__ == "__main__":
    main()
