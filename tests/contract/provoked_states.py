"""Requests that the Batch service refuses for the state that a resource is in, by the code of the refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from airflow_provider_batchad.local.batch import schedule_flow
from tests.contract.batch_fixtures import eventually
from tests.contract.error_account import Account, pool_body

Provoke = Callable[[Account], object]
_FORMULA: Final = {"autoScaleFormula": "$TargetDedicatedNodes=1;"}
_PACKAGES: Final = [{"applicationId": "nowhere"}]


def _again(path: str, body: Callable[[Account], dict[str, Any]]) -> Provoke:
    def provoke(account: Account) -> object:
        sent = body(account)
        account.post(path, sent)
        return account.post(path, sent)

    return provoke


def _job_body(account: Account) -> dict[str, Any]:
    return {"id": account.new_id(), "poolInfo": {"poolId": "empty"}}


def _schedule_body(account: Account) -> dict[str, Any]:
    return {"id": account.new_id(), "schedule": {}, "jobSpecification": {"poolInfo": {"poolId": "empty"}}}


def _same_task(account: Account) -> object:
    return account.post(f"/jobs/{account.job_with_task()}/tasks", account.task())


def _task_named_as(name: str) -> Provoke:
    def provoke(account: Account) -> object:
        job_id = account.job(
            jobPreparationTask={"id": "before", "commandLine": "/bin/true"},
            jobReleaseTask={"id": "behind", "commandLine": "/bin/true"},
        )
        return account.post(f"/jobs/{job_id}/tasks", account.task(name))

    return provoke


def _quota_of_jobs(account: Account) -> object:
    account.patch.setattr(account.batch.azure.batch.job_flow, "quota", 0)
    return account.post("/jobs", _job_body(account))


def _quota_of_pools(account: Account) -> object:
    account.patch.setattr(account.batch.azure.batch.pool_flow, "quota", 0)
    return account.post("/pools", pool_body(account.new_id()))


def _files_after_their_time(account: Account) -> object:
    job_id = account.job_with_files(constraints={"retentionTime": "PT0S"})
    return account.ask("GET", f"/jobs/{job_id}/tasks/t/files/stdout.txt")


def _completed_job(account: Account) -> object:
    job_id = account.job()
    account.post(f"/jobs/{job_id}/terminate")
    account.batch.job_in(job_id, "completed")
    return account.post(f"/jobs/{job_id}/tasks", account.task())


def _completed_schedule(account: Account) -> object:
    schedule_id = account.schedule()
    account.post(f"/jobschedules/{schedule_id}/terminate")
    eventually(lambda: account.ask("GET", f"/jobschedules/{schedule_id}")["state"] == "completed")
    return account.post(f"/jobschedules/{schedule_id}/disable")


def _going_schedule(account: Account, method: str, verb: str) -> object:
    schedule_id = account.schedule()
    account.patch.setattr(schedule_flow, "_SERVICE_SECONDS", 3600.0)
    account.ask(method, f"/jobschedules/{schedule_id}{verb}")
    return account.post(f"/jobschedules/{schedule_id}/disable")


def _job_named_as_schedule(account: Account) -> object:
    body = _schedule_body(account)
    account.post("/jobschedules", body)
    return account.post("/jobs", {"id": body["id"], "poolInfo": {"poolId": "empty"}})


def _schedule_named_as_job(account: Account) -> object:
    return account.post("/jobschedules", _schedule_body(account) | {"id": account.job()})


def _pool_being_deleted(account: Account) -> object:
    pool_id = account.pool()
    account.hold_pools()
    account.ask("DELETE", f"/pools/{pool_id}")
    return account.post(f"/pools/{pool_id}/resize", {"targetDedicatedNodes": 0})


def _pool_being_resized(account: Account) -> object:
    account.hold_nodes()
    account.hold_pools()
    body = pool_body(account.new_id())
    account.post("/pools", body)
    return account.post(f"/pools/{body['id']}/resize", {"targetDedicatedNodes": 0})


def _scaled_at_once(account: Account) -> object:
    pool_id = account.pool(targetDedicatedNodes=0)
    account.post(f"/pools/{pool_id}/enableautoscale", _FORMULA)
    eventually(lambda: account.ask("GET", f"/pools/{pool_id}")["allocationState"] == "steady")
    return account.post(f"/pools/{pool_id}/enableautoscale", _FORMULA)


def _node_being_created(account: Account) -> object:
    account.hold_new_nodes()
    body = pool_body(account.new_id())
    account.post("/pools", body)
    return account.post(f"{account.node(body['id'])}/reboot")


def _node_being_started(account: Account) -> object:
    node = account.node(account.pool())
    account.post(f"{node}/deallocate")
    eventually(lambda: account.ask("GET", node)["state"] == "deallocated")
    account.hold_nodes()
    account.post(f"{node}/start")
    return account.post(f"{node}/start")


def _node_again(verb: str) -> Provoke:
    def provoke(account: Account) -> object:
        node = account.node(account.pool())
        account.hold_nodes()
        account.post(f"{node}/{verb}")
        return account.post(f"{node}/{verb}")

    return provoke


def _same_user(account: Account) -> object:
    path, body = f"{account.node(account.pool())}/users", {"name": "me", "password": "p-A1b2c3"}
    account.post(path, body)
    return account.post(path, body)


def _in_lasting_job(verb: str) -> Provoke:
    return lambda account: account.post(f"/jobs/{account.job_that_lingers(verb)}/tasks", account.task("u"))


STATES: Final[dict[str, Provoke]] = {
    "JobExists": _again("/jobs", _job_body),
    "PoolExists": _again("/pools", lambda account: pool_body(account.new_id(), targetDedicatedNodes=0)),
    "TaskExists": _same_task,
    "TaskIdSameAsJobPreparationTask": _task_named_as("before"),
    "TaskIdSameAsJobReleaseTask": _task_named_as("BEHIND"),
    "PoolBeingDeleted": _pool_being_deleted,
    "PoolBeingResized": _pool_being_resized,
    "PoolQuotaReached": _quota_of_pools,
    "NodeBeingCreated": _node_being_created,
    "NodeBeingStarted": _node_being_started,
    "NodeBeingReimaged": _node_again("reimage"),
    "NodeBeingRebooted": _node_again("reboot"),
    "NodeUserExists": _same_user,
    "NodeAlreadyInTargetSchedulingState": lambda account: account.post(f"{account.node()}/enablescheduling"),
    "OperationNotValidOnNode": lambda account: account.post(f"{account.node()}/start"),
    "JobPreparationTaskOrReleaseTaskNotSpecified": lambda account: account.ask(
        "GET", f"/jobs/{account.job()}/jobpreparationandreleasetaskstatus"
    ),
    "JobBeingTerminated": _in_lasting_job("terminate"),
    "JobBeingDeleted": _in_lasting_job("delete"),
    "JobCompleted": _completed_job,
    "TaskCompleted": lambda account: account.post(f"/jobs/{account.job_with_files()}/tasks/t/terminate"),
    "TaskNotCompleted": lambda account: account.post(f"/jobs/{account.job_with_task()}/tasks/t/reactivate"),
    "TaskSucceeded": lambda account: account.post(f"/jobs/{account.job_with_files()}/tasks/t/reactivate"),
    "TaskFilesUnavailable": lambda account: account.ask(
        "GET", f"/jobs/{account.job_with_task()}/tasks/t/files/stdout.txt"
    ),
    "TaskFilesCleanedup": _files_after_their_time,
    "ActiveJobAndScheduleQuotaReached": _quota_of_jobs,
    "JobWithSameIdExists": _schedule_named_as_job,
    "JobScheduleWithSameIdExists": _job_named_as_schedule,
    "JobScheduleExists": _again("/jobschedules", _schedule_body),
    "JobScheduleBeingTerminated": lambda account: _going_schedule(account, "POST", "/terminate"),
    "JobScheduleBeingDeleted": lambda account: _going_schedule(account, "DELETE", ""),
    "JobScheduleCompleted": _completed_schedule,
    "OperationInvalidForCurrentState": lambda account: account.post("/pools/cpu/stopresize"),
    "InvalidApplicationPackageReferences": lambda account: account.post(
        f"/jobs/{account.job()}/tasks", account.task(applicationPackageReferences=_PACKAGES)
    ),
    "TooManyEnableAutoScaleRequests": _scaled_at_once,
}
