"""What runs in the triggerer of :mod:`benchmarks.waiting`: the triggers, and one that measures the process.

Each notes when it begins and when it fires, a line of JSON in the file that ``WAITING_NOTES`` names.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import resource
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

TICK_SECONDS = 0.05
MODULES = {
    "ours": "airflow_provider_batchad.triggers.job",
    "peer": "airflow.providers.microsoft.azure.triggers.batch",
}
CLASSES = {"ours": "AzureBatchJobTrigger", "peer": "AzureBatchTrigger"}
STATM = Path("/proc/self/statm")
PAGE_BYTES = resource.getpagesize()


def note(**what: object) -> None:
    with Path(os.environ["WAITING_NOTES"]).open("a") as notes:
        notes.write(json.dumps(what) + "\n")


class NotingTrigger(BaseTrigger):
    """Any other trigger that waits for a job, noted.

    :param kind: whose; ``idle`` waits for nothing, as a trigger without any cost would.
    :param arguments: the trigger's own.
    """

    def __init__(self, kind: str, job_id: str, arguments: dict[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's
        self.kind = kind
        self.job_id = job_id
        self.arguments = arguments
        self.waits = (
            getattr(importlib.import_module(MODULES[kind]), CLASSES[kind])(**arguments)
            if kind in MODULES
            else None
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = {"kind": self.kind, "job_id": self.job_id, "arguments": self.arguments}
        return "benchmarks.waiting_triggers.NotingTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        note(began=self.job_id)
        if self.waits is None:
            await asyncio.Event().wait()
            return
        async for event in self.waits.run():
            note(fired=self.job_id, at=time.time(), status=event.payload["status"])
            yield event


class MeasuringTrigger(BaseTrigger):
    """Notes, once a second: CPU seconds and memory of the process, and how late the loop was at each tick."""

    over = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "benchmarks.waiting_triggers.MeasuringTrigger", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while not self.over:
            late = []
            for _ in range(round(1 / TICK_SECONDS)):
                due = time.perf_counter() + TICK_SECONDS
                await asyncio.sleep(TICK_SECONDS)
                late.append(round(1000 * (time.perf_counter() - due), 2))
            rss_mb = int(STATM.read_text().split()[1]) * PAGE_BYTES / 1e6  # noqa: ASYNC240 - it never blocks
            note(at=time.time(), pid=os.getpid(), cpu=time.process_time(), rss_mb=rss_mb, late_ms=late)
        yield TriggerEvent(None)  # type: ignore[no-untyped-call]  # Airflow's
