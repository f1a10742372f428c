"""What each needs of a pool, and what it does with one that is busy, broken or another's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from azure.batch import models
from structlog.testing import capture_logs

from airflow_provider_batchad.errors import JobFailed
from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import (
    AssignmentConfig,
    LocalAzureConfig,
    PoolConfig,
    WorkloadIdentityConfig,
)
from tests.contract.batch_fixtures import eventually, shell
from tests.contract.operator_runs import context_of, operator_of
from tests.contract.pool_fixtures import create_pool, nodes_in, steady
from tests.peer.peer_runs import Both

pytestmark = pytest.mark.peer

APPLICATION = "airflow-batch"
MACHINE = {
    "image_reference": {
        "publisher": "Canonical",
        "offer": "0001-com-ubuntu-server-jammy",
        "sku": "22_04-lts",
        "version": "latest",
    },
    "node_agent_sku_id": "batch.node.ubuntu 22.04",
}
SUBMITTER = LocalAzureConfig(port=0, workload_identity=WorkloadIdentityConfig(application=APPLICATION))
CONTRIBUTOR = LocalAzureConfig(
    port=0,
    assignments=(
        AssignmentConfig(principal=APPLICATION, role="Azure Batch Data Contributor", resource="batch"),
        AssignmentConfig(principal="airflow-worker", role="Key Vault Secrets User", resource="keyvault"),
    ),
)


@pytest.mark.parametrize("config", [SUBMITTER])
def test_peer_role_that_may_submit_jobs_is_not_enough(both: Both) -> None:
    both.peer.be_the_machine(client_environment(both.azure))
    seen = both.peer.run()
    assert (seen.error, "pools/write" in seen.sentence) == ("HttpResponseError", True)
    assert both.statuses("Create Pool") == [403]
    assert both.statuses("Create Job") == []


@pytest.mark.parametrize("config", [SUBMITTER])
def test_our_role_that_may_submit_jobs_is_enough(both: Both) -> None:
    operator = operator_of()
    assert operator.execute(context_of(operator))["succeeded"] == 1
    assert {entry.principal for entry in both.entries("Create Job")} == {APPLICATION}


@pytest.fixture
def busy(both: Both) -> None:
    """A neighbour's task runs on the only node of a pool, which has a slot left."""
    job_id = both.batch.create_job("busy")
    both.neighbour(job_id, "long", "/bin/sleep 600")
    both.batch.running(job_id, "long")


def test_peer_on_a_busy_pool_submits_nothing(both: Both, busy: None) -> None:
    process = both.peer.start(batch_pool_id="busy", deferrable=False)
    both.until("List Nodes", 2)
    assert not process.is_over()
    assert "peer" not in {entry.path.rpartition("/")[2] for entry in both.entries("Create Task")}
    assert len(both.entries("Create Job")) == 1


def test_our_job_on_a_busy_pool_runs_beside_the_neighbours(both: Both, busy: None) -> None:
    operator = operator_of(pool_id="busy")
    assert operator.execute(context_of(operator))["succeeded"] == 1
    assert both.statuses("List Nodes") == []


def test_peer_holds_a_worker_for_a_pool_beyond_its_timeout_though_deferrable(both: Both, busy: None) -> None:
    process = both.peer.start("defer", batch_pool_id="busy", timeout=0.001)
    both.until("List Nodes", 2)
    assert not process.is_over()


def test_our_task_defers_whatever_the_pool_does(both: Both, busy: None) -> None:
    operator = operator_of(pool_id="busy", deferrable=True)
    with pytest.raises(TaskDeferred):
        operator.execute(context_of(operator))
    assert both.statuses("List Nodes") == []


def broken_pool(both: Both) -> str:
    """A pool whose start task fails on its only node."""
    start = models.BatchStartTask(command_line=shell("exit 7"), wait_for_success=True)
    pool_id = create_pool(both.batch, start_task=start)
    nodes_in(both.batch, pool_id, "starttaskfailed")
    return pool_id


@pytest.mark.parametrize("config", [CONTRIBUTOR])
def test_peer_takes_a_pool_without_a_usable_node_for_ready(both: Both) -> None:
    seen = both.peer.run(batch_pool_id=broken_pool(both), timeout=0.02)
    assert both.statuses("Create Task") == [201]
    assert (seen.error, seen.sentence) == ("RuntimeError", "Timeout waiting for Azure Batch job peer.")


@pytest.mark.parametrize("config", [CONTRIBUTOR])
def test_our_pool_without_a_usable_node_is_said_with_the_start_tasks_exit_code(both: Both) -> None:
    operator = operator_of(pool_id=broken_pool(both), poll_interval=0.2)
    with capture_logs() as said, ThreadPoolExecutor(1) as worker:
        running = worker.submit(operator.execute, context_of(operator))
        try:
            eventually(lambda: any("exit code 7" in str(one["event"]) for one in list(said)))
        finally:
            for job in both.batch.client.list_jobs():
                ended = both.batch.send("POST", f"/jobs/{job.id}/terminate", {"terminateReason": "a person"})
                ended.raise_for_status()
        with pytest.raises(JobFailed):
            running.result(60)


@pytest.mark.parametrize("config", [CONTRIBUTOR])
def test_peer_publisher_as_it_is_documented_finds_no_image(both: Both) -> None:
    given: dict[str, Any] = {"use_latest_verified_vm_image_and_sku": True, "vm_publisher": "Canonical"}
    seen = both.peer.run(sku_starts_with="22", **given)
    assert seen.error == "IndexError"
    assert both.statuses("List Supported Images") == [200]


def auto_pool(**sizes: int) -> dict[str, object]:
    pool = {"vm_size": "Standard_D2s_v3", "virtual_machine_configuration": MACHINE, **sizes}
    specification = {"pool_lifetime_option": "job", "pool": pool}
    return {"pool_info": {"auto_pool_specification": specification}}


@pytest.mark.parametrize("config", [CONTRIBUTOR])
def test_our_image_is_taken_as_azure_writes_it(both: Both) -> None:
    operator = operator_of(pool_id=None, job=auto_pool(target_dedicated_nodes=1))
    assert operator.execute(context_of(operator))["succeeded"] == 1


def test_peer_wants_an_image_and_dedicated_nodes_even_of_a_pool_that_is_there(both: Both) -> None:
    named = both.peer.run(vm_publisher=None)
    assert named.error == "AzureBatchVmPublisherMissingError"
    spot = both.peer.run(target_dedicated_nodes=None, target_low_priority_nodes=2)
    assert spot.error == "AzureBatchPoolSizingMissingError"
    assert both.statuses("Create Pool") == both.statuses("Create Job") == []


@pytest.mark.parametrize("config", [CONTRIBUTOR])
def test_our_job_names_a_pool_or_describes_one_of_spot_nodes_alone(both: Both) -> None:
    named = operator_of()
    assert named.execute(context_of(named))["succeeded"] == 1
    spot = operator_of(pool_id=None, job=auto_pool(target_low_priority_nodes=1))
    context = context_of(spot)
    context["ti"].run_id = "another"
    assert spot.execute(context)["succeeded"] == 1


@pytest.mark.parametrize(
    "config", [LocalAzureConfig(port=0, pools=(PoolConfig(id="cpu"), PoolConfig(id="own")))]
)
def test_peer_waits_on_the_worker_until_its_pool_is_gone(both: Both) -> None:
    both.break_("Get Pool", status=200, skip=1, body=_POOL_BEING_DELETED)
    process = both.peer.start(batch_pool_id="own", deferrable=False, should_delete_pool=True)
    both.until("Delete Pool")
    asked = len(both.entries("Get Pool"))
    both.until("Get Pool", asked + 2)
    assert not process.is_over()


_POOL_BEING_DELETED = '{"id": "own", "state": "deleting", "targetDedicatedNodes": 1}'


def test_our_clean_up_asks_once_and_waits_for_nothing(both: Both) -> None:
    operator = operator_of(cleanup="delete")
    assert operator.execute(context_of(operator))["succeeded"] == 1
    kept = [entry.operation for entry in both.azure.ledger.entries(service="batch")]
    assert kept[-1] == "Delete Job"
    assert both.statuses("Delete Pool") == []
    steady(both.batch, "cpu")
