"""The processes of :mod:`benchmarks.sign_in`.

They start as Airflow starts those of task instances, by forking a process that has loaded ``airflow.sdk`` and
no provider. This runs in the peer's environment as well.

Standard input says ``one`` (start a process by itself; its id is printed) and ``all`` (start the others, so
many at a time, and print how many failed).
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Callable

import airflow.sdk  # noqa: F401 - what every task's process has from the one that it was forked from


def ours() -> None:
    from airflow_provider_batchad.hooks import AzureBatchAdHook
    from airflow_provider_batchad.jobs import requests

    with AzureBatchAdHook() as hook:
        hook.send(requests.list_jobs(select="id", page_size=1))


def peer() -> None:
    hooks = importlib.import_module("airflow.providers.microsoft.azure.hooks.batch")
    list(hooks.AzureBatchHook().connection.list_jobs(select=["id"]))


def start(task: Callable[[], None]) -> int:
    """Fork; the child does the task and ends."""
    pid = os.fork()
    if pid:
        return pid
    try:
        task()
    except BaseException:  # noqa: BLE001 - whatever it is, this child ends here
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def run_all(task: Callable[[], None], count: int, at_once: int, alone: int) -> int:
    """Run ``count`` of them, ``at_once`` at a time; how many failed, the one called ``alone`` apart."""
    left, running, failed = count, 0, 0
    while left or running:
        while left and running < at_once:
            start(task)
            left, running = left - 1, running + 1
        pid, status = os.wait()
        if pid != alone:
            running -= 1
            failed += status != 0
    return failed


def main() -> None:
    task = {"ours": ours, "peer": peer}[sys.argv[1]]
    count, at_once = int(sys.argv[2]), int(sys.argv[3])
    # Airflow logs to standard output, which is for the answers here.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    alone = 0
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        if line.strip() == "one":
            alone = start(task)
            print(alone, file=answers, flush=True)
        else:
            print(run_all(task, count, at_once, alone), file=answers, flush=True)


if __name__ == "__main__":
    main()
