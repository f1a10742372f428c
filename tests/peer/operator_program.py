"""Airflow's own Azure Batch operator, in the environment of its provider: does one thing, and tells of it.

Run as ``operator_program.py <what> <arguments as JSON>``. Nothing of the provider is changed: it is called as
Airflow's worker and triggerer call it, and everything that it says goes to stderr.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.providers.microsoft.azure.get_provider_info import get_provider_info
from airflow.providers.microsoft.azure.hooks.batch import AzureBatchHook
from airflow.providers.microsoft.azure.operators.batch import AzureBatchOperator
from airflow.providers.microsoft.azure.triggers.batch import AzureBatchTrigger
from azure.batch import models

FOREVER = 4e9
STARVED_AFTER_SECONDS = 3.0


def operator_of(told: dict[str, Any]) -> AzureBatchOperator:
    given = dict(told)
    if "batch_task_resource_files" in given:
        given["batch_task_resource_files"] = [
            models.ResourceFile(**one) for one in given["batch_task_resource_files"]
        ]
    return AzureBatchOperator(**given)


async def first_event(trigger: Any) -> dict[str, Any]:
    """What the trigger fires with."""
    async for event in trigger.run():
        return dict(event.payload)
    raise RuntimeError("the trigger ended without an event")


def run(given: dict[str, Any]) -> dict[str, Any]:
    """Execute, wait for the trigger where it defers, resume."""
    operator = operator_of(given)
    try:
        returned: Any = operator.execute({})
    except TaskDeferred as deferred:
        event = asyncio.run(first_event(deferred.trigger))
        print(f"the trigger fired: {event}", file=sys.stderr)
        # Another process resumes, with an operator of its own.
        returned = operator_of(given).execute_complete({}, event)
    return {"returned": returned}


def defer(given: dict[str, Any]) -> dict[str, Any]:
    """Execute up to the deferral."""
    try:
        operator_of(given).execute({})
    except TaskDeferred as deferred:
        return {"deferred": deferred.trigger.serialize()[1]}
    return {}


def kill_operator(given: dict[str, Any]) -> dict[str, Any]:
    """What a worker's signal handler calls once the task is submitted."""
    operator = operator_of(given)
    try:
        operator.execute({})
    except TaskDeferred:
        operator.on_kill()
    return {}


def kill_trigger(given: dict[str, Any]) -> dict[str, Any]:
    """What a triggerer does for a person: it cancels the trigger, and calls its ``on_kill``."""
    try:
        operator_of(given).execute({})
    except TaskDeferred as deferred:
        asyncio.run(_cancelled(deferred.trigger))
    return {}


async def _cancelled(trigger: Any) -> None:
    waiting = asyncio.ensure_future(first_event(trigger))
    await asyncio.sleep(1)
    waiting.cancel()
    await trigger.on_kill()


def wait(given: dict[str, Any]) -> dict[str, Any]:
    """As many triggers in one triggerer as there are jobs; whether its threads still do anything else."""
    return asyncio.run(_wait(given["job_ids"], given["poll_interval"]))


async def _wait(job_ids: list[str], poll_interval: float) -> dict[str, Any]:
    triggers = [
        AzureBatchTrigger(job_id, "azure_batch_default", FOREVER, poll_interval) for job_id in job_ids
    ]
    waiting = [asyncio.ensure_future(first_event(trigger)) for trigger in triggers]
    await asyncio.sleep(STARVED_AFTER_SECONDS)
    other = asyncio.ensure_future(asyncio.to_thread(int))
    done, _ = await asyncio.wait([other], timeout=STARVED_AFTER_SECONDS)
    print("looked", file=sys.stderr, flush=True)
    return {"starved": not done, "events": [event["status"] for event in await asyncio.gather(*waiting)]}


def connection(_: dict[str, Any]) -> dict[str, Any]:
    """What the form of a connection has, and what its test says."""
    works, sentence = AzureBatchHook().test_connection()
    own = next(
        one for one in get_provider_info()["connection-types"] if one["connection-type"] == "azure_batch"
    )
    return {
        "works": works,
        "sentence": sentence,
        "hidden": AzureBatchHook.get_ui_field_behaviour()["hidden_fields"],
        "fields": sorted(own.get("conn-fields", {})),
        "template_fields": list(AzureBatchOperator.template_fields),
        "links": [type(link).__name__ for link in AzureBatchOperator.operator_extra_links],
    }


DOINGS = {doing.__name__: doing for doing in (run, defer, kill_operator, kill_trigger, wait, connection)}


def main() -> None:
    """Print one JSON object."""
    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger("azure").setLevel(logging.WARNING)
    for name in ("", "airflow.task"):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
    seen: dict[str, Any] = {"error": None}
    try:
        seen |= DOINGS[sys.argv[1]](json.loads(sys.argv[2]))
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is to be seen
        seen |= {"error": type(error).__name__, "sentence": str(error)}
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main()
