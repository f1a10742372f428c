"""Jobs of local Batch, by Microsoft's client."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from azure.batch import models
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import CONFIG, Batch, eventually


def code_of(error: pytest.ExceptionInfo[HttpResponseError]) -> str:
    assert error.value.error is not None
    return str(error.value.error.code)


def test_new_job_has_the_defaults_of_the_service(batch: Batch) -> None:
    job = batch.client.get_job(batch.create_job())
    assert job.state == "active"
    assert job.priority == 0
    assert job.max_parallel_tasks == -1
    assert job.all_tasks_complete_mode == "noaction"
    assert job.task_failure_mode == "noaction"
    assert job.constraints is not None
    assert job.constraints.max_task_retry_count == 0
    assert job.constraints.max_wall_clock_time is not None
    assert job.constraints.max_wall_clock_time > dt.timedelta(days=10_000_000)
    assert job.execution_info is not None
    assert job.execution_info.pool_id == "cpu"
    assert job.execution_info.end_time is None
    assert job.previous_state is None


def test_id_keeps_its_case_and_is_found_in_any(batch: Batch) -> None:
    pool = models.BatchPoolInfo(pool_id="cpu")
    batch.client.create_job(models.BatchJobCreateOptions(id="Mixed-Case_1", pool_info=pool))
    assert batch.client.get_job("mixed-CASE_1").id == "Mixed-Case_1"
    with pytest.raises(ResourceExistsError) as error:
        batch.client.create_job(models.BatchJobCreateOptions(id="MIXED-case_1", pool_info=pool))
    assert code_of(error) == "JobExists"


def test_what_was_given_is_answered(batch: Batch) -> None:
    job_id = batch.create_job(
        display_name="Größe ✓",
        priority=-1000,
        max_parallel_tasks=3,
        uses_task_dependencies=True,
        allow_task_preemption=True,
        constraints=models.BatchJobConstraints(
            max_wall_clock_time=dt.timedelta(hours=5), max_task_retry_count=2
        ),
        common_environment_settings=[models.EnvironmentSetting(name="A", value="1")],
        metadata=[models.BatchMetadataItem(name="owner", value="me")],
        task_failure_mode="performExitOptionsJobAction",
    )
    job = batch.client.get_job(job_id)
    assert (job.display_name, job.priority, job.max_parallel_tasks) == ("Größe ✓", -1000, 3)
    assert job.uses_task_dependencies is True
    assert job.allow_task_preemption is True
    assert job.constraints is not None
    assert job.constraints.max_wall_clock_time == dt.timedelta(hours=5)
    assert job.common_environment_settings is not None
    assert [(item.name, item.value) for item in job.common_environment_settings] == [("A", "1")]
    assert job.metadata is not None
    assert [(item.name, item.value) for item in job.metadata] == [("owner", "me")]
    assert job.task_failure_mode == models.BatchTaskFailureMode.PERFORM_EXIT_OPTIONS_JOB_ACTION


def test_job_on_a_pool_that_does_not_exist_waits(batch: Batch) -> None:
    job_id = batch.create_job(pool="later")
    batch.add(job_id, "t")
    assert batch.counts(job_id).active == 1


def test_patch_changes_only_what_it_holds(batch: Batch) -> None:
    job_id = batch.create_job(priority=5, constraints=models.BatchJobConstraints(max_task_retry_count=1))
    before = batch.client.get_job(job_id)
    batch.client.update_job(
        job_id, models.BatchJobUpdateOptions(metadata=[models.BatchMetadataItem(name="a", value="b")])
    )
    after = batch.client.get_job(job_id)
    assert (after.priority, after.etag == before.etag) == (5, False)
    assert after.constraints is not None
    assert after.constraints.max_task_retry_count == 1
    assert after.metadata is not None
    assert after.state_transition_time == before.state_transition_time


def test_put_takes_what_it_leaves_out_back_to_its_default(batch: Batch) -> None:
    job_id = batch.create_job(priority=5, metadata=[models.BatchMetadataItem(name="a", value="b")])
    job = batch.client.get_job(job_id)
    job.metadata = None
    job.priority = None
    batch.client.replace_job(job_id, job)
    after = batch.client.get_job(job_id)
    assert after.priority == 0
    assert after.metadata is None


def test_automatic_termination_cannot_be_taken_back(batch: Batch) -> None:
    job_id = batch.create_job(pool="empty")
    batch.add(job_id, "t")
    batch.client.update_job(job_id, models.BatchJobUpdateOptions(all_tasks_complete_mode="terminatejob"))
    with pytest.raises(HttpResponseError) as error:
        batch.client.update_job(job_id, models.BatchJobUpdateOptions(all_tasks_complete_mode="noaction"))
    assert (error.value.status_code, code_of(error)) == (400, "InvalidPropertyValue")


def test_job_without_tasks_that_is_to_end_with_them_ends_at_once(batch: Batch) -> None:
    job_id = batch.create_job(all_tasks_complete_mode="terminatejob")
    job = batch.job_in(job_id, "completed")
    assert job.execution_info is not None
    assert job.execution_info.termination_reason == "AllTasksComplete"
    with pytest.raises(ResourceExistsError) as error:
        batch.add(job_id, "late")
    assert code_of(error) == "JobCompleted"


def test_sealed_job_ends_with_its_last_task(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "a")
    batch.add(job_id, "b", "/bin/false")
    batch.client.update_job(job_id, models.BatchJobUpdateOptions(all_tasks_complete_mode="terminatejob"))
    batch.job_in(job_id, "completed")
    assert (batch.counts(job_id).succeeded, batch.counts(job_id).failed) == (1, 1)


def test_terminated_job_shows_its_reason_and_then_its_end(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "t", "/bin/sleep 100")
    batch.running(job_id, "t")
    answer = batch.send("POST", f"/jobs/{job_id}/terminate", {"terminateReason": "enough"})
    assert answer.status_code == 202
    job = batch.client.get_job(job_id)
    assert job.state == "terminating"
    assert job.execution_info is not None
    assert (job.execution_info.termination_reason, job.execution_info.end_time) == ("enough", None)
    done = batch.job_in(job_id, "completed")
    assert done.execution_info is not None
    assert done.execution_info.end_time == done.state_transition_time
    assert done.previous_state == "active"
    assert done.etag == job.etag == answer.headers["ETag"]


def test_active_tasks_of_a_terminated_job_stay_active(batch: Batch) -> None:
    job_id = batch.create_job(pool="empty")
    batch.add(job_id, "t")
    batch.send("POST", f"/jobs/{job_id}/terminate")
    job = batch.job_in(job_id, "completed")
    assert job.execution_info is not None
    assert job.execution_info.termination_reason == "UserTerminate"
    assert batch.client.get_task(job_id, "t").state == "active"


@pytest.mark.parametrize("operation", ["terminate", "disable", "enable"])
def test_completed_job_takes_no_further_change_of_state(batch: Batch, operation: str) -> None:
    job_id = batch.create_job(all_tasks_complete_mode="terminatejob")
    batch.job_in(job_id, "completed")
    body = {"disableTasks": "requeue"} if operation == "disable" else None
    answer = batch.send("POST", f"/jobs/{job_id}/{operation}", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "JobCompleted")


def test_disabled_job_requeues_its_tasks_and_goes_on_when_enabled(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "t", "/bin/sleep 100")
    batch.running(job_id, "t")
    batch.client.begin_disable_job(
        job_id, models.BatchJobDisableOptions(disable_tasks="requeue"), polling_interval=0
    ).wait()
    assert batch.client.get_job(job_id).state == "disabled"
    task = batch.client.get_task(job_id, "t")
    assert task.state == "active"
    assert task.execution_info is not None
    assert task.execution_info.requeue_count == 1
    batch.client.begin_enable_job(job_id, polling_interval=0).wait()
    job = batch.client.get_job(job_id)
    assert (job.state, job.previous_state) == ("active", "disabled")
    batch.running(job_id, "t")


def test_disable_with_terminate_ends_running_tasks(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "t", "/bin/sleep 100")
    batch.running(job_id, "t")
    batch.send("POST", f"/jobs/{job_id}/disable", {"disableTasks": "terminate"})
    batch.job_in(job_id, "disabled")
    task = batch.client.get_task(job_id, "t")
    assert task.execution_info is not None
    assert task.execution_info.failure_info is not None
    assert task.execution_info.failure_info.code == "TaskEnded"


def test_disable_with_wait_lets_running_tasks_end(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "t", "/bin/sh -c 'while [ ! -e go ]; do sleep 0.01; done'")
    task = batch.running(job_id, "t")
    batch.send("POST", f"/jobs/{job_id}/disable", {"disableTasks": "wait"})
    batch.add(job_id, "later")
    assert batch.client.get_job(job_id).state == "disabling"
    assert task.node_info is not None
    node = next(
        n for n in batch.azure.batch.pools.get("cpu").nodes.values() if n.id == task.node_info.node_id
    )
    (node.root / f"{task.node_info.task_root_directory}/wd/go").touch()
    batch.job_in(job_id, "disabled")
    assert batch.client.get_task(job_id, "later").state == "active"
    assert batch.finished(job_id, "t").execution_info.exit_code == 0


def test_pool_changes_only_while_the_job_is_disabled(batch: Batch) -> None:
    job_id = batch.create_job(pool="empty")
    batch.add(job_id, "t")
    move = models.BatchJobUpdateOptions(pool_info=models.BatchPoolInfo(pool_id="cpu"))
    with pytest.raises(ResourceExistsError):
        batch.client.update_job(job_id, move)
    batch.send("POST", f"/jobs/{job_id}/disable", {"disableTasks": "requeue"})
    batch.job_in(job_id, "disabled")
    batch.client.update_job(job_id, move)
    batch.send("POST", f"/jobs/{job_id}/enable")
    batch.finished(job_id, "t")


def test_deleted_job_is_deleting_and_then_gone_with_its_files(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.run(job_id, "t", "/bin/echo out")
    roots = [node.root for node in batch.azure.batch.pools.get("cpu").nodes.values()]
    assert any((root / "workitems" / job_id).exists() for root in roots)
    poller = batch.client.begin_delete_job(job_id, polling_interval=0)
    again = batch.send("DELETE", f"/jobs/{job_id}")
    assert (again.status_code, again.json()["code"]) == (409, "JobBeingDeleted")
    poller.wait()
    with pytest.raises(ResourceNotFoundError) as error:
        batch.client.get_job(job_id)
    assert code_of(error) == "JobNotFound"
    assert not any((root / "workitems" / job_id).exists() for root in roots)


def test_wall_clock_limit_follows_the_clock(own_batch: Batch) -> None:
    limit = models.BatchJobConstraints(max_wall_clock_time=dt.timedelta(hours=1))
    job_id = own_batch.create_job(constraints=limit)
    own_batch.add(job_id, "t", "/bin/sleep 100")
    own_batch.running(job_id, "t")
    own_batch.azure.clock.advance(dt.timedelta(minutes=59))
    assert own_batch.send("GET", f"/jobs/{job_id}").json()["state"] == "active"
    own_batch.azure.clock.advance(dt.timedelta(minutes=1))
    answer = eventually(
        lambda: (shown := own_batch.send("GET", f"/jobs/{job_id}").json())["state"] == "completed" and shown
    )
    assert isinstance(answer, dict)
    assert answer["executionInfo"]["terminateReason"] == "MaxWallClockTimeExpiry"


def test_quota_counts_jobs_that_are_not_completed(own_batch: Batch) -> None:
    own_batch.azure.batch.job_flow.quota = 2
    first, _ = own_batch.create_job(), own_batch.create_job()
    with pytest.raises(ResourceExistsError) as error:
        own_batch.create_job()
    assert code_of(error) == "ActiveJobAndScheduleQuotaReached"
    own_batch.send("POST", f"/jobs/{first}/terminate")
    own_batch.job_in(first, "completed")
    own_batch.create_job()


def test_conditional_requests_hold_against_users_changes_only(batch: Batch) -> None:
    job_id = batch.create_job()
    etag = batch.client.get_job(job_id).etag
    with pytest.raises(ResourceModifiedError) as unmodified:
        batch.client.get_job(job_id, etag=etag, match_condition=MatchConditions.IfModified)
    assert unmodified.value.status_code == 304
    batch.client.update_job(
        job_id,
        models.BatchJobUpdateOptions(priority=1),
        etag=etag,
        match_condition=MatchConditions.IfNotModified,
    )
    with pytest.raises(ResourceModifiedError) as modified:
        batch.client.update_job(
            job_id,
            models.BatchJobUpdateOptions(priority=2),
            etag=etag,
            match_condition=MatchConditions.IfNotModified,
        )
    assert (modified.value.status_code, code_of(modified)) == (412, "ConditionNotMet")
    terminate = batch.send("POST", f"/jobs/{job_id}/terminate", headers={"If-Match": "0x1"})
    assert terminate.status_code == 412
    assert batch.client.get_job(job_id).state == "active"


def test_quota_is_configured_and_changed_on_the_control_port() -> None:
    with LocalAzure(replace(CONFIG, job_quota=1)) as azure:
        account = Batch(azure)
        account.create_job()
        full = account.send("POST", "/jobs", {"id": "second", "poolInfo": {"poolId": "cpu"}})
        assert (full.status_code, full.json()["code"]) == (409, "ActiveJobAndScheduleQuotaReached")
        changed = account.session.put(f"{azure.endpoints.control}/batch/job-quota", json={"jobs": 2})
        assert changed.json() == {"jobs": 2}
        account.create_job()
        refused = account.session.put(f"{azure.endpoints.control}/batch/job-quota", json={"jobs": -1})
        assert refused.status_code == 400
        account.close()
