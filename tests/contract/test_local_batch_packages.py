"""Application packages of tasks on the nodes of local Batch."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from azure.batch import models

from airflow_provider_batchad.local.config import BatchApplicationConfig
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import CONFIG, Batch
from tests.contract.test_local_batch_tasks import failure, shell
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


@pytest.mark.parametrize(("application", "version"), [("my-tool", "3"), ("none", None), ("unused", None)])
def test_package_that_is_not_there_is_refused(batch: Batch, application: str, version: str | None) -> None:
    wanted = {"applicationId": application} | ({"version": version} if version else {})
    task = {"id": "t", "commandLine": "/bin/true", "applicationPackageReferences": [wanted]}
    answer = batch.send("POST", f"/jobs/{batch.create_job()}/tasks", task)
    check_error(answer, 409, "InvalidApplicationPackageReferences")
    job = {"id": batch.new_id(), "poolInfo": {"poolId": "cpu"}, "jobManagerTask": task}
    check_error(batch.send("POST", "/jobs", job), 409, "InvalidApplicationPackageReferences")


def test_package_that_cannot_be_unpacked_is_a_preparation_error(batch: Batch) -> None:
    job_id = batch.create_job()
    task = batch.run(job_id, "t", "/bin/true", application_package_references=reference("broken"))
    assert failure(task).code == "ResourceFileCreateFailed"
    assert task.execution_info is not None
    assert task.execution_info.exit_code is None
