"""Local Batch held against what the real service answered, in the same state and with other ids."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_batchad import local
from airflow_provider_batchad.local.config import BatchApplicationConfig, PoolConfig
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import CONFIG, Batch, eventually
from tests.contract.recorded_newer_stages import NEWER_STAGES, SENT
from tests.contract.recorded_pool_stages import POOL_STAGES
from tests.contract.recorded_stages import STAGES, job

RECORDED: dict[str, dict[str, Any]] = {
    entry["name"]: entry
    for file in ("batch.json", "batch_more.json")
    for entry in json.loads(Path(__file__).with_name("recordings").joinpath(file).read_text())
}
ALL_STAGES = STAGES | POOL_STAGES | NEWER_STAGES

# Exchanges of operations that local Azure has not, and why.
LEFT_OUT = {
    "add_new_certificate_successfully": "certificates are retired; API 2025-06-01 has no such operation",
    "delete_a_certificate_successfully": "certificates are retired; API 2025-06-01 has no such operation",
    "get_all_job_statistics_successfully": "lifetime statistics are not in API 2025-06-01",
    "upload_pool_node_logs_at_paas_pool": "no node here has logs of the Batch service",
}
# Of the connection, or of the request that was recorded with it.
OTHER_HEADERS = {"date", "connection", "client-request-id"}
# Left out of some of the older recordings' copies.
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
    "jobDefaultOrder",
}


def names() -> list[str]:
    return [name for name in RECORDED if "walk" not in RECORDED[name] and name not in LEFT_OUT]


class OtherBatch(Batch):
    """An account that names its jobs in another way."""

    def new_id(self) -> str:
        return f"{super().new_id().replace('job-', 'run_of_job_')}-B"


@pytest.fixture(scope="module", params=["same state", "other ids, counts and order"])
def batch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    """Two accounts: one as it was when the exchanges were recorded, and one with more of everything."""
    packages = tmp_path_factory.mktemp("packages") / "tool.zip"
    with zipfile.ZipFile(packages, "w") as archive:
        archive.writestr("tool", "")
    applications = [BatchApplicationConfig(id="tool", packages={"1.0": packages})]
    pools = list(CONFIG.pools)
    is_other = request.param != "same state"
    if is_other:
        applications.insert(0, BatchApplicationConfig(id="another", packages={"2": packages, "3": packages}))
        pools = [PoolConfig(id="aux", nodes=1, slots=2), PoolConfig(id="zoo", nodes=0), *reversed(pools)]
    config = replace(CONFIG, pools=tuple(pools), batch_applications=tuple(applications))
    with LocalAzure(config) as azure:
        account = OtherBatch(azure) if is_other else Batch(azure)
        if is_other:
            job_id = account.create_job(pool="aux", uses_task_dependencies=True)
            for number in range(3):
                account.run(job_id, f"t{number}", "/bin/true")
        yield account
        account.close()


def test_every_recorded_exchange_is_replayed_or_left_out_for_a_reason() -> None:
    assert set(RECORDED) == {*ALL_STAGES, *LEFT_OUT, "job walk 2025"}
    assert all(LEFT_OUT.values())


@pytest.mark.parametrize("name", names())
def test_answer_is_the_recorded_one(batch: Batch, name: str) -> None:
    recorded = RECORDED[name]
    path, body = ALL_STAGES[name](batch, "")
    if "api-version" not in path:
        version = re.search(r"api-version=([^&]+)", recorded["path"])
        assert version is not None
        path += f"{'&' if '?' in path else '?'}api-version={version[1]}"
    answer = batch.send(recorded["method"], path, body, headers=SENT.get(name))
    assert answer.status_code == recorded["status"]
    check_headers(answer, recorded)
    if isinstance(recorded["body"], dict):
        check_body(answer.json(), recorded["body"], "")
    elif recorded["body"] is None:
        assert answer.content == b""


def check_headers(answer: requests.Response, recorded: dict[str, Any]) -> None:
    expected = {header.lower() for header in recorded["headers"]} - OTHER_HEADERS
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


def recorded_ids() -> set[str]:
    """Whatever stands for an entity in a recorded path or URL: no words of the REST API's own."""
    text = json.dumps(list(RECORDED.values()))
    found = set(
        re.findall(r"tvmps_[0-9a-f]{60,}|0x8D[0-9A-F]{12}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
    )
    for kind in ("jobs", "tasks", "pools", "users", "applications", "jobschedules"):
        found.update(re.findall(rf"/{kind}/([A-Za-z0-9_-]{{4,}})", text))
    found.update(re.findall(r"https://([a-z0-9]+)\.[a-z0-9]+\.batch", text))
    words = {"job-1", "terminatejob", "batch", "00000000-0000-0000-0000-000000000000"}
    return {one.lower() for one in found} - words


def test_no_recorded_id_stands_in_local_azure() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in Path(local.__path__[0]).rglob("*.py")
    ).lower()
    ids = recorded_ids()
    assert len(ids) > 40
    assert [one for one in ids if one in source] == []
