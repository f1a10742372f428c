"""The processes of :mod:`benchmarks.submission`: each adds tasks to a job in one way, and says what it cost.

Imports, sign-in and one request come before the measurement, in each way: a worker pays for them once.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from airflow_provider_batchad.jobs.adding import AT_ONCE
from benchmarks.bare_client import BareClient

VERSION = "2025-06-01"
CHUNK = 100
INPUTS = "https://weather.blob.core.windows.net/inputs"
SCOPE = "https://batch.core.windows.net//.default"


class Meter:
    """CPU seconds of this process and seconds, from its making on."""

    def __init__(self) -> None:
        self.cpu, self.start = time.process_time(), time.perf_counter()

    def cost(self, **more: float) -> dict[str, float]:
        return {
            "cpu_seconds": round(time.process_time() - self.cpu, 3),
            "seconds": round(time.perf_counter() - self.start, 3),
            **more,
        }


def one_task(number: int) -> dict[str, Any]:
    """As an author writes it."""
    return {
        "id": f"station-{number}",
        "command_line": f"/bin/bash -c 'python3 summarise.py weather.csv {number} {{{{ ds }}}}'",
        "resource_files": [{"http_url": f"{INPUTS}/{number}.csv", "file_path": "weather.csv"}],
        "environment_settings": {"STATION": str(number), "DAY": "{{ ds }}"},
        "constraints": {"max_task_retry_count": 2},
    }


def one_body(number: int) -> dict[str, Any]:
    """The same, rendered, as the REST API has it."""
    return {
        "id": f"station-{number}",
        "commandLine": f"/bin/bash -c 'python3 summarise.py weather.csv {number} 2026-03-01'",
        "resourceFiles": [{"httpUrl": f"{INPUTS}/{number}.csv", "filePath": "weather.csv"}],
        "environmentSettings": [
            {"name": "STATION", "value": str(number)},
            {"name": "DAY", "value": "2026-03-01"},
        ],
        "constraints": {"maxTaskRetryCount": 2},
    }


def one_model(number: int) -> Any:
    """The same as azure-batch's model."""
    from azure.batch import models

    return models.BatchTaskCreateOptions(
        id=f"station-{number}",
        command_line=f"/bin/bash -c 'python3 summarise.py weather.csv {number} 2026-03-01'",
        resource_files=[
            models.ResourceFile(http_url=f"{INPUTS}/{number}.csv", file_path="weather.csv"),
        ],
        environment_settings=[
            models.EnvironmentSetting(name="STATION", value=str(number)),
            models.EnvironmentSetting(name="DAY", value="2026-03-01"),
        ],
        constraints=models.BatchTaskConstraints(max_task_retry_count=2),
    )


def chunks(count: int) -> Iterator[range]:
    return (range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))


def ours(count: int) -> dict[str, float]:
    """A list of templated dicts: rendered, checked, submitted and sealed."""
    return _run_operator([one_task(number) for number in range(count)])


def ours_from_function(count: int) -> dict[str, float]:
    """The same from a function that yields them."""

    def make(context: Any, **_: object) -> Iterator[dict[str, Any]]:
        for number in range(count):
            task = one_task(number)
            yield {**task, "command_line": task["command_line"].replace("{{ ds }}", context["ds"])}

    return _run_operator(make)


def _run_operator(tasks: Any) -> dict[str, float]:
    from airflow.sdk import DAG

    from airflow_provider_batchad.hooks import AzureBatchAdHook
    from airflow_provider_batchad.jobs import requests
    from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator
    from airflow_provider_batchad.operators.arguments import specification_of
    from airflow_provider_batchad.operators.attempt import plan_attempt, submit_attempt

    with DAG("benchmark"):
        operator = AzureBatchSubmitJobOperator(task_id="t", pool_id="cpu", tasks=tasks)
    started = datetime(2026, 3, 1, tzinfo=UTC)
    ti = SimpleNamespace(
        id=uuid.uuid4(),
        dag_id="benchmark",
        run_id=uuid.uuid4().hex,
        task_id="t",
        map_index=-1,
        max_tries=0,
        try_number=1,
        task=operator,
        xcom_push=lambda *_: None,
    )
    run = SimpleNamespace(
        start_date=started, logical_date=None, run_after=started - timedelta(seconds=1), clear_number=0
    )
    context: Any = {"ti": ti, "dag_run": run, "ds": "2026-03-01"}
    with AzureBatchAdHook(actions=("jobs/read", "jobs/write", "jobs/delete")) as hook:
        hook.send(requests.list_jobs(select="id", page_size=1))
        meter = Meter()
        operator.render_template_fields(context)
        render = round(time.process_time() - meter.cpu, 3)
        spec, plan = specification_of(operator), plan_attempt(operator, context)
        done = submit_attempt(operator, hook, spec, plan, context=context, pause=time.sleep)
        cost = meter.cost(render_cpu_seconds=render)
        hook.send(requests.delete_job(done.job_id))
    return cost


def _sdk_client() -> Any:
    from azure.batch import BatchClient
    from azure.identity import ClientSecretCredential

    ca_file = os.environ["BATCHAD_LOCAL_CA_FILE"]
    credential = ClientSecretCredential(
        os.environ["TENANT_ID"],
        os.environ["CLIENT_ID"],
        os.environ["CLIENT_SECRET"],
        authority=os.environ["AUTHORITY"],
        disable_instance_discovery=True,
        connection_verify=ca_file,
    )
    return BatchClient(os.environ["ACCOUNT_URL"], credential, connection_verify=ca_file)


def _with_job(add: Callable[[Any, str], dict[str, float]]) -> dict[str, float]:
    from azure.batch import models
    from azure.core.rest import HttpRequest

    with _sdk_client() as client:
        job_id = uuid.uuid4().hex
        pool = models.BatchPoolInfo(pool_id="cpu")
        client.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=pool))
        cost = add(client, job_id)
        client.send_request(HttpRequest("DELETE", f"/jobs/{job_id}", params={"api-version": VERSION}))
    return cost


def sdk(count: int) -> dict[str, float]:
    """azure-batch's models and ``create_tasks``, as many requests at once as ours."""

    def add(client: Any, job_id: str) -> dict[str, float]:
        meter = Meter()
        client.create_tasks(job_id, [one_model(number) for number in range(count)], max_concurrency=AT_ONCE)
        return meter.cost()

    return _with_job(add)


def send_request(count: int) -> dict[str, float]:
    """Ready dicts through azure-batch's ``send_request``, as many requests at once as ours."""
    from azure.core.rest import HttpRequest

    bodies = [one_body(number) for number in range(count)]

    def add(client: Any, job_id: str) -> dict[str, float]:
        def send(chunk: range) -> None:
            request = HttpRequest(
                "POST",
                f"/jobs/{job_id}/addtaskcollection",
                params={"api-version": VERSION},
                headers={"Content-Type": "application/json; odata=minimalmetadata"},
                json={"value": bodies[chunk.start : chunk.stop]},
            )
            answer = client.send_request(request)
            answer.raise_for_status()
            _check(answer.json())

        meter = Meter()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for _ in threads.map(send, chunks(count)):
                pass
        return meter.cost()

    return _with_job(add)


def floor(count: int) -> dict[str, float]:
    """Ready bytes through a bare client: what the requests cost at least."""
    bodies = [
        json.dumps({"value": [one_body(number) for number in chunk]}).encode() for chunk in chunks(count)
    ]

    def add(client: Any, job_id: str) -> dict[str, float]:
        token = client._config.credential.get_token(SCOPE).token  # noqa: SLF001 - the one that it signs in with
        path = f"/jobs/{job_id}/addtaskcollection?api-version={VERSION}"
        bare = BareClient(
            os.environ["ACCOUNT_URL"],
            ca_file=os.environ["BATCHAD_LOCAL_CA_FILE"],
            headers={"Authorization": f"Bearer {token}"},
        )
        with bare:
            meter = Meter()
            for body in bodies:
                _check(json.loads(bare.post(path, body)))
            return meter.cost()

    return _with_job(add)


def _check(answer: dict[str, Any]) -> None:
    if not all(result["status"] == "Success" for result in answer["value"]):
        raise SystemExit("a task was not added")


WAYS = {way.__name__: way for way in (ours, ours_from_function, sdk, send_request, floor)}


def main() -> None:
    # Airflow logs to standard output, which is for the answer here.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    cost = WAYS[sys.argv[1]](int(sys.argv[2]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({**cost, "rss_mb": round(peak, 1)}), file=answers, flush=True)


if __name__ == "__main__":
    main()
