"""The tasks that a job brings along: its manager, its preparation on each node, its release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from azure.batch import models

from tests.contract.batch_fixtures import Batch, eventually, failure, shell
from tests.contract.test_local_batch_members import check
from tests.contract.test_local_batch_wire import check_error

SHARED = "$AZ_BATCH_NODE_SHARED_DIR"


def preparation(script: str, **options: Any) -> models.BatchJobPreparationTask:
    return models.BatchJobPreparationTask(command_line=shell(script), **options)


def release(script: str, **options: Any) -> models.BatchJobReleaseTask:
    return models.BatchJobReleaseTask(command_line=shell(script), **options)


def statuses(batch: Batch, job_id: str) -> list[models.BatchJobPreparationAndReleaseTaskStatus]:
    return list(batch.client.list_job_preparation_and_release_task_status(job_id))


def test_preparation_runs_once_on_a_node_before_its_first_task(batch: Batch) -> None:
    job_id = batch.create_job(
        pool="one", job_preparation_task=preparation(f"echo ready >> {SHARED}/$AZ_BATCH_JOB_ID")
    )
    for number in range(3):
        batch.run(job_id, f"t{number}", shell(f"cat {SHARED}/{job_id}; ls $AZ_BATCH_JOB_PREP_DIR"))
        assert batch.read(job_id, f"t{number}") == b"ready\nstderr.txt\nstdout.txt\nwd\n"
    [status] = statuses(batch, job_id)
    info = status.job_preparation_task_execution_info
    assert info is not None
    assert (info.state, info.result, info.exit_code, info.retry_count) == ("completed", "success", 0, 0)
    assert info.task_root_directory == f"workitems/{job_id}/job-1/jobpreparation"
    assert status.job_release_task_execution_info is None


def test_task_waits_in_preparing_until_the_node_is_prepared(batch: Batch) -> None:
    gate = f"{SHARED}/gate-$AZ_BATCH_JOB_ID"
    job_id = batch.create_job(
        pool="one",
        job_preparation_task=preparation(f"until [ -e {gate} ]; do sleep 0.02; done"),
    )
    batch.add(job_id, "t")
    eventually(lambda: batch.client.get_task(job_id, "t").state == "preparing")
    assert batch.counts(job_id).running == 1
    [status] = statuses(batch, job_id)
    assert status.job_preparation_task_execution_info is not None
    assert status.job_preparation_task_execution_info.state == "running"
    node = next(iter(batch.azure.batch.pools.get("one").nodes.values()))  # type: ignore[union-attr]
    (node.root / "shared" / f"gate-{job_id}").touch()
    task = batch.finished(job_id, "t")
    info = statuses(batch, job_id)[0].job_preparation_task_execution_info
    assert task.execution_info is not None
    assert info is not None
    assert task.execution_info.start_time is not None
    assert info.end_time is not None
    assert task.execution_info.start_time >= info.end_time


def test_failed_preparation_keeps_the_jobs_tasks_off_the_node(batch: Batch) -> None:
    constraints = models.BatchTaskConstraints(max_task_retry_count=2)
    job_id = batch.create_job(pool="one", job_preparation_task=preparation("exit 4", constraints=constraints))
    batch.add(job_id, "t")

    def failed() -> models.BatchJobPreparationTaskExecutionInfo | None:
        found = statuses(batch, job_id)
        info = found[0].job_preparation_task_execution_info if found else None
        return info if info is not None and info.state == "completed" else None

    info = eventually(failed)
    assert info is not None
    assert (info.result, info.exit_code, info.retry_count) == ("failure", 4, 2)
    assert info.failure_info is not None
    assert info.failure_info.code == "FailureExitCode"
    eventually(lambda: batch.client.get_task(job_id, "t").state == "active")
    other = batch.create_job(pool="one")
    batch.run(other, "t", "/bin/true")
    assert batch.client.get_task(job_id, "t").state == "active"


def test_tasks_need_not_wait_for_a_preparation_that_nobody_waits_for(batch: Batch) -> None:
    job_id = batch.create_job(
        pool="one", job_preparation_task=preparation("sleep 1000", wait_for_success=False)
    )
    assert batch.run(job_id, "t", "/bin/true").execution_info.result == "success"  # type: ignore[union-attr]
    [status] = statuses(batch, job_id)
    assert status.job_preparation_task_execution_info is not None
    assert status.job_preparation_task_execution_info.state == "running"
    batch.client.begin_delete_job(job_id, polling_interval=0).wait()


def test_release_runs_on_prepared_nodes_before_the_job_is_completed(batch: Batch) -> None:
    mark = f"{SHARED}/$AZ_BATCH_JOB_ID"
    job_id = batch.create_job(
        pool="one",
        job_preparation_task=preparation(f"touch {mark}"),
        job_release_task=release(f"rm {mark}; exit 1"),
    )
    batch.run(job_id, "t", shell(f"ls {mark}"))
    batch.client.begin_terminate_job(job_id, options={"terminateReason": "x"})
    batch.job_in(job_id, "completed")
    [status] = statuses(batch, job_id)
    info = status.job_release_task_execution_info
    assert info is not None
    assert (info.state, info.result, info.exit_code) == ("completed", "failure", 1)
    shown = batch.send("GET", f"/jobs/{job_id}/jobpreparationandreleasetaskstatus").json()
    for one in shown["value"]:
        check(one, models.BatchJobPreparationAndReleaseTaskStatus)
    check(batch.send("GET", f"/jobs/{job_id}").json(), models.BatchJob)
    node = next(iter(batch.azure.batch.pools.get("one").nodes.values()))  # type: ignore[union-attr]
    assert not (node.root / "shared" / job_id).exists()


def test_job_that_used_no_node_is_released_nowhere(batch: Batch) -> None:
    job_id = batch.create_job(job_preparation_task=preparation("true"), job_release_task=release("true"))
    batch.client.begin_terminate_job(job_id, options={"terminateReason": "x"})
    batch.job_in(job_id, "completed")
    assert statuses(batch, job_id) == []


def test_status_list_is_paged_filtered_and_selected(batch: Batch, tmp_path: Path) -> None:
    job_id = batch.create_job(job_preparation_task=preparation("true"))
    for number in range(8):
        batch.add(job_id, f"t{number}", shell(f"until test -e {tmp_path}/go; do sleep 0.02; done"))
    eventually(lambda: len(statuses(batch, job_id)) == 2)
    (tmp_path / "go").touch()
    for number in range(8):
        batch.finished(job_id, f"t{number}")
    path = f"/jobs/{job_id}/jobpreparationandreleasetaskstatus"
    first = batch.send("GET", f"{path}?maxresults=1&$select=nodeId").json()
    assert [set(item) for item in first["value"]] == [{"nodeId"}]
    second = batch.send("GET", first["odata.nextLink"].removeprefix(batch.url)).json()
    assert len({item["nodeId"] for item in first["value"] + second["value"]}) == 2
    assert "odata.nextLink" not in second
    info = "jobPreparationTaskExecutionInfo"
    wanted = f"{info}/exitCode eq 0 and {info}/state eq 'completed'"
    assert len(batch.send("GET", f"{path}?$filter={wanted}").json()["value"]) == 2
    none = batch.send("GET", f"{path}?$filter={info}/result eq 'failure'").json()
    assert none["value"] == []
    check_error(batch.send("GET", f"{path}?$filter=priority eq 1"), 400, "InvalidQueryParameterValue")


def test_manager_is_the_jobs_first_task_and_ends_it(batch: Batch) -> None:
    manager = models.BatchJobManagerTask(id="manager", command_line=shell("exit 3"))
    job_id = batch.create_job(pool="one", job_manager_task=manager)
    batch.job_in(job_id, "completed")
    job = batch.client.get_job(job_id)
    assert job.execution_info is not None
    assert job.execution_info.termination_reason == "JMComplete"
    task = batch.finished(job_id, "manager")
    assert task.execution_info is not None
    assert task.execution_info.exit_code == 3
    check(batch.send("GET", f"/jobs/{job_id}/tasks/manager").json(), models.BatchTask)
    check(batch.send("GET", f"/jobs/{job_id}").json(), models.BatchJob)


def test_manager_that_need_not_end_the_job_leaves_it_active(batch: Batch) -> None:
    manager = models.BatchJobManagerTask(id="m", command_line="/bin/true", kill_job_on_completion=False)
    job_id = batch.create_job(job_manager_task=manager)
    batch.finished(job_id, "m")
    assert batch.client.get_job(job_id).state == "active"


@pytest.mark.parametrize("is_exclusive", [True, False])
def test_manager_has_its_node_for_itself_unless_it_says_otherwise(batch: Batch, is_exclusive: bool) -> None:
    manager = models.BatchJobManagerTask(
        id="m", command_line=shell("sleep 1000"), run_exclusive=is_exclusive, kill_job_on_completion=True
    )
    job_id = batch.create_job(job_manager_task=manager)
    batch.running(job_id, "m")
    for number in range(7):
        batch.add(job_id, f"t{number}", shell("sleep 1000"))
    eventually(lambda: batch.counts(job_id).running == (5 if is_exclusive else 8))
    assert batch.counts(job_id).active == (3 if is_exclusive else 0)
    batch.client.terminate_task(job_id, "m")
    batch.job_in(job_id, "completed")
    assert failure(batch.client.get_task(job_id, "m")).code == "TaskEnded"
    batch.client.begin_delete_job(job_id, polling_interval=0).wait()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"jobReleaseTask": {"commandLine": "x"}}, 400, "InvalidPropertyValue"),
        ({"jobPreparationTask": {}}, 400, "MissingRequiredProperty"),
        ({"jobManagerTask": {"commandLine": "x"}}, 400, "MissingRequiredProperty"),
        (
            {
                "jobPreparationTask": {"commandLine": "x"},
                "jobReleaseTask": {"commandLine": "x", "maxWallClockTime": "PT16M"},
            },
            400,
            "InvalidPropertyValue",
        ),
        (
            {
                "jobPreparationTask": {"commandLine": "x"},
                "jobManagerTask": {"id": "JobPreparation", "commandLine": "x"},
            },
            400,
            "InvalidPropertyValue",
        ),
    ],
)
def test_tasks_of_a_job_that_contradict_each_other_are_refused(
    batch: Batch, body: dict[str, Any], status: int, code: str
) -> None:
    answer = batch.send("POST", "/jobs", {"id": batch.new_id(), "poolInfo": {"poolId": "cpu"}, **body})
    check_error(answer, status, code)


def test_task_must_not_have_the_id_of_the_preparation_or_release(batch: Batch) -> None:
    job_id = batch.create_job(
        job_preparation_task=preparation("true"), job_release_task=release("true", id="bye")
    )
    for task_id, code in (
        ("jobPreparation", "TaskIdSameAsJobPreparationTask"),
        ("BYE", "TaskIdSameAsJobReleaseTask"),
    ):
        answer = batch.send("POST", f"/jobs/{job_id}/tasks", {"id": task_id, "commandLine": "/bin/true"})
        check_error(answer, 409, code)


def test_job_without_either_has_no_status(batch: Batch) -> None:
    answer = batch.send("GET", f"/jobs/{batch.create_job()}/jobpreparationandreleasetaskstatus")
    check_error(answer, 409, "JobPreparationTaskOrReleaseTaskNotSpecified")
