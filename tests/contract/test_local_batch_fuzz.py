"""Whatever local Batch is asked, it answers in its own shape and without an error of its own."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_batchad.local.batch.operations import OPERATIONS, Operation
from tests.contract.batch_fixtures import Batch, eventually

NUMBERS = itertools.count()
WORDS = """
    id commandLine poolInfo poolId value constraints maxWallClockTime maxTaskRetryCount dependsOn taskIds
    taskIdRanges start end exitConditions exitCodes code exitOptions jobAction default resourceFiles httpUrl
    filePath environmentSettings name userIdentity autoUser scope metadata priority disableTasks
    terminateReason onAllTasksComplete autoPoolSpecification containerSettings requiredSlots
    targetDedicatedNodes autoScaleFormula nodeList schedule jobSpecification recurrenceInterval startTask
"""
NAMES = st.sampled_from(WORDS.split())
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["cpu", "t", "PT1H", "requeue", "terminatejob", "../x", "a" * 65, "\ud800"])
)
BODIES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=15,
)
TASK_PARTS = ("constraints", "exitConditions", "dependsOn", "resourceFiles", "userIdentity")
IDS = st.sampled_from(["j", "t", "cpu", "none", "%00", "a%2Fb", "..%2F..", "J", "%C3%28", "x" * 300])
QUERIES = st.sampled_from(
    [
        "",
        "&$filter=id eq 'j'",
        "&$filter=(((",
        "&$filter=executionInfo/exitCode gt 99999999999999999999",
        "&$filter=creationTime gt DateTime'9999-12-31T23:59:59.9999999Z'",
        "&$filter=creationTime gt DateTime'0001-01-01T00:00:00Z'",
        "&$select=id,state",
        "&$select=,",
        "&$expand=stats",
        "&maxresults=1",
        "&maxresults=9999999999999999999999",
        "&$skiptoken=WATV2:AAAA:1$1",
        "&$skiptoken=%ff",
        "&recursive=perhaps",
        "&recursive=true",
        "&&=&x",
    ]
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "If-Match": st.sampled_from(["*", "0x1", '"', ""]),
        "If-None-Match": st.sampled_from(["*", "0x1"]),
        "If-Modified-Since": st.sampled_from(["Sun, 06 Nov 1994 08:49:37 GMT", "x", "1994", "99999"]),
        "If-Unmodified-Since": st.sampled_from(["Sun, 06 Nov 2094 08:49:37 GMT", "-1"]),
        "ocp-range": st.sampled_from(
            ["bytes=0-0", "bytes=-1", "bytes=9-1", "x", "bytes=99999999999999999999-"]
        ),
        "return-client-request-id": st.sampled_from(["true", "x"]),
        "client-request-id": st.sampled_from(["abc", ""]),
    },
)


@pytest.fixture(scope="module", autouse=True)
def something_there(batch: Batch) -> None:
    """A job ``j`` with a task ``t`` that has run, so that not every request ends in 404."""
    pool = {"poolId": "cpu"}
    assert batch.send("POST", "/jobs", {"id": "j", "poolInfo": pool, "usesTaskDependencies": True}).ok
    batch.run("j", "t", "/bin/echo x")


def check(answer: requests.Response) -> None:
    # "TooManyEnableAutoScaleRequests: ServiceUnavailable (503)", of the documented codes the only one.
    assert answer.status_code < 500 or "TooManyEnableAutoScaleRequests" in answer.text, answer.text
    assert answer.headers["DataServiceVersion"] == "3.0"
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        body = answer.json()
        assert body["code"]
        assert answer.headers["request-id"] in body["message"]["value"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_request_is_too_much_for_it(batch: Batch, operation: Operation, data: st.DataObject) -> None:
    path = operation.path.replace("{file_path:.+}", data.draw(IDS))
    for name in ("job_id", "task_id", "pool_id", "node_id", "schedule_id", "user_name", "application_id"):
        path = path.replace(f"{{{name}}}", data.draw(st.just("j") | st.just("t") | IDS))
    body: Any = data.draw(BODIES) if operation.method in ("POST", "PUT", "PATCH") else None
    path += f"?api-version=2025-06-01{data.draw(QUERIES)}"
    answer = batch.send(operation.method, path, body, headers=data.draw(HEADERS))
    check(answer)
    if operation.name == "Create Job" and answer.ok:
        batch.send("DELETE", f"/jobs/{body['id']}")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.fixed_dictionaries(
        {"id": st.just("t"), "commandLine": st.text(max_size=9)},
        optional=dict.fromkeys(TASK_PARTS, BODIES),
    )
)
def test_no_task_is_too_much_for_it(batch: Batch, body: dict[str, Any]) -> None:
    job_id = batch.create_job(pool="empty")
    check(batch.send("POST", f"/jobs/{job_id}/tasks", body))
    check(batch.send("POST", f"/jobs/{job_id}/addtaskcollection", {"value": [body]}))
    check(batch.send("GET", f"/jobs/{job_id}/tasks"))
    batch.send("DELETE", f"/jobs/{job_id}")


TEXTS = st.text(max_size=9) | st.sampled_from(["=", "A=B", "\x00", "\ud800", "../x", "/", ".", "", "a" * 300])
URLS = st.sampled_from(
    [
        "http://[::1",
        "http://localhost:99999/f",
        "http://localhost:1/f",
        "https://",
        "file:///etc/hostname",
        "http://localhost:x/",
        "http://user:pass@localhost:1/a b?sig=x#y",
        "\x00",
        "",
    ]
)
RUNNABLE_PARTS: dict[str, Any] = {
    "constraints": st.fixed_dictionaries(
        {"maxTaskRetryCount": st.integers(0, 1)}, optional={"maxWallClockTime": st.just("PT1H") | SCALARS}
    ),
    "environmentSettings": st.lists(
        st.fixed_dictionaries({"name": TEXTS}, optional={"value": TEXTS}), max_size=2
    ),
    "exitConditions": st.just({"default": {"jobAction": "none"}}) | BODIES,
    "outputFiles": st.lists(
        st.fixed_dictionaries(
            {
                "filePattern": TEXTS | st.sampled_from(["**/*", "../std*.txt", "[", "{"]),
                "destination": st.fixed_dictionaries(
                    {"container": st.fixed_dictionaries({"containerUrl": URLS}, optional={"path": TEXTS})}
                ),
                "uploadOptions": st.just({"uploadCondition": "taskcompletion"}),
            }
        ),
        max_size=2,
    ),
    "resourceFiles": st.lists(
        st.fixed_dictionaries(
            {"httpUrl": URLS}, optional={"filePath": TEXTS, "fileMode": st.just("0644") | TEXTS}
        ),
        max_size=2,
    ),
    "requiredSlots": st.just(1) | SCALARS,
    "userIdentity": st.just({"autoUser": {"scope": "pool", "elevationLevel": "admin"}}) | BODIES,
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.fixed_dictionaries(
        {"id": st.just("t"), "commandLine": st.just("/bin/true") | TEXTS}, optional=RUNNABLE_PARTS
    ),
    is_preparation=st.booleans(),
)
def test_every_task_that_is_taken_ends_and_gives_its_slots_back(
    batch: Batch, body: dict[str, Any], is_preparation: bool
) -> None:
    job: dict[str, Any] = {"id": f"fuzz-{next(NUMBERS)}", "poolInfo": {"poolId": "one"}}
    if is_preparation:
        parts = ("commandLine", "constraints", "environmentSettings", "resourceFiles", "userIdentity")
        job["jobPreparationTask"] = {name: body[name] for name in parts if name in body}
        body = {"id": "t", "commandLine": "/bin/true"}
    made = batch.send("POST", "/jobs", job)
    check(made)
    if not made.ok:
        return
    path = f"/jobs/{job['id']}"
    added = batch.send("POST", f"{path}/tasks", body)
    check(added)
    if added.ok and not is_preparation:
        eventually(lambda: batch.send("GET", f"{path}/tasks/t").json()["state"] == "completed")
    check(batch.send("POST", f"{path}/terminate", {}))
    eventually(lambda: batch.send("GET", path).json()["state"] == "completed")
    (node,) = batch.send("GET", "/pools/one/nodes").json()["value"]
    assert (node["runningTaskSlotsCount"], node["state"]) == (0, "idle")
    check(batch.send("DELETE", path))


MACHINE = {
    "imageReference": {"publisher": "a", "offer": "b", "sku": "c"},
    "nodeAgentSKUId": "batch.node.ubuntu 22.04",
}
FORMULAS = st.text(alphabet='$aTargetDedicatedNodes=1+-*/();,.?:"\n ', max_size=40)
DURATIONS = st.sampled_from(["PT1M", "PT5M", "P1D", "P99999999D", "PT0S", "x"]) | BODIES
MOMENTS = st.sampled_from(["2020-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00", "x"])
POOL_PARTS = {
    "targetDedicatedNodes": st.integers(-1, 3) | SCALARS,
    "targetLowPriorityNodes": st.integers(-1, 3) | SCALARS,
    "enableAutoScale": st.booleans() | SCALARS,
    "autoScaleFormula": FORMULAS | SCALARS,
    "autoScaleEvaluationInterval": DURATIONS,
    "resizeTimeout": DURATIONS,
    "startTask": st.just({"commandLine": "/bin/true"}) | BODIES,
    "taskSchedulingPolicy": st.just({"nodeFillType": "pack"}) | BODIES,
    "networkConfiguration": st.just({"endpointConfiguration": {"inboundNATPools": []}}) | BODIES,
    "userAccounts": BODIES,
    "metadata": BODIES,
    "upgradePolicy": BODIES,
}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.fixed_dictionaries({}, optional=POOL_PARTS),
    formula=FORMULAS,
    verb=st.sampled_from(["resize", "stopresize", "enableautoscale", "removenodes", "updateproperties"]),
    body=BODIES,
)
def test_no_pool_is_too_much_for_it(
    batch: Batch, parts: dict[str, Any], formula: str, verb: str, body: object
) -> None:
    pool_id = batch.new_id()
    pool = {"id": pool_id, "vmSize": "standard_d2", "virtualMachineConfiguration": MACHINE, **parts}
    check(batch.send("POST", "/pools", pool))
    path = f"/pools/{pool_id}"
    for _ in range(2):
        check(batch.send("POST", f"{path}/enableautoscale", {"autoScaleFormula": formula}))
    check(batch.send("POST", f"{path}/evaluateautoscale", {"autoScaleFormula": formula}))
    check(batch.send("POST", f"{path}/{verb}", body))
    check(batch.send("PATCH", path, parts))
    check(batch.send("GET", path))
    check(batch.send("DELETE", path))
    specification = {"vmSize": "standard_d2", "virtualMachineConfiguration": MACHINE, **parts}
    auto_pool = {"poolLifetimeOption": "job", "pool": specification}
    job = {"id": pool_id, "poolInfo": {"autoPoolSpecification": auto_pool}}
    check(batch.send("POST", "/jobs", job))
    check(batch.send("DELETE", f"/jobs/{pool_id}"))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    schedule=st.fixed_dictionaries(
        {},
        optional={
            "doNotRunUntil": MOMENTS | SCALARS,
            "doNotRunAfter": MOMENTS | SCALARS,
            "startWindow": DURATIONS,
            "recurrenceInterval": DURATIONS,
        },
    ),
    changes=BODIES,
)
def test_no_schedule_is_too_much_for_it(batch: Batch, schedule: dict[str, Any], changes: object) -> None:
    schedule_id = batch.new_id()
    specification = {"poolInfo": {"poolId": "empty"}}
    body = {"id": schedule_id, "schedule": schedule, "jobSpecification": specification}
    check(batch.send("POST", "/jobschedules", body))
    path = f"/jobschedules/{schedule_id}"
    check(batch.send("PATCH", path, changes))
    check(batch.send("PUT", path, {"schedule": schedule, "jobSpecification": specification}))
    check(batch.send("GET", path))
    check(batch.send("GET", f"{path}/jobs"))
    check(batch.send("DELETE", path))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"]),
    parts=st.lists(
        st.sampled_from(
            ["jobs", "tasks", "files", "j", "t", "pools", "nodes", "", ".", "%2e%2e", "jobschedules"]
        ),
        max_size=7,
    ),
)
def test_no_path_is_too_much_for_it(batch: Batch, method: str, parts: list[str]) -> None:
    if method == "DELETE" and len(parts) < 5:
        method = "GET"
    check(batch.send(method, "/" + "/".join(parts)))
