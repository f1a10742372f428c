"""Local Batch shows nothing that Microsoft's models do not know."""

from __future__ import annotations

from typing import Any

import pytest
from azure.batch import models
from azure.batch.models import _models

from airflow_provider_batchad.local.batch.listing import (
    JOB_MEMBERS,
    NODE_MEMBERS,
    POOL_MEMBERS,
    SCHEDULE_MEMBERS,
    SUBTASK_MEMBERS,
    TASK_MEMBERS,
)
from tests.contract.batch_fixtures import Batch, eventually, shell
from tests.contract.sdk_schema import _fields

MACHINE = {
    "imageReference": {"publisher": "canonical", "offer": "ubuntu", "sku": "22_04-lts", "version": "latest"},
    "nodeAgentSKUId": "batch.node.ubuntu 22.04",
}
AUTO_POOL = {
    "poolLifetimeOption": "job",
    "pool": {"vmSize": "standard_d2_v2", "virtualMachineConfiguration": MACHINE},
}
ENDPOINT = {
    "name": "web",
    "protocol": "udp",
    "backendPort": 64444,
    "frontendPortRangeStart": 60000,
    "frontendPortRangeEnd": 61000,
}
NETWORK = {"endpointConfiguration": {"inboundNATPools": [ENDPOINT]}}
# Of the answer, not of the entity.
ANNOTATION = "odata.metadata"


def check(shown: dict[str, Any], model: type) -> None:
    """Every member is one of the model's; every enumeration holds one of its values."""
    fields, inner = _fields(model)
    by_rest = {field["rest"]: field["kind"] for field in fields.values()}
    assert set(shown) - {ANNOTATION} <= set(by_rest), model.__name__
    models_by_name = {one.__name__: one for one in inner}
    for name, value in shown.items():
        kind = by_rest.get(name)
        item_kind = kind[0] if isinstance(kind, list) else kind
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item_kind, dict):
                assert item.lower() in {allowed.lower() for allowed in item_kind["enum"]}, name
            elif item_kind in models_by_name:
                check(item, models_by_name[item_kind])


@pytest.mark.parametrize("ending", ["exit 0", "exit 3", "sleep 100"])
def test_job_and_task_in_each_state(batch: Batch, ending: str) -> None:
    job_id = batch.create_job(
        uses_task_dependencies=True,
        metadata=[models.BatchMetadataItem(name="a", value="b")],
        common_environment_settings=[models.EnvironmentSetting(name="a", value="b")],
    )
    batch.add(
        job_id,
        "t",
        shell(ending),
        display_name="T",
        exit_conditions=models.ExitConditions(default=models.ExitOptions(dependency_action="block")),
        depends_on=models.BatchTaskDependencies(task_ids=[]),
    )
    path = f"/jobs/{job_id}"
    check(batch.send("GET", f"{path}/tasks/t").json(), models.BatchTask)
    batch.running(job_id, "t") if "sleep" in ending else batch.finished(job_id, "t")
    check(batch.send("GET", f"{path}/tasks/t").json(), models.BatchTask)
    check(batch.send("GET", f"{path}/taskcounts").json(), models.BatchTaskCountsResult)
    for file in batch.send("GET", f"{path}/tasks/t/files?recursive=true").json()["value"]:
        check(file, models.BatchNodeFile)
    batch.send("POST", f"{path}/terminate", {"terminateReason": "x"})
    check(batch.send("GET", path).json(), models.BatchJob)
    batch.job_in(job_id, "completed")
    check(batch.send("GET", path).json(), models.BatchJob)


def test_pools_nodes_and_counts(batch: Batch) -> None:
    check(batch.send("GET", "/pools/cpu").json(), models.BatchPool)
    for node in batch.send("GET", "/pools/cpu/nodes").json()["value"]:
        check(node, models.BatchNode)
    for counts in batch.send("GET", "/nodecounts").json()["value"]:
        check(counts, models.BatchPoolNodeCounts)


def test_pools_and_nodes_with_all_that_they_can_have(batch: Batch) -> None:
    start_task = {"commandLine": "/bin/sh -c 'exit 1'", "maxTaskRetryCount": 1}
    pool = {
        "id": batch.new_id(),
        "vmSize": "standard_a1",
        "virtualMachineConfiguration": MACHINE,
        "displayName": "P",
        "targetDedicatedNodes": 1,
        "targetLowPriorityNodes": 1,
        "startTask": start_task,
        "networkConfiguration": NETWORK,
        "userAccounts": [{"name": "somebody", "password": "x"}],
        "metadata": [{"name": "a", "value": "b"}],
        "upgradePolicy": {
            "mode": "automatic",
            "automaticOSUpgradePolicy": {"enableAutomaticOSUpgrade": True},
        },
    }
    assert batch.send("POST", "/pools", pool).status_code == 201
    path = f"/pools/{pool['id']}"
    check(batch.send("GET", path).json(), models.BatchPool)

    def failed() -> list[dict[str, Any]]:
        nodes: list[dict[str, Any]] = batch.send("GET", f"{path}/nodes").json()["value"]
        return nodes if {node["state"] for node in nodes} == {"starttaskfailed"} else []

    for node in eventually(failed):
        check(node, models.BatchNode)
        assert {"startTask", "startTaskInfo", "errors"} <= set(node)
    formula = {"autoScaleFormula": "no_such_thing"}
    assert batch.send("POST", f"{path}/enableautoscale", formula).ok
    shown = batch.send("GET", path).json()
    assert shown["autoScaleRun"]["error"]
    check(shown, models.BatchPool)
    check(batch.send("POST", f"{path}/evaluateautoscale", formula).json(), models.AutoScaleRun)
    check(batch.send("GET", f"{path}/nodes/{node['id']}").json(), models.BatchNode)
    login = batch.send("GET", f"{path}/nodes/{node['id']}/remoteloginsettings").json()
    check(login, models.BatchNodeRemoteLoginSettings)
    for image in batch.send("GET", "/supportedimages").json()["value"]:
        check(image, models.BatchSupportedImage)


def test_schedule_and_job_with_an_auto_pool(batch: Batch) -> None:
    pool_info = {"autoPoolSpecification": AUTO_POOL}
    body = {
        "id": batch.new_id(),
        "displayName": "S",
        "schedule": {"recurrenceInterval": "PT1H", "doNotRunAfter": "2999-01-01T00:00:00+01:00"},
        "jobSpecification": {"poolInfo": pool_info, "metadata": [{"name": "a", "value": "b"}]},
        "metadata": [{"name": "a", "value": "b"}],
    }
    assert batch.send("POST", "/jobschedules", body).status_code == 201
    path = f"/jobschedules/{body['id']}"
    shown = batch.send("GET", path).json()
    check(shown, models.BatchJobSchedule)
    assert shown["schedule"]["doNotRunAfter"] == "2998-12-31T23:00:00Z"
    for job in batch.send("GET", f"{path}/jobs").json()["value"]:
        check(job, models.BatchJob)
    batch.send("POST", f"{path}/terminate")
    completed = eventually(lambda: "endTime" in batch.send("GET", path).json()["executionInfo"])
    assert completed
    check(batch.send("GET", path).json(), models.BatchJobSchedule)


def test_errors_and_results_of_added_tasks(batch: Batch) -> None:
    job_id = batch.create_job()
    body = {"value": [{"id": "t", "commandLine": "/bin/true"}] * 2}
    for result in batch.send("POST", f"/jobs/{job_id}/addtaskcollection", body).json()["value"]:
        check(result, models.BatchTaskCreateResult)
    check(batch.send("GET", "/jobs/none").json(), models.BatchError)
    check(batch.send("GET", "/jobs?maxresults=0").json(), models.BatchError)


@pytest.mark.parametrize(
    ("members", "model"),
    [
        (JOB_MEMBERS, "BatchJob"),
        (TASK_MEMBERS, "BatchTask"),
        (SUBTASK_MEMBERS, "BatchSubtask"),
        (POOL_MEMBERS, "BatchPool"),
        (NODE_MEMBERS, "BatchNode"),
        (SCHEDULE_MEMBERS, "BatchJobSchedule"),
    ],
)
def test_select_takes_exactly_what_the_models_have(members: frozenset[str], model: str) -> None:
    fields, _ = _fields(getattr(_models, model))
    assert members == {field["rest"] for field in fields.values()}
