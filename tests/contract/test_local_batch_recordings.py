"""Local Batch held against what the real service answered, in the same state and with other ids."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from tests.contract.batch_fixtures import Batch, eventually

RECORDED: dict[str, dict[str, Any]] = {
    entry["name"]: entry
    for entry in json.loads(Path(__file__).with_name("recordings").joinpath("batch.json").read_text())
}
Stage = Callable[[Batch, str], tuple[str, object]]

# Of the connection, or of the request that was recorded with it.
OTHER_HEADERS = {"date", "connection", "client-request-id"}
# HTTP forbids these two with 204, and the server leaves the second out of an answer to HEAD.
LENGTHS = {"content-length", "transfer-encoding"}
FORMATS = (
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,6}[1-9])?Z"),
    re.compile(r"0x[0-9A-F]{15}"),
    re.compile(r"P(\d+D)?(T(\d+H)?(\d+M)?([\d.]+S)?)?"),
    re.compile(r"https://[^ ]*"),
    re.compile(r"TVM:tvmps_[0-9a-f]{64}_[dp]"),
    re.compile(r"tvmps_[0-9a-f]{64}_[dp]"),
)
# Values that are the service's own words, not the request's.
WORDS = {"state", "previousState", "code", "category", "result", "lang", "allocationState", "schedulingState"}
WORDS |= {"key", "onAllTasksComplete", "onTaskFailure", "status", "name", "isDirectory", "nodeFillType"}
# Recorded with Windows pools, start tasks, certificates and network settings, which no pool here has.
OF_OTHER_POOLS = {
    "startTask",
    "startTaskInfo",
    "certificateReferences",
    "userAccounts",
    "networkConfiguration",
    "cloudServiceConfiguration",
    "metadata",
}
# Dropped or renamed since the recording, and what came in their place or was added.
DROPPED = {"maxTasksPerNode"}
NEWER = {
    "maxParallelTasks",
    "allowTaskPreemption",
    "requiredSlots",
    "taskSlotsPerNode",
    "runningTaskSlotsCount",
    "virtualMachineInfo",
    "virtualMachineConfiguration",
    "deallocated",
    "deallocating",
    "upgradingOS",
    "fileMode",
    "publicFQDN",
    "endpointConfiguration",
}


def job(batch: Batch, _: str) -> tuple[str, object]:
    return f"/jobs/{batch.create_job(pool='empty', priority=500)}", None


def with_waiting_task(batch: Batch, body: object = None) -> tuple[str, object]:
    job_id = batch.create_job(pool="empty")
    batch.add(job_id, "t")
    return f"/jobs/{job_id}/tasks/t", body


def with_ended_task(batch: Batch) -> tuple[str, str]:
    job_id = batch.create_job()
    batch.run(job_id, "t", "/bin/echo hello")
    return job_id, "t"


def failed_task(batch: Batch, _: str) -> tuple[str, object]:
    job_id = batch.create_job()
    body = {
        "id": "t",
        "commandLine": "/bin/sh -c 'exit 2'",
        "userIdentity": {"username": "somebody"},
        "constraints": {"maxTaskRetryCount": 3},
    }
    assert batch.send("POST", f"/jobs/{job_id}/tasks", body).status_code == 201
    batch.finished(job_id, "t")
    return f"/jobs/{job_id}/tasks/t", None


def node_file(batch: Batch, _: str) -> tuple[str, object]:
    job_id, task_id = with_ended_task(batch)
    info = batch.client.get_task(job_id, task_id).node_info
    assert info is not None
    path = quote(f"{info.task_root_directory}/stdout.txt", safe="")
    return f"/pools/cpu/nodes/{info.node_id}/files/{path}", None


def node(batch: Batch) -> str:
    return next(iter(batch.client.list_nodes("cpu"))).id


def then(suffix: str, body: object = None) -> Stage:
    """A request below a job of its own."""

    def stage(batch: Batch, _: str) -> tuple[str, object]:
        path, _body = job(batch, "")
        return path + suffix, body

    return stage


def at(path: str) -> Stage:
    return lambda batch, query: (path + query, None)


def second_page(batch: Batch, _: str) -> tuple[str, object]:
    link = batch.send("GET", "/pools?maxresults=1&api-version=2020-03-01.11.0").json()["odata.nextLink"]
    return link.removeprefix(batch.url), None


def disabled(batch: Batch, _: str) -> tuple[str, object]:
    path, _body = job(batch, "")
    batch.send("POST", f"{path}/disable", {"disableTasks": "requeue"})
    return f"{path}/enable", None


def task_of(suffix: str) -> Stage:
    def stage(batch: Batch, _: str) -> tuple[str, object]:
        job_id, task_id = with_ended_task(batch)
        return f"/jobs/{job_id}/tasks/{task_id}{suffix}", None

    return stage


def reactivatable(batch: Batch, _: str) -> tuple[str, object]:
    path, _body = with_waiting_task(batch)
    batch.send("POST", f"{path}/terminate")
    return f"{path}/reactivate", None


def too_large(batch: Batch, _: str) -> tuple[str, object]:
    path, _body = job(batch, "")
    return f"{path}/addtaskcollection", {"value": [{"id": "t", "commandLine": "x" * 1_100_000}]}


def deleted(batch: Batch, _: str) -> tuple[str, object]:
    path, _body = job(batch, "")
    batch.send("DELETE", path)
    eventually(lambda: batch.send("GET", path).status_code == 404)
    return path, None


def pool_select(path: str) -> Stage:
    return lambda batch, _: (path, None)


STAGES: dict[str, Stage] = {
    "count_tasks_sucessfully": then("/taskcounts"),
    "create_a_job_successfully": lambda b, _: ("/jobs", {"id": b.new_id(), "poolInfo": {"poolId": "cpu"}}),
    "create_a_task_successfully": then("/tasks", {"id": "t", "commandLine": "/bin/true"}),
    "create_a_task_with_a_user_identity_successfully 1": then(
        "/tasks", {"id": "t", "commandLine": "/bin/true", "userIdentity": {"username": "x"}}
    ),
    "create_a_task_with_a_user_identity_successfully 2": failed_task,
    "delete_a_job_successfully": job,
    "delete_a_second_task_successfully": lambda b, _: with_waiting_task(b),
    "delete_file_from_node_successfully": node_file,
    "disable_a_job_successfully": then("/disable", {"disableTasks": "requeue"}),
    "enable_a_job_successfully": disabled,
    "fail_to_list_pools_with_invalid_max": at("/pools?maxresults=-5"),
    "get_a_job_reference_successfully": job,
    "get_a_pool_reference_with_odata_successfully": pool_select(
        "/pools/cpu?$select=id%2Cstate&$expand=stats"
    ),
    "get_file_from_node_successfully": node_file,
    "get_file_properties_from_node_successfully": node_file,
    "get_file_properties_from_task_successfully": task_of("/files/stderr.txt"),
    "get_pool_node_counts_successfully": at("/nodecounts"),
    "list_a_maximum_number_of_pools 1": at("/pools?maxresults=1"),
    "list_a_maximum_number_of_pools 2": second_page,
    "list_compute_nodes_successfully": at("/pools/cpu/nodes"),
    "list_files_from_compute_node_successfully": lambda b, _: (f"/pools/cpu/nodes/{node(b)}/files", None),
    "list_jobs_successfully": lambda b, _: (f"/jobs?$filter=id eq '{b.create_job()}'", None),
    "list_pools_according_to_filter": pool_select(
        "/pools?$filter=startswith(id%2C%27cpu%27)&$select=id%2Cstate&$expand=stats"
    ),
    "list_pools_without_filters": at("/pools"),
    "reactivate_a_task_successfully": reactivatable,
    "terminate_a_job_successfully": then("/terminate"),
    "update_a_task_successfully": lambda b, _: with_waiting_task(
        b, {"constraints": {"maxTaskRetryCount": 3}}
    ),
    "GET /pools/non-existent-pool-id 2025": at("/pools/nowhere"),
    "GET /jobs/{deleted} 2025": deleted,
    "POST /jobs/{id}/addtaskcollection 2025": too_large,
    "POST /jobs/batchJob1/addtaskcollection 2025": then(
        "/addtaskcollection", {"value": [{"id": "t", "commandLine": "/bin/true"}]}
    ),
    "POST /jobs/batchJob1/tasks 2025": then("/tasks", {"id": "t", "commandLine": "/bin/true"}),
    "POST /jobs/batchJob1/tasks/Task1/terminate 2025": lambda b, _: (
        with_waiting_task(b)[0] + "/terminate",
        None,
    ),
    "POST /jobs/batchJob1/tasks/Task1/reactivate 2025": reactivatable,
    "POST /jobs/terminateJob/terminate 2025": then("/terminate?force=true"),
    "HEAD /jobs/batchJob1/tasks/task-4/files/stdout.txt 2025": task_of("/files/stdout.txt"),
    "GET /jobs/batchJob1/tasks/task-4/files 2025": task_of("/files"),
}


@pytest.mark.parametrize("name", [name for name in RECORDED if "walk" not in RECORDED[name]])
def test_answer_is_the_recorded_one(batch: Batch, name: str) -> None:
    recorded = RECORDED[name]
    path, body = STAGES[name](batch, "")
    if "api-version" not in path:
        version = re.search(r"api-version=([^&]+)", recorded["path"])
        assert version is not None
        path += f"{'&' if '?' in path else '?'}api-version={version[1]}"
    answer = batch.send(recorded["method"], path, body)
    assert answer.status_code == recorded["status"]
    check_headers(answer, recorded)
    if isinstance(recorded["body"], dict):
        check_body(answer.json(), recorded["body"], "")
    elif recorded["body"] is None:
        assert answer.content == b""


def check_headers(answer: requests.Response, recorded: dict[str, Any]) -> None:
    expected = {header.lower() for header in recorded["headers"]} - OTHER_HEADERS
    if recorded["method"] == "HEAD" or recorded["status"] == 204:
        expected -= LENGTHS - ({"content-length"} if recorded["method"] == "HEAD" else set())
    if recorded["path"].startswith("/jobs/{") or recorded["status"] in (404, 413):
        expected -= LENGTHS
    assert expected <= {header.lower() for header in answer.headers}
    for header in ("Content-Type", "DataServiceVersion", "ocp-batch-file-isdirectory"):
        value = next((v for k, v in recorded["headers"].items() if k.lower() == header.lower()), None)
        if value is not None:
            assert answer.headers[header] == value


def check_body(ours: object, theirs: object, key: str) -> None:
    """Keys, types, formats and the service's own words."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict)
        assert set(theirs) - OF_OTHER_POOLS - DROPPED <= set(ours), key
        assert set(ours) - set(theirs) <= NEWER, key
        for name in set(ours) & set(theirs):
            check_body(ours[name], theirs[name], name)
    elif isinstance(theirs, list):
        assert isinstance(ours, list)
        if key in ("value", "values", "details"):
            assert bool(ours) == bool(theirs)
        for mine in ours:
            check_body(mine, closest(mine, theirs), key if key != "value" else "item")
    elif isinstance(theirs, str) and not isinstance(ours, bool):
        assert isinstance(ours, str), key
        for pattern in FORMATS:
            assert bool(pattern.fullmatch(ours)) == bool(pattern.fullmatch(theirs)), (key, ours, theirs)
        if key in WORDS:
            # Endpoints are numbered as their nodes are.
            assert ours in words_of(key) or re.sub(r"\.\d+$", ".0", ours) in words_of(key)
    else:
        assert type(ours) is type(theirs), key


def closest(mine: object, theirs: list[Any]) -> Any:
    """The recorded item that has the most keys and values in common with ours."""
    if not isinstance(mine, dict):
        return theirs[0]
    return max(theirs, key=lambda item: (len(set(mine) & set(item)), mine.get("name") == item.get("name")))


def words_of(key: str) -> set[str]:
    found: set[str] = set()

    def collect(value: object, name: str) -> None:
        if isinstance(value, dict):
            for inner, item in value.items():
                collect(item, inner)
        elif isinstance(value, list):
            for item in value:
                collect(item, name)
        elif name == key and isinstance(value, str):
            found.add(value)

    for entry in RECORDED.values():
        collect(entry.get("body"), "")
    return found | {"running", "idle", "SSHRule.0", "workitems"}


def test_job_walks_through_its_states_as_recorded(batch: Batch) -> None:
    walk = {step["op"]: step for step in RECORDED["job walk 2025"]["walk"]}
    path, _ = job(batch, "")
    seen: list[dict[str, Any]] = [batch.send("GET", path).json()]
    put = batch.send("PUT", path, {"priority": 7, "poolInfo": {"poolId": "empty"}})
    assert put.status_code == walk["PUT priority"]["status"]
    seen.append(batch.send("GET", path).json())
    for op, body, state in (
        ("disable", {"disableTasks": "requeue"}, "disabled"),
        ("enable", None, "active"),
        ("terminate", {"terminateReason": "myreason"}, "completed"),
    ):
        assert batch.send("POST", f"{path}/{op}", body).status_code == 202
        during = batch.send("GET", path).json()
        step = next(step for name, step in walk.items() if name.startswith(f"POST {op}"))
        assert during["state"] == step["state"]
        assert during["eTag"] != seen[-1]["eTag"]
        if "previousState" in step:
            assert during["previousState"] == step["previousState"]

        def arrived(wanted: str = state) -> dict[str, Any] | None:
            shown: dict[str, Any] = batch.send("GET", path).json()
            return shown if shown["state"] == wanted else None

        after = eventually(arrived)
        assert after is not None
        assert after["eTag"] == during["eTag"]
        assert after["lastModified"] == during["lastModified"]
        seen.append(after)
    assert seen[0]["stateTransitionTime"] == seen[1]["stateTransitionTime"]
    end = seen[-1]
    assert (end["previousState"], end["executionInfo"]["terminateReason"]) == ("active", "myreason")
    assert end["executionInfo"]["endTime"] == end["stateTransitionTime"]
    assert batch.send("DELETE", path).status_code == walk["DELETE"]["status"]
    eventually(lambda: batch.send("GET", path).status_code == 404)


def test_no_recorded_id_stands_in_local_azure() -> None:
    from airflow_provider_batchad import local

    source = "\n".join(
        path.read_text(encoding="utf-8") for path in Path(local.__path__[0]).rglob("*.py")
    ).lower()
    for word in ("nodesdk", "helloworld", "test4", "batchjob1", "japaneast"):
        assert word not in source
