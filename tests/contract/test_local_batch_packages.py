"""Application packages of tasks and of pools on the nodes of local Batch."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from azure.batch import models

from airflow_provider_batchad.local.config import BatchApplicationConfig
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import CONFIG, Batch, failure, shell
from tests.contract.pool_fixtures import MACHINE, create_pool, nodes_in
from tests.contract.test_local_batch_members import check
from tests.contract.test_local_batch_wire import check_error


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    """An account with an application of two versions, and one whose package is no zip file."""
    directory = tmp_path_factory.mktemp("packages")
    packages: dict[str, Path] = {}
    for version in ("1.0", "2.0"):
        packages[version] = directory / f"{version}.zip"
        with zipfile.ZipFile(packages[version], "w") as archive:
            archive.writestr("bin/version.txt", version)
    broken = directory / "broken.zip"
    broken.write_text("no zip file")
    config = replace(
        CONFIG,
        batch_applications=(
            BatchApplicationConfig(id="my-tool", packages=packages),
            BatchApplicationConfig(id="broken", packages={"1": broken}),
            BatchApplicationConfig(id="unused"),
        ),
    )
    with LocalAzure(config) as azure:
        account = Batch(azure)
        yield account
        account.close()


def reference(application: str, version: str | None = None) -> list[models.BatchApplicationPackageReference]:
    return [models.BatchApplicationPackageReference(application_id=application, version=version)]


@pytest.mark.parametrize(
    ("version", "variable", "found"),
    [
        ("1.0", "AZ_BATCH_APP_PACKAGE_my_tool_1_0", b"1.0"),
        ("2.0", "AZ_BATCH_APP_PACKAGE_my_tool_2_0", b"2.0"),
        (None, "AZ_BATCH_APP_PACKAGE_my_tool", b"2.0"),
    ],
)
def test_package_is_unpacked_and_found_by_its_variable(
    batch: Batch, version: str | None, variable: str, found: bytes
) -> None:
    job_id = batch.create_job()
    for number in range(3):
        batch.run(
            job_id,
            f"t{number}",
            shell(f"cat ${variable}/bin/version.txt"),
            application_package_references=reference("my-tool", version),
        )
        assert batch.read(job_id, f"t{number}") == found
    shown = batch.client.get_task(job_id, "t0")
    assert shown.application_package_references == reference("my-tool", version)


@pytest.mark.parametrize(("application", "version"), [("my-tool", "3"), ("none", None), ("unused", "1")])
def test_package_that_is_not_there_is_refused(batch: Batch, application: str, version: str | None) -> None:
    wanted = {"applicationId": application} | ({"version": version} if version else {})
    task = {"id": "t", "commandLine": "/bin/true", "applicationPackageReferences": [wanted]}
    answer = batch.send("POST", f"/jobs/{batch.create_job()}/tasks", task)
    check_error(answer, 409, "InvalidApplicationPackageReferences")
    job = {"id": batch.new_id(), "poolInfo": {"poolId": "cpu"}, "jobManagerTask": task}
    check_error(batch.send("POST", "/jobs", job), 409, "InvalidApplicationPackageReferences")


@pytest.mark.parametrize("application", ["broken", "unused"])
def test_package_that_cannot_be_unpacked_is_a_preparation_error(batch: Batch, application: str) -> None:
    job_id = batch.create_job()
    task = batch.run(job_id, "t", "/bin/true", application_package_references=reference(application))
    assert failure(task).code == "ResourceFileCreateFailed"
    assert task.execution_info is not None
    assert task.execution_info.exit_code is None


@pytest.mark.parametrize("is_qualified", [True, False])
def test_packages_of_a_pool_are_there_for_its_start_task_and_every_task(
    batch: Batch, is_qualified: bool
) -> None:
    prefix = f"{batch.azure.config.account_scope}/applications/" if is_qualified else ""
    packages = reference(f"{prefix}my-tool", "1.0")
    show = "cat $AZ_BATCH_APP_PACKAGE_my_tool_1_0/bin/version.txt"
    pool_id = create_pool(
        batch,
        nodes=2,
        application_package_references=packages,
        start_task=models.BatchStartTask(command_line=shell(show)),
    )
    for node in nodes_in(batch, pool_id, "idle"):
        assert b"".join(batch.client.download_node_file(pool_id, node.id, "startup/stdout.txt")) == b"1.0"
    job_id = batch.create_job(
        pool_id,
        job_preparation_task=models.BatchJobPreparationTask(command_line=shell(show), wait_for_success=True),
    )
    batch.run(job_id, "t", shell(show))
    assert batch.read(job_id, "t") == b"1.0"
    own = "cat $AZ_BATCH_APP_PACKAGE_my_tool/bin/version.txt"
    batch.run(job_id, "own", shell(f"{show} && {own}"), application_package_references=reference("my-tool"))
    assert batch.read(job_id, "own") == b"1.02.0"
    assert batch.client.get_pool(pool_id).application_package_references == packages


@pytest.mark.parametrize(
    ("application", "version"), [("my-tool", "3"), ("none", None), ("unused", None), ("/other/my-tool", None)]
)
def test_pool_with_a_package_that_is_not_there_is_refused(
    batch: Batch, application: str, version: str | None
) -> None:
    wanted = {"applicationId": application} | ({"version": version} if version else {})
    packages = {"applicationPackageReferences": [wanted]}
    machine = {"vmSize": "small", "virtualMachineConfiguration": MACHINE.as_dict()}
    pool = {"id": batch.new_id(), **machine, **packages}
    check_error(batch.send("POST", "/pools", pool), 409, "InvalidApplicationPackageReferences")
    check_error(batch.send("PATCH", "/pools/cpu", packages), 409, "InvalidApplicationPackageReferences")
    replaced = {"metadata": [], **packages}
    answer = batch.send("POST", "/pools/cpu/updateproperties", replaced)
    check_error(answer, 409, "InvalidApplicationPackageReferences")


def test_job_whose_auto_pool_wants_what_is_not_there_says_so(batch: Batch) -> None:
    specification = models.BatchAutoPoolSpecification(
        pool_lifetime_option="job",
        pool=models.BatchPoolSpecification(
            vm_size="small",
            virtual_machine_configuration=MACHINE,
            application_package_references=reference("none"),
        ),
    )
    job_id = batch.new_id()
    pool_info = models.BatchPoolInfo(auto_pool_specification=specification)
    batch.client.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=pool_info))
    job = batch.client.get_job(job_id)
    assert job.state == "completed"
    error = job.execution_info.scheduling_error
    assert error.code == "InvalidApplicationPackageReferencesInAutoPool"


def test_new_packages_of_a_pool_are_for_nodes_that_start_later(batch: Batch) -> None:
    pool_id = create_pool(batch)
    (node,) = nodes_in(batch, pool_id, "idle")
    update = models.BatchPoolUpdateOptions(application_package_references=reference("my-tool"))
    batch.client.update_pool(pool_id, update)
    job_id = batch.create_job(pool_id)
    show = shell("cat $AZ_BATCH_APP_PACKAGE_my_tool/bin/version.txt")
    assert batch.run(job_id, "before", show).execution_info.exit_code == 1
    reboot = {"nodeRebootOption": "requeue"}
    batch.client.begin_reboot_node(pool_id, node.id, reboot, polling_interval=0.02).result()
    assert batch.run(job_id, "after", show).execution_info.exit_code == 0
    replaced = models.BatchPoolReplaceOptions(application_package_references=[], metadata=[])
    batch.client.replace_pool_properties(pool_id, replaced)
    assert not batch.client.get_pool(pool_id).application_package_references


def test_node_that_cannot_get_its_packages_is_unusable_until_it_restarts(batch: Batch) -> None:
    pool_id = create_pool(batch, application_package_references=reference("broken", "1"))
    (node,) = nodes_in(batch, pool_id, "unusable")
    (error,) = node.errors
    assert error.code == "ApplicationPackageError"
    assert error.message == "One or more application packages specified for the pool are invalid"
    details = {one.name: one.value for one in error.error_details}
    assert details["ApplicationPackageReference"] == "broken:1"
    check(batch.send("GET", f"/pools/{pool_id}/nodes/{node.id}").json(), models.BatchNode)
    counts = next(iter(batch.client.list_pool_node_counts(filter=f"poolId eq '{pool_id}'")))
    assert counts.dedicated.unusable == 1
    job_id = batch.create_job(pool_id)
    batch.add(job_id, "t")
    assert batch.client.get_task(job_id, "t").state == "active"
    update = models.BatchPoolUpdateOptions(application_package_references=reference("my-tool"))
    batch.client.update_pool(pool_id, update)
    reboot = {"nodeRebootOption": "requeue"}
    batch.client.begin_reboot_node(pool_id, node.id, reboot, polling_interval=0.02).result()
    assert batch.finished(job_id, "t").execution_info.exit_code == 0
    (node,) = nodes_in(batch, pool_id, "idle")
    assert not node.errors
