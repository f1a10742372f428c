"""Requests that the Batch service refuses for what they say, by the code of the refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.contract.error_account import Account, pool_body

Provoke = Callable[[Account], object]
_FORMULA: Final = "$TargetDedicatedNodes=1;"


def _job_with(account: Account, **members: Any) -> object:
    return account.post("/jobs", {"id": account.new_id(), "poolInfo": {"poolId": "empty"}, **members})


def _pool_with(account: Account, **members: Any) -> object:
    return account.post("/pools", pool_body(account.new_id(), **members))


def _depending(account: Account, dependencies: dict[str, Any], *, uses: bool = True) -> object:
    job_id = account.job(usesTaskDependencies=uses)
    return account.post(f"/jobs/{job_id}/tasks", account.task(dependsOn=dependencies))


def _part_of_file(account: Account, part: str) -> object:
    job_id = account.job_with_files()
    return account.ask("GET", f"/jobs/{job_id}/tasks/t/files/stdout.txt", headers={"ocp-range": part})


def _change_of_what_changed(account: Account) -> object:
    return account.ask("PATCH", f"/jobs/{account.job()}", {"priority": 1}, headers={"If-Match": "0x1"})


def _wrong_audience(account: Account) -> object:
    return account.ask("GET", "/jobs", client=account.client_for("https://batch.core.windows.net"))


def _without_role(account: Account) -> object:
    return account.ask("GET", "/jobs", client=account.client_for(principal="airflow-worker"))


def _large(account: Account) -> object:
    return account.post(f"/jobs/{account.job()}/tasks", account.task(commandLine="x" * 1_100_000))


REQUESTS: Final[dict[str, Provoke]] = {
    "InvalidQueryParameterValue": lambda account: account.ask("GET", "/jobs?maxresults=0"),
    "InvalidPropertyValue": lambda account: _job_with(account, priority=2000),
    "MissingRequiredQueryParameter": lambda account: account.ask("GET", "/jobs?api-version="),
    "InvalidHeaderValue": lambda account: _part_of_file(account, "lines=1-2"),
    "MissingRequiredProperty": lambda account: account.post("/jobs", {"id": account.new_id()}),
    "UnsupportedProperty": lambda account: _pool_with(account, mountConfiguration=[{}]),
    "InvalidRequestBody": lambda account: _job_with(account, nmae="j"),
    "InvalidUri": lambda account: account.ask("GET", "/works"),
    "UnsupportedRequestVersion": lambda account: account.ask("GET", "/jobs?api-version=1999-01-01"),
    "TaskDependenciesNotSpecifiedOnJob": lambda account: _depending(account, {"taskIds": ["a"]}, uses=False),
    "TaskDependencyListTooLong": lambda account: _depending(
        account, {"taskIds": [f"{number:064}" for number in range(1001)]}
    ),
    "TaskDependencyRangesTooLong": lambda account: _depending(
        account, {"taskIdRanges": [{"start": number, "end": number} for number in range(1001)]}
    ),
    "AutoScalingFormulaSyntaxError": lambda account: _pool_with(
        account, targetDedicatedNodes=None, enableAutoScale=True, autoScaleFormula="$TargetDedicatedNodes="
    ),
    "AutoScalingFormulaTooLong": lambda account: _pool_with(
        account, targetDedicatedNodes=None, enableAutoScale=True, autoScaleFormula=_FORMULA * 1000
    ),
    "AuthenticationFailed": _wrong_audience,
    "Forbidden": lambda account: _pool_with(account, networkConfiguration={"subnetId": "/subscriptions/s"}),
    "AuthorizationFailure": _without_role,
    "UnsupportedHttpVerb": lambda account: account.ask("PUT", "/jobs"),
    "ConditionNotMet": _change_of_what_changed,
    "RequestBodyTooLarge": _large,
    "InvalidRange": lambda account: _part_of_file(account, "bytes=1000-2000"),
    "IOError": lambda account: account.ask("GET", f"/jobs/{account.job_with_files()}/tasks/t/files/wd"),
    "JobNotFound": lambda account: account.ask("GET", "/jobs/nowhere"),
    "PoolNotFound": lambda account: account.ask("GET", "/pools/nowhere"),
    "TaskNotFound": lambda account: account.ask("GET", f"/jobs/{account.job()}/tasks/nowhere"),
    "NodeNotFound": lambda account: account.ask("GET", "/pools/cpu/nodes/nowhere"),
    "NodeUserNotFound": lambda account: account.ask("DELETE", f"{account.node()}/users/nobody"),
    "FileNotFound": lambda account: account.ask(
        "GET", f"/jobs/{account.job_with_files()}/tasks/t/files/nowhere"
    ),
    "JobScheduleNotFound": lambda account: account.ask("GET", "/jobschedules/nowhere"),
    "ApplicationNotFound": lambda account: account.ask("GET", "/applications/nowhere"),
}
