"""As ``recorded_stages``, for the exchanges of ``batch_more.json``."""

from __future__ import annotations

from typing import Any

from tests.contract.batch_fixtures import Batch, eventually
from tests.contract.recorded_pool_stages import ENDPOINT, autoscaled, new_pool, new_schedule, pool_body
from tests.contract.recorded_stages import (
    Stage,
    at,
    job,
    reactivatable,
    task_of,
    then,
    with_ended_task,
    with_waiting_task,
)

IMAGE = {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "18.04-LTS"}
UBUNTU = {"imageReference": IMAGE, "nodeAgentSKUId": "batch.node.ubuntu 18.04"}
AUTO_POOL = {
    "poolLifetimeOption": "job",
    "pool": {"vmSize": "standard_d2_v2", "virtualMachineConfiguration": UBUNTU},
}
MANAGER = {
    "id": "JobManager",
    "commandLine": "/bin/true",
    "environmentSettings": [{"name": "CLI_TEST_VAR", "value": "B"}],
}
LONG_AGO = {"If-Unmodified-Since": "Thu, 03 Feb 2022 04:23:42 GMT"}


def made_job(batch: Batch, **members: Any) -> str:
    """The path of a job of the stage's own."""
    body = {"id": batch.new_id(), "poolInfo": {"poolId": "empty"}, **members}
    assert batch.send("POST", "/jobs", body).status_code == 201
    return f"/jobs/{body['id']}"


def patched_job(batch: Batch, _: str) -> tuple[str, object]:
    line = {"commandLine": "/bin/true"}
    path = made_job(batch, jobPreparationTask=line, jobReleaseTask=line)
    assert batch.send("PATCH", path, {"metadata": [{"name": "name", "value": "value"}]}).ok
    return path, None


def managed_job(batch: Batch, _: str) -> tuple[str, object]:
    metadata = [{"name": "test", "value": "value"}]
    constraints = {"maxTaskRetryCount": 5}
    return made_job(batch, jobManagerTask=MANAGER, metadata=metadata, constraints=constraints), None


def constrained_job(batch: Batch, _: str) -> tuple[str, object]:
    path, _body = managed_job(batch, "")
    changes = {"onAllTasksComplete": "terminatejob", "constraints": {"maxWallClockTime": "P3Y6M4DT12H30M5S"}}
    assert batch.send("PATCH", path, changes).ok
    return path, None


def unsettled_job(batch: Batch, _: str) -> tuple[str, object]:
    pool = {"autoPoolSpecification": AUTO_POOL}
    modes = {"onAllTasksComplete": "terminatejob", "onTaskFailure": "performexitoptionsjobaction"}
    return made_job(batch, poolInfo=pool, **modes), None


def same_job(batch: Batch, _: str) -> tuple[str, object]:
    path, _body = job(batch, "")
    return "/jobs", {"id": path.rsplit("/", 1)[1], "poolInfo": {"poolId": "empty"}}


def made_task(**members: Any) -> Stage:
    def stage(batch: Batch, _: str) -> tuple[str, object]:
        path = made_job(batch, onTaskFailure="performexitoptionsjobaction")
        body = {"id": "t", "commandLine": "/bin/true", **members}
        assert batch.send("POST", f"{path}/tasks", body).status_code == 201
        return f"{path}/tasks/t", None

    return stage


def updated_task(batch: Batch, _: str) -> tuple[str, object]:
    path, body = with_waiting_task(batch, {"constraints": {"maxTaskRetryCount": 3}})
    assert batch.send("PUT", path, body).ok
    return path, None


def reactivated_task(batch: Batch, _: str) -> tuple[str, object]:
    path, _body = reactivatable(batch, "")
    assert batch.send("POST", path).status_code == 204
    return path.removesuffix("/reactivate"), None


def deleted_file(batch: Batch, _: str) -> tuple[str, object]:
    job_id, task_id = with_ended_task(batch)
    path = f"/jobs/{job_id}/tasks/{task_id}/files/stdout.txt"
    assert batch.send("DELETE", path).ok
    return path, None


def stopped_pool(batch: Batch, _: str) -> tuple[str, object]:
    accounts = [{"name": "task-user", "elevationLevel": "admin", "password": "Passw0rd!"}]
    network = {"endpointConfiguration": {"inboundNATPools": [ENDPOINT]}}
    members = {"displayName": "a pool", "userAccounts": accounts, "networkConfiguration": network}
    path = new_pool(batch, virtualMachineConfiguration=UBUNTU, **members)
    assert batch.send("POST", f"{path}/resize", {"targetLowPriorityNodes": 2}).status_code == 202
    assert batch.send("POST", f"{path}/stopresize").status_code == 202
    return path, None


def scaled_pool(batch: Batch, _: str) -> tuple[str, object]:
    scale = {"enableAutoScale": True, "autoScaleFormula": "$TargetDedicated = 0;"}
    body = pool_body(batch, targetDedicatedNodes=None, autoScaleEvaluationInterval="PT6M", **scale)
    assert batch.send("POST", "/pools", body).status_code == 201
    return f"/pools/{body['id']}", None


def in_a_network(batch: Batch, _: str) -> tuple[str, object]:
    return "/pools", pool_body(batch, networkConfiguration={"subnetId": "/subscriptions/s/subnets/one"})


def recurring(batch: Batch, until: str | None = None, **specification: Any) -> str:
    """The path of a job schedule."""
    schedule = {"doNotRunUntil": until} if until else {"startWindow": "PT1H", "recurrenceInterval": "P1D"}
    body = {
        "id": batch.new_id().replace("job", "schedule"),
        "schedule": schedule,
        "jobSpecification": {"poolInfo": {"poolId": "empty"}, **specification},
    }
    assert batch.send("POST", "/jobschedules", body).status_code == 201
    path = f"/jobschedules/{body['id']}"
    if not until:
        eventually(lambda: batch.send("GET", f"{path}/jobs").json()["value"])
    return path


def begun(suffix: str) -> Stage:
    ends = {"onAllTasksComplete": "terminatejob", "constraints": {"maxTaskRetryCount": 2}}
    return lambda batch, _: (recurring(batch, **ends) + suffix, None)


NEWER_STAGES: dict[str, Stage] = {
    "get a patched job with preparation": patched_job,
    "get a job with a manager": managed_job,
    "get a job with patched constraints": constrained_job,
    "replace a job that has changed": lambda b, _: (job(b, "")[0], {"poolInfo": {"poolId": "empty"}}),
    "replace a job": lambda b, _: (managed_job(b, "")[0], {"poolInfo": {"poolId": "empty"}}),
    "get a new job without tasks that ends with them": unsettled_job,
    "create a job that exists": same_job,
    "preparation status of a job that no node has seen": lambda b, _: (
        f"{patched_job(b, '')[0]}/jobpreparationandreleasetaskstatus",
        None,
    ),
    "preparation status of a job without preparation": then("/jobpreparationandreleasetaskstatus"),
    "get a task with container settings": made_task(
        containerSettings={
            "imageName": "ubuntu",
            "containerHostBatchBindMounts": [{"source": "Task", "isReadOnly": True}],
        }
    ),
    "get an updated task": updated_task,
    "list tasks": lambda b, _: (with_waiting_task(b)[0].removesuffix("/t"), None),
    "get a task with exit conditions": made_task(
        exitConditions={
            "exitCodes": [{"code": 1, "exitOptions": {"jobAction": "none", "dependencyAction": "block"}}],
            "default": {"jobAction": "terminate", "dependencyAction": "satisfy"},
        }
    ),
    "get a reactivated task": reactivated_task,
    "list subtasks of a task without": lambda b, _: (f"{with_waiting_task(b)[0]}/subtasksinfo", None),
    "list files of a task": task_of("/files"),
    "properties of a file of a Linux node": task_of("/files/stderr.txt"),
    "an empty file of a Linux node": task_of("/files/stderr.txt"),
    "delete a file of a task": task_of("/files/stderr.txt"),
    "get a file that is deleted": deleted_file,
    "a pool's size without a number": lambda b, _: ("/pools/nowhere/resize", {}),
    "resize no pool": lambda b, _: ("/pools/nowhere/resize", {"targetDedicatedNodes": 1}),
    "get a pool with a newer machine": lambda b, _: (new_pool(b, virtualMachineConfiguration=UBUNTU), None),
    "get a pool while its resize is stopped": stopped_pool,
    "replace a pool's properties": lambda b, _: (
        f"{new_pool(b)}/updateproperties",
        {"applicationPackageReferences": [], "metadata": [{"name": "foo", "value": "bar"}]},
    ),
    "check that a pool exists": at("/pools/cpu"),
    "get a pool that scales by itself": scaled_pool,
    "evaluate the older name of a pool's size": lambda b, _: (
        f"{autoscaled(b)}/evaluateautoscale",
        {"autoScaleFormula": "$TargetDedicated = 1;"},
    ),
    "switch scaling off": lambda b, _: (f"{autoscaled(b)}/disableautoscale", None),
    "a pool in a virtual network with a key": in_a_network,
    "count nodes": at("/nodecounts"),
    "get a recurring schedule": begun(""),
    "list the new job of a schedule": begun("/jobs"),
    "list jobs of a schedule that has not begun": lambda b, _: (f"{new_schedule(b)}/jobs", None),
    "get a schedule with an auto pool": lambda b, _: (
        recurring(b, "2090-08-18T00:00:00Z", poolInfo={"autoPoolSpecification": AUTO_POOL}),
        None,
    ),
    "enable a schedule": lambda b, _: (f"{new_schedule(b)}/enable", None),
    "end a schedule": lambda b, _: (f"{new_schedule(b)}/terminate", None),
    "delete a schedule": lambda b, _: (new_schedule(b), None),
}
# Headers of the request, where the exchange needs any.
SENT: dict[str, dict[str, str]] = {"replace a job that has changed": LONG_AGO}
