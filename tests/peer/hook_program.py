"""What Airflow's own Azure Batch hook does in the environment of its provider; prints what it saw."""

from __future__ import annotations

import json
import sys
import time

from airflow.providers.microsoft.azure.hooks.batch import AzureBatchHook
from azure.core.exceptions import HttpResponseError


def run_job(hook: AzureBatchHook, job_id: str) -> dict[str, object]:
    """A job of two tasks, each of them created twice, as a retry of its operator would."""
    job = hook.configure_job(job_id=job_id, pool_id="cpu", display_name="Airflow's own")
    tasks = [
        hook.configure_task(task_id="good", command_line="/bin/sh -c 'echo from the hook'"),
        hook.configure_task(task_id="bad", command_line="/bin/sh -c 'exit 3'"),
    ]
    for _ in range(2):
        hook.create_job(job)
        for task in tasks:
            hook.add_single_task_to_job(job_id, task)
    deadline = time.monotonic() + 30
    while any(task.state != "completed" for task in hook.connection.list_tasks(job_id)):
        if time.monotonic() > deadline:
            raise TimeoutError("the tasks did not complete")
        time.sleep(0.05)
    failed = hook.wait_for_job_tasks_to_complete(job_id, timeout=1)
    output = b"".join(hook.connection.download_task_file(job_id, "good", "stdout.txt")).decode()
    hook.connection.begin_delete_job(job_id).wait()
    return {"failed": [task.id for task in failed], "output": output}


def main() -> None:
    """Print one JSON object."""
    hook = AzureBatchHook()
    works, sentence = hook.test_connection()
    seen: dict[str, object] = {"works": works, "sentence": sentence}
    if works:
        try:
            seen |= run_job(hook, sys.argv[1])
        except HttpResponseError as error:
            seen["refused"] = error.status_code
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
