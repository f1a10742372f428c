"""Who may do what on local Batch, and how it says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from airflow_provider_batchad.local.access import Permission, Role
from airflow_provider_batchad.local.batch.operations import OPERATIONS, Operation
from airflow_provider_batchad.local.batch.permissions import REQUIREMENTS
from airflow_provider_batchad.local.config import BATCH_RESOURCE, VAULT_RESOURCE, stable_id
from airflow_provider_batchad.local.entra.tokens import Principal
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import CONFIG, Batch

ACCOUNT = "Microsoft.Batch/batchAccounts"


def bearer(azure: LocalAzure, *, audience: str = BATCH_RESOURCE, **changes: str) -> dict[str, str]:
    application = azure.config.applications[0]
    principal = Principal(
        tenant_id=changes.get("tenant_id", azure.config.tenant.id),
        object_id=application.object_id,
        app_id=application.client_id,
        name=application.name,
    )
    token, _ = azure.tokens.issue(principal, audience=audience, lifetime_seconds=60)
    return {"Authorization": f"Bearer {token}"}


def ask(batch: Batch, headers: dict[str, str]) -> requests.Response:
    return requests.get(
        f"{batch.url}/jobs?api-version=2025-06-01", headers=headers, verify=batch.session.verify, timeout=30
    )


def detail(answer: requests.Response) -> str:
    return str(answer.json()["values"][0]["value"])


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "missing"),
        ({"Authorization": "Basic x"}, "not valid"),
        ({"Authorization": "Bearer x"}, "not valid"),
    ],
)
def test_request_without_a_token_is_challenged(batch: Batch, headers: dict[str, str], words: str) -> None:
    answer = ask(batch, headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "AuthenticationFailed")
    assert words in detail(answer)
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer authorization_uri="https://login.windows.net/{batch.azure.config.tenant.id}", '
        f'resource_id="{BATCH_RESOURCE}"'
    )


def test_audience_must_fit_to_the_slash(batch: Batch) -> None:
    for audience in (BATCH_RESOURCE.rstrip("/"), VAULT_RESOURCE):
        answer = ask(batch, bearer(batch.azure, audience=audience))
        assert answer.status_code == 401
        assert detail(answer) == (
            f"The access token has been obtained from wrong audience or resource '{audience}'. It should "
            f"exactly match (including forward slash) with one of the allowed audiences '{BATCH_RESOURCE}'"
        )


def test_token_of_another_tenant_or_time_is_refused(own_batch: Batch) -> None:
    assert ask(own_batch, bearer(own_batch.azure, tenant_id=stable_id("other"))).status_code == 401
    headers = bearer(own_batch.azure)
    assert ask(own_batch, headers).status_code == 200
    own_batch.azure.clock.advance(61)
    answer = ask(own_batch, headers)
    assert (answer.status_code, "expired" in detail(answer)) == (401, True)


@pytest.fixture(scope="module")
def powerless() -> Iterator[Batch]:
    """The account and its client, without any role."""
    with LocalAzure(replace(CONFIG, assignments=())) as azure:
        account = Batch(azure)
        yield account
        account.close()


def grant(batch: Batch, permission: Permission) -> str:
    role = Role(id=stable_id(repr(permission)), name=repr(permission), permissions=(permission,), custom=True)
    batch.azure.roles.define(role)
    principal_id = batch.azure.config.applications[0].object_id
    scope = batch.azure.config.account_scope
    return batch.azure.roles.assign(principal_id=principal_id, role=role.id, scope=scope).id


PATHS = {"job_id": "j", "task_id": "t", "pool_id": "cpu", "node_id": "n", "file_path:.+": "wd%2Fx"}
PATHS |= {"schedule_id": "s", "user_name": "u", "application_id": "a"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_each_operation_needs_its_permission_and_no_other(powerless: Batch, operation: Operation) -> None:
    path = operation.path
    for name, value in PATHS.items():
        path = path.replace(f"{{{name}}}", value)
    requirement = REQUIREMENTS[operation.name]
    refused = powerless.send(operation.method, path)
    assert refused.status_code == 403
    if operation.method != "HEAD":
        named = [item["value"] for item in refused.json()["values"]]
        assert (refused.json()["code"], named) == (
            "AuthorizationFailure",
            [*requirement.actions, *requirement.data_actions],
        )
    crossed = grant(powerless, Permission(actions=requirement.data_actions, data_actions=requirement.actions))
    assert powerless.send(operation.method, path).status_code == 403
    powerless.azure.roles.unassign(crossed)
    granted = grant(powerless, Permission(actions=requirement.actions, data_actions=requirement.data_actions))
    assert powerless.send(operation.method, path).status_code != 403
    powerless.azure.roles.unassign(granted)
    recorded = powerless.azure.ledger.entries(operation=operation.name)[-1]
    assert recorded.actions == (*requirement.actions, *requirement.data_actions)
    assert recorded.principal == "airflow-batch"


def test_job_with_an_auto_pool_needs_the_right_to_write_pools(powerless: Batch) -> None:
    body = {"id": "x", "poolInfo": {"autoPoolSpecification": {"poolLifetimeOption": "job"}}}
    jobs = grant(powerless, Permission(data_actions=(f"{ACCOUNT}/jobs/write",)))
    answer = powerless.send("POST", "/jobs", body)
    assert (answer.status_code, answer.json()["values"][0]["value"]) == (403, f"{ACCOUNT}/pools/write")
    pools = grant(powerless, Permission(actions=(f"{ACCOUNT}/pools/write",)))
    assert powerless.send("POST", "/jobs", body).status_code == 400
    powerless.azure.roles.unassign(jobs)
    powerless.azure.roles.unassign(pools)


def test_schedule_with_an_auto_pool_needs_the_right_to_write_pools(powerless: Batch) -> None:
    pool_info = {"autoPoolSpecification": {"poolLifetimeOption": "job"}}
    body = {"id": "x", "jobSpecification": {"poolInfo": pool_info}}
    schedules = grant(powerless, Permission(data_actions=(f"{ACCOUNT}/jobSchedules/write",)))
    answer = powerless.send("POST", "/jobschedules", body)
    assert (answer.status_code, answer.json()["values"][0]["value"]) == (403, f"{ACCOUNT}/pools/write")
    pools = grant(powerless, Permission(actions=(f"{ACCOUNT}/pools/write",)))
    assert powerless.send("POST", "/jobschedules", body).status_code == 400
    powerless.azure.roles.unassign(schedules)
    powerless.azure.roles.unassign(pools)


def test_every_operation_has_a_requirement() -> None:
    assert {operation.name for operation in OPERATIONS} == set(REQUIREMENTS)
