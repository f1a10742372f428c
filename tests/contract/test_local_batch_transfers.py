"""Files between nodes and storage: resource files from containers, output files to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import requests
from azure.batch import models

from tests.contract.batch_fixtures import Batch, failure, shell
from tests.contract.test_local_batch_members import check


@pytest.fixture
def container(batch: Batch) -> str:
    """A container of the test's own."""
    name = f"{batch.new_id()}-files"
    assert batch.azure.storage.containers.create(name)
    return name


def put(batch: Batch, container: str, blobs: dict[str, bytes]) -> None:
    base, query = batch.azure.storage.container_url(container).split("?")
    for name, content in blobs.items():
        answer = requests.put(
            f"{base}/{name}?{query}",
            data=content,
            headers={"x-ms-blob-type": "BlockBlob"},
            verify=batch.session.verify,
            timeout=30,
        )
        assert answer.status_code == 201, answer.text


def stored(batch: Batch, container: str) -> dict[str, bytes]:
    return {blob.name: blob.path.read_bytes() for blob in batch.azure.storage.containers.walk(container)}


def output(url: str, pattern: str, condition: str = "tasksuccess", **destination: Any) -> models.OutputFile:
    return models.OutputFile(
        file_pattern=pattern,
        destination=models.OutputFileDestination(
            container=models.OutputFileBlobContainerDestination(container_url=url, **destination)
        ),
        upload_options=models.OutputFileUploadConfiguration(upload_condition=condition),
    )


def run(batch: Batch, script: str, *files: models.OutputFile, **options: Any) -> models.BatchTask:
    job_id = batch.create_job()
    return batch.run(job_id, "t", shell(script), output_files=list(files), **options)


def test_container_is_fetched_with_its_structure(batch: Batch, container: str) -> None:
    put(batch, container, {"a.txt": b"a", "dir/b.txt": b"b", "dir/deep/c%20d.txt": b"c"})
    url = batch.azure.storage.container_url(container, permissions="rl")
    job_id = batch.create_job()
    files = [models.ResourceFile(storage_container_url=url, file_path="in")]
    batch.run(job_id, "t", shell("cd in; find . -type f | sort; cat dir/deep/*"), resource_files=files)
    assert batch.read(job_id, "t") == b"./a.txt\n./dir/b.txt\n./dir/deep/c d.txt\nc"


def test_blob_prefix_and_mode_choose_of_the_accounts_own_storage(batch: Batch, container: str) -> None:
    put(batch, container, {"in/a": b"a", "in2": b"b", "other": b"c"})
    files = [models.ResourceFile(auto_storage_container_name=container, blob_prefix="in", file_mode="0640")]
    job_id = batch.create_job()
    batch.run(job_id, "t", shell("find . -type f -printf '%P %m\\n' | sort"), resource_files=files)
    assert batch.read(job_id, "t") == b"in/a 640\nin2 640\n"


@pytest.mark.parametrize(
    ("permissions", "lifetime", "exists", "code"),
    [
        ("rl", timedelta(hours=1), False, "BlobNotFound"),
        ("w", timedelta(hours=1), True, "BlobAccessDenied"),
        ("rl", timedelta(hours=-1), True, "BlobAccessDenied"),
    ],
)
def test_container_that_cannot_be_read_is_a_preparation_error(
    batch: Batch, container: str, permissions: str, lifetime: timedelta, exists: bool, code: str
) -> None:
    name = container if exists else "missing"
    url = batch.azure.storage.container_url(name, permissions=permissions, lifetime=lifetime)
    job_id = batch.create_job()
    task = batch.run(
        job_id, "t", "/bin/true", resource_files=[models.ResourceFile(storage_container_url=url)]
    )
    assert failure(task).code == code


def test_blob_does_not_leave_the_working_directory(batch: Batch, container: str) -> None:
    put(batch, container, {"..%2f..%2fescaped": b"x"})
    files = [models.ResourceFile(auto_storage_container_name=container)]
    job_id = batch.create_job()
    task = batch.run(job_id, "t", "/bin/true", resource_files=files)
    assert failure(task).code == "ResourceFileCreateFailed"


def test_file_is_sent_under_the_name_of_its_path(batch: Batch, container: str) -> None:
    url = batch.azure.storage.container_url(container, permissions="w")
    task = run(
        batch,
        "echo out; echo result > r.json",
        output(url, "r.json", path="results/one.json"),
        output(url, "r.json"),
        output(url, "../stdout.txt", path="log"),
        output(url, "absent.txt"),
    )
    assert task.execution_info is not None
    assert task.execution_info.result == "success"
    assert stored(batch, container) == {
        "results/one.json": b"result\n",
        "r.json": b"result\n",
        "log": b"out\n",
    }


def test_patterns_keep_the_structure_below_where_they_begin(batch: Batch, container: str) -> None:
    url = batch.azure.storage.container_url(container)
    script = "mkdir -p a/b; for f in x.txt .h.txt a/y.txt a/b/z.txt a/b/z.bin; do echo > $f; done"
    run(batch, script, output(url, "**/*.txt", path="all/"), output(url, "a/*/[yz].???", path="some"))
    assert set(stored(batch, container)) == {
        "all/x.txt",
        "all/a/y.txt",
        "all/a/b/z.txt",
        "some/b/z.txt",
        "some/b/z.bin",
    }


def test_variables_in_patterns_are_those_of_the_task(batch: Batch, container: str) -> None:
    url = batch.azure.storage.container_url(container)
    settings = [models.EnvironmentSetting(name="KIND", value="csv")]
    run(
        batch,
        "touch $AZ_BATCH_TASK_ID.csv",
        output(url, "$AZ_BATCH_TASK_WORKING_DIR/$AZ_BATCH_TASK_ID.$KIND", path="x"),
        environment_settings=settings,
    )
    assert set(stored(batch, container)) == {"x"}


@pytest.mark.parametrize(
    ("script", "sent"), [("exit 0", {"success", "completion"}), ("exit 5", {"failure", "completion"})]
)
def test_condition_says_after_which_ends_a_file_is_sent(
    batch: Batch, container: str, script: str, sent: set[str]
) -> None:
    url = batch.azure.storage.container_url(container)
    conditions = ("success", "failure", "completion")
    files = [output(url, "../stderr.txt", f"task{name}", path=name) for name in conditions]
    run(batch, script, *files)
    assert set(stored(batch, container)) == sent


def test_missing_container_fails_a_task_whose_program_succeeded(batch: Batch) -> None:
    url = batch.azure.storage.container_url("nowhere")
    task = run(batch, "true", output(url, "../stdout.txt"))
    assert task.execution_info is not None
    assert (task.execution_info.exit_code, task.execution_info.result) == (0, "failure")
    found = failure(task)
    assert (found.category.lower(), found.code) == ("usererror", "FileUploadContainerNotFound")  # type: ignore[union-attr]
    assert "sig=" not in str(found.as_dict())


def test_upload_that_is_refused_says_why_in_the_nodes_log(batch: Batch, container: str) -> None:
    job_id = batch.create_job()
    url = batch.azure.storage.container_url(container, permissions="r")
    task = batch.run(job_id, "t", "/bin/true", output_files=[output(url, "../stdout.txt")])
    assert failure(task).code == "FileUploadMiscError"
    errors = batch.read(job_id, "t", "fileuploaderr.txt")
    assert b"AuthorizationPermissionMismatch" in errors
    assert b"sig=" not in errors
    check(batch.send("GET", f"/jobs/{job_id}/tasks/t").json(), models.BatchTask)


@pytest.mark.parametrize(("exit_code", "blocks"), [(0, False), (7, True)])
def test_upload_error_has_a_condition_of_its_own_after_that_of_the_exit_code(
    batch: Batch, exit_code: int, blocks: bool
) -> None:
    job_id = batch.create_job(uses_task_dependencies=True)
    conditions = models.ExitConditions(
        exit_codes=[
            models.ExitCodeMapping(code=7, exit_options=models.ExitOptions(dependency_action="block"))
        ],
        file_upload_error=models.ExitOptions(dependency_action="satisfy"),
    )
    url = batch.azure.storage.container_url("nowhere")
    files = [output(url, "../stdout.txt", "taskcompletion")]
    batch.add(job_id, "next", depends_on=models.BatchTaskDependencies(task_ids=["t"]))
    batch.run(job_id, "t", shell(f"exit {exit_code}"), output_files=files, exit_conditions=conditions)
    if blocks:
        assert batch.client.get_task(job_id, "next").state == "active"
    else:
        batch.finished(job_id, "next")
