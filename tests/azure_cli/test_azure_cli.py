"""The Azure CLI cannot tell local Azure from Azure. Each command takes a second: as few as show it."""

from __future__ import annotations

import uuid

import pytest

from airflow_provider_batchad.local.shared_key import KeyName
from tests.azure_cli.conftest import AzureCli
from tests.contract.batch_fixtures import eventually

pytestmark = pytest.mark.azure_cli

NOT_FOUND = 3  # the CLI's own exit status


def created_job(az: AzureCli) -> str:
    job_id = f"job-{uuid.uuid4().hex[:8]}"
    assert az.batch("job", "create", "--id", job_id, "--pool-id", "cpu").json is None
    return job_id


def test_login_finds_the_subscription(az: AzureCli) -> None:
    shown = az("account", "show").json
    assert (shown["environmentName"], shown["id"]) == ("local", az.azure.config.subscription_id)
    assert (shown["tenantId"], shown["user"]["type"]) == (az.azure.config.tenant.id, "servicePrincipal")


def test_token_has_the_resource_that_was_asked_for(az: AzureCli) -> None:
    got = az("account", "get-access-token", "--resource", "https://batch.core.windows.net/").json
    azure = az.azure
    principal = azure.tokens.verify(
        got["accessToken"], audience="https://batch.core.windows.net/", tenant_id=azure.config.tenant.id
    )
    assert principal.name == "airflow-batch"


def test_account_and_its_keys_are_shown(az: AzureCli) -> None:
    group, azure = az.azure.config.resource_group, az.azure
    shown = az("batch", "account", "show", "--resource-group", group, "--name", "demo").json
    assert f"https://{shown['accountEndpoint']}" == azure.endpoints.batch
    keys = az("batch", "account", "keys", "list", "--resource-group", group, "--name", "demo").json
    assert keys["primary"] == azure.account_keys[KeyName.PRIMARY]


def test_account_key_signs_what_a_token_would(az: AzureCli) -> None:
    job_id = created_job(az)
    key = az.azure.account_keys[KeyName.SECONDARY]
    assert az.batch("job", "show", "--job-id", job_id, "--account-key", key).json["id"] == job_id
    entries = az.azure.ledger.entries(service="batch", operation="Get Job", principal="shared key")
    assert [entry.status for entry in entries] == [200]


def test_job_is_created_listed_disabled_stopped_and_deleted(az: AzureCli) -> None:
    job_id = created_job(az)
    listed = az.batch("job", "list", "--filter", f"startswith(id, '{job_id}')", "--select", "id").json
    assert [job["id"] for job in listed] == [job_id]
    az.batch("job", "disable", "--job-id", job_id, "--disable-tasks", "requeue")
    eventually(lambda: az.batch("job", "show", "--job-id", job_id).json["state"] == "disabled")
    assert az.batch("job", "enable", "--job-id", job_id).status == 0
    # It sends an empty object as body, which azure-batch cannot.
    assert az.batch("job", "stop", "--job-id", job_id).status == 0
    shown = az.batch("job", "show", "--job-id", job_id).json
    assert (shown["state"], shown["executionInfo"]["terminateReason"]) == ("completed", "UserTerminate")
    assert az.batch("job", "delete", "--job-id", job_id, "--yes").status == 0
    eventually(lambda: az.batch("job", "show", "--job-id", job_id).status == NOT_FOUND)


def test_tasks_run_and_their_files_are_downloaded(az: AzureCli) -> None:
    job_id = created_job(az)
    one = az.write(
        "task.json", {"id": "hello", "commandLine": "/bin/sh -c 'echo hello; echo oh >&2; exit 3'"}
    )
    assert az.batch("task", "create", "--job-id", job_id, "--json-file", one).json["id"] == "hello"
    many = az.write("tasks.json", [{"id": f"t{n}", "commandLine": "/bin/sleep 300"} for n in range(2)])
    added = az.batch("task", "create", "--job-id", job_id, "--json-file", many).json
    assert [result["status"] for result in added] == ["Success", "Success"]
    shown = eventually(lambda: _completed(az, job_id, "hello"))
    assert (shown["executionInfo"]["exitCode"], shown["executionInfo"]["result"]) == (3, "failure")
    names = az.batch("task", "file", "list", "--job-id", job_id, "--task-id", "hello").json
    assert [file["name"] for file in names] == ["stderr.txt", "stdout.txt", "wd"]
    target = az.directory / "stdout.txt"
    where = ("--job-id", job_id, "--task-id", "hello", "--file-path", "stdout.txt")
    assert az.batch("task", "file", "download", *where, "--destination", str(target)).status == 0
    assert target.read_text() == "hello\n"
    assert az.batch("task", "stop", "--job-id", job_id, "--task-id", "t0").status == 0
    assert az.batch("task", "delete", "--job-id", job_id, "--task-id", "t1", "--yes").status == 0
    assert {task["id"] for task in az.batch("task", "list", "--job-id", job_id).json} == {"hello", "t0"}
    counts = az.batch("job", "task-counts", "show", "--job-id", job_id).json["taskCounts"]
    assert (counts["completed"], counts["failed"]) == (2, 2)


def _completed(az: AzureCli, job_id: str, task_id: str) -> dict[str, dict[str, object]] | None:
    shown: dict[str, dict[str, object]] = az.batch(
        "task", "show", "--job-id", job_id, "--task-id", task_id
    ).json
    return shown if shown["state"] == "completed" else None


def test_pools_and_nodes_are_shown(az: AzureCli) -> None:
    assert "cpu" in [pool["id"] for pool in az.batch("pool", "list").json]
    assert az.batch("pool", "show", "--pool-id", "cpu").json["state"] == "active"
    assert len(az.batch("node", "list", "--pool-id", "cpu").json) == 2
    images = az.batch("pool", "supported-images", "list", "--filter", "osType eq 'linux'").json
    assert "batch.node.ubuntu 24.04" in [image["nodeAgentSkuId"] for image in images]


def test_pool_is_created_resized_scaled_and_deleted(az: AzureCli) -> None:
    image = ("--image", "canonical:ubuntu-24_04-lts:server", "--node-agent-sku-id", "batch.node.ubuntu 24.04")
    # It sends numbers as strings.
    size = ("--vm-size", "Standard_D2s_v3", "--target-dedicated-nodes", "1")
    assert az.batch("pool", "create", "--id", "made", *image, *size).status == 0
    eventually(lambda: _is_steady(az, "made", 1))
    assert az.batch("pool", "resize", "--pool-id", "made", "--target-dedicated-nodes", "2").status == 0
    eventually(lambda: _is_steady(az, "made", 2))
    assert az.batch("pool", "set", "--pool-id", "made", "--metadata", "team=data").status == 0
    shown = az.batch("pool", "show", "--pool-id", "made").json
    assert shown["metadata"] == [{"name": "team", "value": "data"}]
    formula = ("--auto-scale-formula", "$TargetDedicatedNodes=1")
    assert az.batch("pool", "autoscale", "enable", "--pool-id", "made", *formula).status == 0
    counts = {
        one["poolId"]: one["dedicated"]["total"] for one in az.batch("pool", "node-counts", "list").json
    }
    assert counts["made"] in (1, 2)
    assert az.batch("pool", "delete", "--pool-id", "made", "--yes").status == 0
    eventually(lambda: az.batch("pool", "show", "--pool-id", "made").status == NOT_FOUND)


def _is_steady(az: AzureCli, pool_id: str, nodes: int) -> bool:
    shown = az.batch("pool", "show", "--pool-id", pool_id).json
    return bool(shown["allocationState"] == "steady" and shown["currentDedicatedNodes"] == nodes)


def test_job_schedule_is_created_listed_disabled_stopped_and_deleted(az: AzureCli) -> None:
    manager = ("--job-manager-task-id", "manager", "--job-manager-task-command-line", "/bin/true")
    named = ("--job-schedule-id", "hourly")
    made = az.batch("job-schedule", "create", "--id", "hourly", "--pool-id", "cpu",
                    "--recurrence-interval", "PT1H", *manager)  # fmt: skip
    assert made.status == 0, made.stderr
    assert az.batch("job-schedule", "show", *named).json["executionInfo"]["recentJob"]["id"] == "hourly:job-1"
    assert [one["id"] for one in az.batch("job-schedule", "list").json] == ["hourly"]
    assert [job["id"] for job in az.batch("job", "list", *named).json] == ["hourly:job-1"]
    for verb, state in (("disable", "disabled"), ("enable", "active"), ("stop", "completed")):
        assert az.batch("job-schedule", verb, *named).status == 0
        eventually(lambda wanted=state: az.batch("job-schedule", "show", *named).json["state"] == wanted)
    assert az.batch("job-schedule", "delete", *named, "--yes").status == 0
    eventually(lambda: az.batch("job-schedule", "show", *named).status == NOT_FOUND)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("job", "show", "--job-id", "nobody"), "(JobNotFound) The specified job does not exist."),
        (("job", "list", "--filter", "nothing eq 'x'"), "(InvalidQueryParameterValue)"),
    ],
)
def test_errors_are_printed_with_their_code_and_request(
    az: AzureCli, arguments: tuple[str, ...], code: str
) -> None:
    answer = az.batch(*arguments)
    assert answer.status != 0
    assert code in answer.stderr
    assert "RequestId:" in answer.stderr


def test_secrets_are_set_shown_and_listed(az: AzureCli) -> None:
    vault = ("--vault-name", "localhost")
    made = az("keyvault", "secret", "set", *vault, "--name", "from-az", "--value", "s3cret").json
    assert az("keyvault", "secret", "show", *vault, "--name", "from-az").json["id"] == made["id"]
    assert az("keyvault", "secret", "show", "--id", made["id"]).json["value"] == "s3cret"
    assert "from-az" in [secret["name"] for secret in az("keyvault", "secret", "list", *vault).json]


def test_custom_role_is_created_and_assigned(az: AzureCli) -> None:
    config, worker = az.azure.config, az.azure.directory.principal("airflow-worker")
    actions = ["Microsoft.Batch/batchAccounts/jobs/read", "Microsoft.Batch/batchAccounts/jobs/write"]
    role = az.write(
        "role.json",
        {"Name": "Pipeline", "Description": "One pipeline's", "Actions": [], "DataActions": actions,
         "AssignableScopes": [config.resource_group_scope]},
    )  # fmt: skip
    made = az("role", "definition", "create", "--role-definition", f"@{role}").json
    assert (made["roleName"], made["roleType"]) == ("Pipeline", "CustomRole")
    assert made["permissions"][0]["dataActions"] == actions
    who = ("--assignee-object-id", worker.object_id)
    at_account = ("--scope", config.account_scope)
    given = az("role", "assignment", "create", "--role", "Pipeline", *who, *at_account,
               "--assignee-principal-type", "ServicePrincipal").json  # fmt: skip
    listed = az("role", "assignment", "list", *who, *at_account, "--fill-principal-name", "false").json
    assert [(one["name"], one["roleDefinitionName"]) for one in listed] == [(given["name"], "Pipeline")]


def test_role_assignments_of_scopes_above_are_listed_too(az: AzureCli) -> None:
    listed = az("role", "assignment", "list", "--scope", az.azure.config.account_scope,
                "--include-inherited", "--fill-principal-name", "false").json  # fmt: skip
    assert {"Owner", "Azure Batch Data Contributor"} <= {one["roleDefinitionName"] for one in listed}
