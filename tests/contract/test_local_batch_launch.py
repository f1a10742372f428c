"""What cannot be started, fetched or sent fails as documented, and nothing beside it notices."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from azure.batch import models

from airflow_provider_batchad.local.batch.downloads import Downloader
from airflow_provider_batchad.local.batch.processes import Command, Processes, ProcessRefused
from tests.contract.batch_fixtures import Batch, eventually, failure, shell
from tests.contract.pool_fixtures import create_pool, nodes_in

BLANK = "  "


def command(place: Path, *argv: str, **changes: Any) -> Command:
    fields = {"environment": {}, "directory": place, "stdout": place / "out", "stderr": place / "err"}
    return Command(**{"argv": list(argv), **fields, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"argv": []},
        {"argv": ["/bin/true", 1]},
        {"argv": ["/bin/true", "\0"]},
        {"argv": ["/bin/true"], "environment": {"A=B": "c"}},
        {"argv": ["/bin/true"], "environment": {"A": None}},
        {"argv": ["/bin/true"], "directory": Path("/nowhere")},
        {"argv": ["/bin/true"], "environment": {"AZ_BATCH_TASK_DIR": "\ud800"}},
    ],
    ids=["no program", "no text", "a zero byte", "no name", "no value", "no directory", "no letter"],
)
async def test_command_that_cannot_be_started_ends_no_other(tmp_path: Path, changes: dict[str, Any]) -> None:
    processes = Processes()
    try:
        neighbour = await processes.start(command(tmp_path, "/bin/sleep", "1000"))
        with pytest.raises(ProcessRefused):
            await processes.start(command(tmp_path, **changes))
        after = await processes.start(command(tmp_path, "/bin/true"))
        assert await asyncio.wait_for(after.ended, 20) == 0
        assert not neighbour.ended.done()
        os.kill(neighbour.pid, 0)
    finally:
        await processes.close()


@pytest.fixture
def neighbour(batch: Batch) -> Any:
    """A task that runs meanwhile, and still does when the test is over: it was never started again."""
    job_id = batch.create_job()
    batch.add(job_id, "neighbour", shell("sleep 1000"))
    before = batch.running(job_id, "neighbour")
    yield
    after = batch.client.get_task(job_id, "neighbour")
    assert before.execution_info is not None
    assert after.execution_info is not None
    assert after.state == "running"
    assert after.execution_info.start_time == before.execution_info.start_time
    assert not after.execution_info.requeue_count
    batch.send("DELETE", f"/jobs/{job_id}")


@pytest.mark.usefixtures("neighbour")
def test_blank_start_task_cannot_be_launched(batch: Batch) -> None:
    pool_id = create_pool(batch, start_task=models.BatchStartTask(command_line=BLANK))
    [node] = nodes_in(batch, pool_id, "starttaskfailed")
    info = node.start_task_info
    assert info is not None
    assert info.failure_info is not None
    assert (info.state, info.result, info.exit_code) == ("completed", "failure", None)
    assert info.failure_info.code == "CommandLaunchFailed"


@pytest.mark.usefixtures("neighbour")
def test_blank_preparation_cannot_be_launched(batch: Batch) -> None:
    preparation = models.BatchJobPreparationTask(command_line=BLANK)
    job_id = batch.create_job(pool="one", job_preparation_task=preparation)
    batch.add(job_id, "t")

    def ended() -> models.BatchJobPreparationTaskExecutionInfo | None:
        for status in batch.client.list_job_preparation_and_release_task_status(job_id):
            info = status.job_preparation_task_execution_info
            if info is not None and info.state == "completed":
                return info
        return None

    info = eventually(ended)
    assert info is not None
    assert info.failure_info is not None
    assert (info.result, info.failure_info.code) == ("failure", "CommandLaunchFailed")
    batch.client.begin_delete_job(job_id, polling_interval=0).wait()


@pytest.mark.usefixtures("neighbour")
def test_blank_release_cannot_be_launched(batch: Batch) -> None:
    job_id = batch.create_job(
        pool="one",
        job_preparation_task=models.BatchJobPreparationTask(command_line="/bin/true"),
        job_release_task=models.BatchJobReleaseTask(command_line=BLANK),
    )
    batch.run(job_id, "t", "/bin/true")
    batch.send("POST", f"/jobs/{job_id}/terminate")
    batch.job_in(job_id, "completed")
    [status] = batch.client.list_job_preparation_and_release_task_status(job_id)
    info = status.job_release_task_execution_info
    assert info is not None
    assert info.failure_info is not None
    assert (info.result, info.failure_info.code) == ("failure", "CommandLaunchFailed")


@pytest.mark.usefixtures("neighbour")
def test_blank_coordination_command_cannot_be_launched(batch: Batch) -> None:
    pool_id = create_pool(batch, nodes=2, enable_inter_node_communication=True)
    assert len(nodes_in(batch, pool_id, "idle")) == 2
    settings = models.MultiInstanceSettings(number_of_instances=2, coordination_command_line=BLANK)
    job_id = batch.create_job(pool=pool_id)
    task = batch.run(job_id, "t", "/bin/true", multi_instance_settings=settings)
    assert failure(task).code == "CommandLaunchFailed"
    for node in nodes_in(batch, pool_id, "idle"):
        assert (node.running_tasks_count, node.running_task_slots_count) == (0, 0)


UNREADABLE = ["http://[::1", "http://localhost:99999/", "http://xn--\ud7ff/"]


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("url", UNREADABLE)
def test_resource_file_of_no_readable_url_fails_its_task_and_frees_its_slot(batch: Batch, url: str) -> None:
    job_id = batch.create_job(pool="one")
    file = models.ResourceFile(http_url=url, file_path="f")
    task = batch.run(job_id, "t", "/bin/true", resource_files=[file])
    assert failure(task).code == "BlobDownloadMiscError"
    assert batch.run(job_id, "after", "/bin/true").execution_info.exit_code == 0  # type: ignore[union-attr]


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("url", ["http://[::1", "http://localhost:99999/c"])
def test_output_file_of_no_readable_url_fails_its_task(batch: Batch, url: str) -> None:
    destination = models.OutputFileDestination(
        container=models.OutputFileBlobContainerDestination(container_url=url, path="out")
    )
    options = models.OutputFileUploadConfiguration(upload_condition="taskcompletion")
    file = models.OutputFile(file_pattern="../std*.txt", destination=destination, upload_options=options)
    task = batch.run(batch.create_job(pool="one"), "t", "/bin/echo x", output_files=[file])
    assert failure(task).code == "FileUploadMiscError"


def test_preparation_of_no_readable_url_ends(batch: Batch) -> None:
    file = models.ResourceFile(http_url=UNREADABLE[0], file_path="f")
    preparation = models.BatchJobPreparationTask(command_line="/bin/true", resource_files=[file])
    job_id = batch.create_job(pool="one", job_preparation_task=preparation)
    batch.add(job_id, "t")

    def code() -> str | None:
        for status in batch.client.list_job_preparation_and_release_task_status(job_id):
            info = status.job_preparation_task_execution_info
            if info is not None and info.failure_info is not None:
                return info.failure_info.code
        return None

    assert eventually(code) == "BlobDownloadMiscError"
    batch.client.begin_delete_job(job_id, polling_interval=0).wait()


def test_what_nobody_expects_ends_the_run_and_is_logged(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fetch_all(*_: object) -> None:
        raise RuntimeError("nobody expects this")

    monkeypatch.setattr(Downloader, "fetch_all", fetch_all)
    job_id = batch.create_job(pool="one")
    file = models.ResourceFile(http_url="http://localhost/x", file_path="f")
    task = batch.run(job_id, "t", "/bin/true", resource_files=[file])
    assert failure(task).code == "Unknown"
    assert "nobody expects this" in caplog.text
    monkeypatch.undo()
    assert failure(batch.run(job_id, "after", "/bin/false")).code == "FailureExitCode"
