"""What Microsoft's clients see of a local Azure, to be compared with what they see after its restart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from azure.batch import models
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.listeners import PortTaken
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import Batch, eventually
from tests.contract.management_fixtures import Manager


def start(config: LocalAzureConfig) -> LocalAzure:
    """Local Azure on the ports that it had before; another process may have one of them for a moment."""

    def try_once() -> LocalAzure | None:
        try:
            return LocalAzure(config).start()
        except PortTaken:
            return None

    return eventually(try_once, seconds=60)


@contextmanager
def started(config: LocalAzureConfig) -> Iterator[LocalAzure]:
    """The same, until the end of the block."""
    azure = start(config)
    try:
        yield azure
    finally:
        azure.stop()


@contextmanager
def vault_of(azure: LocalAzure) -> Iterator[SecretClient]:
    """The vault, as the machine's identity."""
    ca_file = os.fspath(azure.ca_file)
    with (
        ManagedIdentityCredential(connection_verify=ca_file) as credential,
        SecretClient(
            azure.endpoints.keyvault,
            credential,
            verify_challenge_resource=False,
            connection_verify=ca_file,
            retry_total=0,
        ) as client,
    ):
        yield client


def see_batch(batch: Batch) -> dict[str, Any]:
    """All that the Batch account shows."""
    client = batch.client
    jobs = [job.as_dict() for job in client.list_jobs()]
    return {
        "jobs": jobs,
        "tasks": {job["id"]: [one.as_dict() for one in client.list_tasks(job["id"])] for job in jobs},
        "counts": {job["id"]: client.get_job_task_counts(job["id"]).as_dict() for job in jobs},
        "prepared": {
            job["id"]: [
                one.as_dict() for one in client.list_job_preparation_and_release_task_status(job["id"])
            ]
            for job in jobs
            if "jobPreparationTask" in job
        },
        "schedules": [one.as_dict() for one in client.list_job_schedules()],
        "pools": [pool.as_dict() for pool in client.list_pools()],
        "nodes": {
            pool.id: [node.as_dict() for node in client.list_nodes(pool.id)] for pool in client.list_pools()
        },
    }


def see_vault(client: SecretClient) -> dict[str, Any]:
    """All that the vault shows."""
    names = sorted(one.name or "" for one in client.list_properties_of_secrets())
    versions = {
        name: sorted(
            (one.version or "", client.get_secret(name, one.version).value, one.expires_on, one.tags)
            for one in client.list_properties_of_secret_versions(name)
            if one.enabled
        )
        for name in names
    }
    deleted = [(one.name, one.deleted_date) for one in client.list_deleted_secrets()]
    return {"versions": versions, "deleted": deleted}


def see_management(manager: Manager) -> dict[str, Any]:
    """All that Resource Manager shows."""
    config = manager.config
    scope = config.account_scope
    keys = manager.batch.batch_account.get_keys(config.resource_group, config.account)
    return {
        "definitions": sorted(
            (one.id, one.role_name) for one in manager.authorization.role_definitions.list(scope)
        ),
        "assignments": sorted(one.id for one in manager.authorization.role_assignments.list_for_scope(scope)),
        "denials": sorted(one.id for one in manager.authorization.deny_assignments.list_for_scope(scope)),
        "keys": (keys.primary, keys.secondary),
    }


def fill_batch(batch: Batch) -> None:
    """Pools, schedules, and jobs in as many states as stay as they are."""
    client = batch.client
    image = models.BatchVmImageReference(
        publisher="canonical", offer="ubuntu-24_04-lts", sku="server", version="latest"
    )
    machine = models.VirtualMachineConfiguration(
        image_reference=image, node_agent_sku_id="batch.node.ubuntu 24.04"
    )
    sizes: dict[str, dict[str, Any]] = {
        "fixed": {"target_dedicated_nodes": 1},
        "scaled": {"enable_auto_scale": True, "auto_scale_formula": "$TargetDedicatedNodes = 1;"},
    }

    def has_one_idle_node(pool_id: str) -> bool:
        return [node.state for node in client.list_nodes(pool_id)] == ["idle"]

    for pool_id, options in sizes.items():
        pool = models.BatchPoolCreateOptions(
            id=pool_id,
            vm_size="STANDARD_D2S_V3",
            virtual_machine_configuration=machine,
            metadata=[models.BatchMetadataItem(name="team", value="weather")],
            **options,
        )
        client.create_pool(pool)
        eventually(partial(has_one_idle_node, pool_id))
    prepared = batch.create_job(
        job_preparation_task=models.BatchJobPreparationTask(command_line="/bin/true"),
        uses_task_dependencies=True,
        metadata=[models.BatchMetadataItem(name="owner", value="me")],
    )
    batch.run(prepared, "1", "/bin/sh -c 'echo out; echo err >&2; echo result > result.txt'")
    batch.run(prepared, "2", "/bin/sh -c 'exit 3'")
    batch.add(prepared, "3", depends_on=models.BatchTaskDependencies(task_ids=["1", "2"], task_id_ranges=[]))
    done = batch.create_job()
    batch.run(done, "only", "/bin/true")
    batch.send("POST", f"/jobs/{done}/terminate", {"terminateReason": "enough"})
    batch.job_in(done, "completed")
    disabled = batch.create_job()
    batch.add(disabled, "later")
    batch.finished(disabled, "later")
    batch.send("POST", f"/jobs/{disabled}/disable", {"disableTasks": "requeue"})
    batch.job_in(disabled, "disabled")
    waiting = batch.create_job("empty")
    for number in range(3):
        batch.add(waiting, f"w{number}")
    client.create_job_schedule(
        models.BatchJobScheduleCreateOptions(
            id="hourly",
            schedule=models.BatchJobScheduleConfiguration(recurrence_interval=timedelta(hours=1)),
            job_specification=models.BatchJobSpecification(
                pool_info=models.BatchPoolInfo(pool_id="empty"), display_name="by the hour"
            ),
        )
    )
