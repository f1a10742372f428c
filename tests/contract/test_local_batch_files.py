"""Files of tasks and nodes, and resource files, by Microsoft's client."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import CONFIG, Batch, failure, info, shell
from tests.contract.test_local_batch_jobs import code_of

SCRIPT = "printf 0123456789; mkdir -p 'deep dir/b'; printf x > 'deep dir/b/ünï %41.json'; : > empty"


def refusal(batch: Batch, job_id: str, path: str, **headers: str) -> tuple[int, str]:
    """By a bare request: the client does not read the error of what it would stream."""
    answer = batch.send("GET", f"/jobs/{job_id}/tasks/t/files/{quote(path, safe='')}", headers=headers)
    return answer.status_code, answer.json()["code"]


@pytest.fixture(scope="module")
def done(batch: Batch) -> str:
    """A job whose task ``t`` has written some files."""
    job_id = batch.create_job()
    batch.run(job_id, "t", shell(SCRIPT))
    return job_id


def test_files_are_listed_flat_or_deep(batch: Batch, done: str) -> None:
    flat = {file.name: file for file in batch.client.list_task_files(done, "t")}
    assert list(flat) == ["stderr.txt", "stdout.txt", "wd"]
    assert flat["wd"].is_directory
    assert flat["wd"].properties is None
    properties = flat["stdout.txt"].properties
    assert properties is not None
    assert (properties.content_length, properties.content_type) == (10, "text/plain")
    deep = [file.name for file in batch.client.list_task_files(done, "t", recursive=True)]
    assert deep == sorted(deep)
    assert {"wd/deep dir", "wd/deep dir/b/ünï %41.json", "wd/empty"} < set(deep)


def test_file_list_has_pages_and_a_filter_by_prefix(batch: Batch, done: str) -> None:
    whole = [file.name for file in batch.client.list_task_files(done, "t", recursive=True)]
    paged = [file.name for file in batch.client.list_task_files(done, "t", recursive=True, max_results=2)]
    assert paged == whole
    some = batch.client.list_task_files(done, "t", recursive=True, filter="startswith(name,'wd/')")
    assert [file.name for file in some] == [name for name in whole if name.startswith("wd/")]


def test_file_with_any_name_is_read(batch: Batch, done: str) -> None:
    assert batch.read(done, "t", "wd/deep dir/b/ünï %41.json") == b"x"
    assert batch.read(done, "t", "wd/empty") == b""


def test_part_of_a_file_is_read(batch: Batch, done: str) -> None:
    def part(header: str) -> bytes:
        return b"".join(batch.client.download_task_file(done, "t", "stdout.txt", ocp_range=header))

    assert part("bytes=2-4") == b"234"
    assert part("bytes=7-") == b"789"
    assert part("bytes=8-100") == b"89"
    assert refusal(batch, done, "stdout.txt", **{"ocp-range": "bytes=10-11"}) == (416, "InvalidRange")
    assert refusal(batch, done, "stdout.txt", **{"ocp-range": "lines=1"}) == (400, "InvalidHeaderValue")


def test_standard_range_is_answered_by_the_standard(batch: Batch, done: str) -> None:
    answer = batch.send("GET", f"/jobs/{done}/tasks/t/files/stdout.txt", headers={"Range": "bytes=0-1"})
    assert (answer.status_code, answer.content, answer.headers["Content-Range"]) == (
        206,
        b"01",
        "bytes 0-1/10",
    )


def test_properties_of_a_file(batch: Batch, done: str) -> None:
    found = batch.client.get_task_file_properties(done, "t", "stdout.txt")
    assert (found.content_length, found.is_directory) == (10, False)
    assert unquote(found.url or "") == f"{batch.url}/jobs/{done}/tasks/t/files/stdout.txt"
    assert int(found.file_mode or "", 8) & 0o170000 == 0o100000


def test_file_that_is_not_there(batch: Batch, done: str) -> None:
    for path in ("nothing", "wd/nothing", "../x", "../../../../../../etc/passwd", "/etc/passwd"):
        with pytest.raises(ResourceNotFoundError):
            batch.read(done, "t", path)
        assert refusal(batch, done, path) == (404, "FileNotFound")


def test_link_out_of_the_tasks_directory_leads_nowhere(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.run(job_id, "t", "/bin/ln -s /etc/passwd link")
    with pytest.raises(ResourceNotFoundError):
        batch.read(job_id, "t", "wd/link")


def test_what_is_no_file_cannot_be_read(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.run(job_id, "t", "/usr/bin/mkfifo pipe")
    for path in ("wd", "wd/pipe"):
        assert refusal(batch, job_id, path) == (403, "IOError")


def test_files_of_a_task_that_has_not_run_are_unavailable(batch: Batch) -> None:
    job_id = batch.create_job(pool="empty")
    batch.add(job_id, "t")
    assert refusal(batch, job_id, "stdout.txt") == (409, "TaskFilesUnavailable")


def test_output_of_a_running_task_can_be_read(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "t", shell("echo begun; sleep 100"))
    batch.running(job_id, "t")
    while batch.read(job_id, "t") != b"begun\n":
        pass
    batch.client.terminate_task(job_id, "t")


def test_large_output_is_streamed_whole(batch: Batch) -> None:
    job_id = batch.create_job()
    size = 20 * 1024 * 1024
    batch.run(job_id, "t", f"/usr/bin/head -c {size} /dev/zero")
    assert sum(map(len, batch.client.download_task_file(job_id, "t", "stdout.txt"))) == size


def test_files_and_directories_can_be_deleted(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.run(job_id, "t", shell("mkdir d; echo x > d/f; echo y > g"))
    batch.client.delete_task_file(job_id, "t", "wd/g")
    with pytest.raises(HttpResponseError) as error:
        batch.client.delete_task_file(job_id, "t", "wd/d")
    assert code_of(error) == "IOError"
    batch.client.delete_task_file(job_id, "t", "wd/d", recursive=True)
    left = batch.client.list_task_files(job_id, "t", recursive=True, filter="startswith(name,'wd/')")
    assert list(left) == []


def test_retention_time_follows_the_clock(own_batch: Batch) -> None:
    job_id = own_batch.create_job()
    own_batch.run(job_id, "t", "/bin/echo x")
    own_batch.azure.clock.advance(dt.timedelta(days=6))
    assert own_batch.read(job_id, "t") == b"x\n"
    own_batch.azure.clock.advance(dt.timedelta(days=2))
    assert refusal(own_batch, job_id, "stdout.txt") == (409, "TaskFilesCleanedup")


def test_node_has_the_directories_of_a_real_one(batch: Batch, done: str) -> None:
    node_info = batch.client.get_task(done, "t").node_info
    assert node_info is not None
    node_id = node_info.node_id
    assert node_id is not None
    names = [file.name for file in batch.client.list_node_files("cpu", node_id)]
    assert names == ["applications", "fsmounts", "shared", "startup", "volatile", "workitems"]
    path = f"{node_info.task_root_directory}/stdout.txt"
    assert b"".join(batch.client.download_node_file("cpu", node_id, path)) == b"0123456789"
    assert batch.client.get_node_file_properties("cpu", node_id, path).content_length == 10


@pytest.fixture
def storing(tmp_path: Path) -> Iterator[Batch]:
    """An account beside a storage that holds one blob."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in.csv").write_text("a,b\n")
    with LocalAzure(replace(CONFIG, files_dir=tmp_path)) as azure:
        account = Batch(azure)
        yield account
        account.close()


def test_resource_file_is_there_before_the_program_starts(storing: Batch) -> None:
    job_id = storing.create_job()
    url = f"{storing.azure.endpoints.storage}/data/in.csv"
    files = [
        models.ResourceFile(http_url=url, file_path="deep/in.csv"),
        models.ResourceFile(http_url=url, file_path="run.sh", file_mode="0700"),
    ]
    task = storing.run(job_id, "t", shell("cat deep/in.csv; stat -c %a run.sh"), resource_files=files)
    assert (info(task).exit_code, storing.read(job_id, "t")) == (0, b"a,b\n700\n")


def test_resource_file_that_cannot_be_had_is_a_preprocessing_error(storing: Batch) -> None:
    job_id = storing.create_job(task_failure_mode="performexitoptionsjobaction")
    url = f"{storing.azure.endpoints.storage}/data/missing.csv"
    task = storing.run(
        job_id,
        "t",
        "/bin/true",
        resource_files=[models.ResourceFile(http_url=url, file_path="x")],
        constraints=models.BatchTaskConstraints(max_task_retry_count=5),
        exit_conditions=models.ExitConditions(
            pre_processing_error=models.ExitOptions(job_action="none"),
            default=models.ExitOptions(job_action="terminate"),
        ),
    )
    assert (failure(task).code, info(task).exit_code, info(task).retry_count) == ("BlobNotFound", None, 0)
    details = {item.name: item.value for item in failure(task).details or ()}
    assert details == {"HttpUrl": url, "FilePath": "x"}
    assert storing.client.get_job(job_id).state == "active"


def test_resource_file_from_a_host_that_nobody_answers_at(storing: Batch) -> None:
    files = [models.ResourceFile(http_url="https://localhost:1/x", file_path="x")]
    task = storing.run(storing.create_job(), "t", "/bin/true", resource_files=files)
    assert failure(task).code == "BlobDownloadMiscError"


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", ""])
def test_resource_file_cannot_leave_the_working_directory(batch: Batch, path: str) -> None:
    files = [models.ResourceFile(http_url="https://localhost:1/x", file_path=path)]
    with pytest.raises(HttpResponseError) as error:
        batch.add(batch.create_job(), "t", resource_files=files)
    assert error.value.status_code == 400


def test_nothing_is_left_in_the_work_directory_when_local_azure_stops() -> None:
    with LocalAzure(CONFIG) as azure:
        account = Batch(azure)
        job_id = account.create_job()
        account.run(job_id, "t", "/bin/true")
        root = next(azure.batch.pools.get("cpu").nodes.values()).root
        assert any(root.iterdir())
        account.close()
    assert not root.exists()
