"""Job schedules of local Batch, by a clock that the tests set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from azure.batch import models
from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from airflow_provider_batchad.local.batch import schedule_flow
from tests.contract.batch_fixtures import Batch, eventually
from tests.contract.pool_fixtures import code_of

HOUR = dt.timedelta(hours=1)


def create_schedule(batch: Batch, *, job: dict[str, Any] | None = None, **times: Any) -> str:
    schedule_id = batch.new_id().replace("job", "Schedule")
    batch.client.create_job_schedule(
        models.BatchJobScheduleCreateOptions(
            id=schedule_id,
            schedule=models.BatchJobScheduleConfiguration(**times) if times else None,
            job_specification=models.BatchJobSpecification(
                pool_info=models.BatchPoolInfo(pool_id="empty"), **(job or {})
            ),
        )
    )
    return schedule_id


def schedule_when(
    batch: Batch, schedule_id: str, holds: Callable[[models.BatchJobSchedule], object]
) -> models.BatchJobSchedule:
    def look() -> models.BatchJobSchedule | None:
        schedule = batch.client.get_job_schedule(schedule_id)
        return schedule if holds(schedule) else None

    found = eventually(look)
    assert found is not None
    return found


def recent(batch: Batch, schedule_id: str, number: int) -> models.BatchJobSchedule:
    """The schedule, once its latest job has this number."""
    wanted = f"{schedule_id}:job-{number}"
    return schedule_when(
        batch,
        schedule_id,
        lambda schedule: (
            schedule.execution_info.recent_job and schedule.execution_info.recent_job.id == wanted
        ),
    )


def now(batch: Batch) -> dt.datetime:
    return batch.azure.clock.now()


def end_job(batch: Batch, job_id: str) -> None:
    batch.client.begin_terminate_job(job_id, options={"terminateReason": "x"}, polling_interval=0.02)
    batch.job_in(job_id, "completed")


def test_schedule_without_times_runs_one_job_and_ends_with_it(own_batch: Batch) -> None:
    batch = own_batch
    schedule_id = create_schedule(batch, job={"priority": 7, "display_name": "D"})
    schedule = recent(batch, schedule_id, 1)
    assert (schedule.state, schedule.execution_info.next_run_time) == ("active", None)
    job = batch.client.get_job(f"{schedule_id}:job-1")
    assert (job.priority, job.display_name, job.pool_info.pool_id) == (7, "D", "empty")
    assert schedule.execution_info.recent_job.url == job.url
    assert [one.id for one in batch.client.list_jobs_from_schedule(schedule_id)] == [job.id]
    end_job(batch, job.id)
    ended = schedule_when(batch, schedule_id, lambda schedule: schedule.state == "completed")
    assert (ended.previous_state, ended.execution_info.end_time) == ("active", ended.state_transition_time)
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.disable_job_schedule(schedule_id)
    assert code_of(raised) == (409, "JobScheduleCompleted")


def test_tasks_of_a_schedules_job_run_in_the_schedules_directory(batch: Batch) -> None:
    specification = models.BatchJobSpecification(pool_info=models.BatchPoolInfo(pool_id="cpu"))
    batch.client.create_job_schedule(
        models.BatchJobScheduleCreateOptions(id="Nightly", job_specification=specification)
    )
    task = batch.run("nightly:job-1", "t", "/bin/echo hello")
    assert task.node_info.task_root_directory == "workitems/Nightly/job-1/t"
    assert batch.read("Nightly:job-1", "t") == b"hello\n"
    batch.client.begin_delete_job_schedule("nightly", polling_interval=0.02).result()
    with pytest.raises(ResourceNotFoundError) as raised:
        batch.client.get_job("Nightly:job-1")
    assert code_of(raised) == (404, "JobNotFound")


def test_recurring_schedule_has_one_active_job_at_a_time(own_batch: Batch) -> None:
    batch = own_batch
    begin = now(batch).replace(microsecond=0) + HOUR
    schedule_id = create_schedule(batch, do_not_run_until=begin, recurrence_interval=HOUR)
    schedule = batch.client.get_job_schedule(schedule_id)
    assert (schedule.execution_info.next_run_time, schedule.execution_info.recent_job) == (begin, None)
    batch.azure.clock.set(begin)
    assert recent(batch, schedule_id, 1).execution_info.next_run_time == begin + HOUR
    batch.azure.clock.set(begin + HOUR)
    assert [job.id for job in batch.client.list_jobs_from_schedule(schedule_id)] == [f"{schedule_id}:job-1"]
    end_job(batch, f"{schedule_id}:job-1")
    # Its start window is still open, so the job that was due comes now.
    assert recent(batch, schedule_id, 2).execution_info.next_run_time == begin + 2 * HOUR
    end_job(batch, f"{schedule_id}:job-2")
    # Whole recurrences that nobody was there for are lost.
    batch.azure.clock.set(begin + 5.5 * HOUR)
    assert recent(batch, schedule_id, 3).execution_info.next_run_time == begin + 6 * HOUR
    found = batch.client.list_jobs_from_schedule(schedule_id, filter="state eq 'completed'", select=["id"])
    assert [job.id for job in found] == [f"{schedule_id}:job-1", f"{schedule_id}:job-2"]


def test_missed_start_window_is_an_opportunity_lost(own_batch: Batch) -> None:
    batch = own_batch
    begin = now(batch).replace(microsecond=0) + HOUR
    window = dt.timedelta(minutes=10)
    schedule_id = create_schedule(
        batch, do_not_run_until=begin, recurrence_interval=HOUR, start_window=window
    )
    batch.azure.clock.set(begin + 2 * window)
    missed = schedule_when(
        batch, schedule_id, lambda schedule: schedule.execution_info.next_run_time == begin + HOUR
    )
    assert missed.execution_info.recent_job is None
    batch.azure.clock.set(begin + HOUR + window / 2)
    recent(batch, schedule_id, 1)
    once = create_schedule(batch, do_not_run_until=now(batch) + HOUR, start_window=window)
    batch.azure.clock.advance(2 * HOUR)
    ended = schedule_when(batch, once, lambda schedule: schedule.state == "completed")
    assert ended.execution_info.recent_job is None


def test_disabled_schedule_creates_no_job_until_it_is_enabled(own_batch: Batch) -> None:
    batch = own_batch
    begin = now(batch).replace(microsecond=0) + HOUR
    schedule_id = create_schedule(batch, do_not_run_until=begin)
    batch.client.disable_job_schedule(schedule_id)
    batch.azure.clock.set(begin + HOUR)
    disabled = batch.client.get_job_schedule(schedule_id)
    assert (disabled.state, disabled.previous_state) == ("disabled", "active")
    assert disabled.execution_info.recent_job is None
    batch.client.enable_job_schedule(schedule_id)
    assert recent(batch, schedule_id, 1).state == "active"


def test_schedule_ends_after_its_last_moment_when_no_job_is_active(own_batch: Batch) -> None:
    batch = own_batch
    last = now(batch) + 1.5 * HOUR
    schedule_id = create_schedule(batch, do_not_run_after=last, recurrence_interval=HOUR)
    recent(batch, schedule_id, 1)
    batch.azure.clock.advance(2 * HOUR)
    assert batch.client.get_job_schedule(schedule_id).state == "active"
    end_job(batch, f"{schedule_id}:job-1")
    assert schedule_when(batch, schedule_id, lambda one: one.state == "completed").execution_info.end_time
    assert len(list(batch.client.list_jobs_from_schedule(schedule_id))) == 1


@pytest.fixture
def slow_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """States in between last long enough to be looked at on a busy machine."""
    monkeypatch.setattr(schedule_flow, "_SERVICE_SECONDS", 2.0)


def test_terminated_schedule_ends_its_job(own_batch: Batch, slow_service: None) -> None:
    batch = own_batch
    schedule_id = create_schedule(batch, recurrence_interval=HOUR)
    recent(batch, schedule_id, 1)
    poller = batch.client.begin_terminate_job_schedule(schedule_id, polling_interval=0.02)
    assert batch.client.get_job_schedule(schedule_id).state == "terminating"
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.enable_job_schedule(schedule_id)
    assert code_of(raised) == (409, "JobScheduleBeingTerminated")
    poller.result()
    schedule = batch.client.get_job_schedule(schedule_id)
    assert (schedule.state, schedule.previous_state) == ("completed", "active")
    job = batch.client.get_job(f"{schedule_id}:job-1")
    assert (job.state, job.execution_info.termination_reason) == ("completed", "TerminateJobSchedule")


def test_deleted_schedule_is_deleting_and_then_gone_with_its_jobs(
    own_batch: Batch, slow_service: None
) -> None:
    batch = own_batch
    schedule_id = create_schedule(batch)
    recent(batch, schedule_id, 1)
    poller = batch.client.begin_delete_job_schedule(schedule_id, polling_interval=0.02)
    assert batch.client.get_job_schedule(schedule_id).state == "deleting"
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.begin_delete_job_schedule(schedule_id)
    assert code_of(raised) == (409, "JobScheduleBeingDeleted")
    poller.result()
    with pytest.raises(ResourceNotFoundError) as missing:
        batch.client.get_job_schedule(schedule_id)
    assert code_of(missing) == (404, "JobScheduleNotFound")
    assert list(batch.client.list_jobs()) == []


def test_changes_are_for_later_jobs(own_batch: Batch) -> None:
    batch = own_batch
    schedule_id = create_schedule(batch, job={"priority": 1}, recurrence_interval=HOUR)
    created = recent(batch, schedule_id, 1)
    pool = models.BatchPoolInfo(pool_id="empty")
    item = models.BatchMetadataItem(name="a", value="b")
    batch.client.update_job_schedule(
        schedule_id,
        models.BatchJobScheduleUpdateOptions(
            job_specification=models.BatchJobSpecification(pool_info=pool, priority=2), metadata=[item]
        ),
        etag=created.etag,
        match_condition=MatchConditions.IfNotModified,
    )
    with pytest.raises(ResourceModifiedError):
        batch.client.disable_job_schedule(
            schedule_id, etag=created.etag, match_condition=MatchConditions.IfNotModified
        )
    assert batch.client.get_job(f"{schedule_id}:job-1").priority == 1
    end_job(batch, f"{schedule_id}:job-1")
    batch.azure.clock.advance(HOUR)
    schedule = recent(batch, schedule_id, 2)
    assert batch.client.get_job(f"{schedule_id}:job-2").priority == 2
    assert (schedule.metadata, schedule.schedule.recurrence_interval) == ([item], HOUR)
    replacement = models.BatchJobSchedule(job_specification=models.BatchJobSpecification(pool_info=pool))
    batch.client.replace_job_schedule(schedule_id, replacement)
    replaced = batch.client.get_job_schedule(schedule_id)
    assert (replaced.schedule, replaced.metadata, replaced.job_specification.priority) == (None, None, 0)
    assert replaced.execution_info.next_run_time is None


def test_names_are_shared_with_jobs_and_so_is_the_quota(own_batch: Batch) -> None:
    batch = own_batch
    later = now(batch) + HOUR
    schedule_id = create_schedule(batch, do_not_run_until=later)
    pool = models.BatchPoolInfo(pool_id="empty")
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.create_job(models.BatchJobCreateOptions(id=schedule_id.lower(), pool_info=pool))
    assert code_of(raised) == (409, "JobScheduleWithSameIdExists")
    job_id = batch.create_job()
    specification = models.BatchJobSpecification(pool_info=pool)
    for taken, code in ((job_id, "JobWithSameIdExists"), (schedule_id, "JobScheduleExists")):
        with pytest.raises(ResourceExistsError) as raised:
            batch.client.create_job_schedule(
                models.BatchJobScheduleCreateOptions(id=taken, job_specification=specification)
            )
        assert code_of(raised) == (409, code)
    batch.azure.batch.job_flow.quota = 2
    with pytest.raises(ResourceExistsError) as raised:
        batch.create_job()
    assert code_of(raised) == (409, "ActiveJobAndScheduleQuotaReached")
    with pytest.raises(ResourceExistsError) as raised:
        create_schedule(batch)
    assert code_of(raised) == (409, "ActiveJobAndScheduleQuotaReached")
    # Its time comes while there is no room; the job is created once there is.
    batch.azure.clock.set(later)
    end_job(batch, job_id)
    batch.azure.clock.advance(120)
    recent(batch, schedule_id, 1)


def test_list_can_be_filtered_selected_and_paged(own_batch: Batch) -> None:
    batch = own_batch
    later = now(batch) + HOUR
    ids = sorted(create_schedule(batch, do_not_run_until=later) for _ in range(5))
    assert [one.id for one in batch.client.list_job_schedules(max_results=2)] == ids
    assert batch.client.job_schedule_exists(ids[0])
    batch.client.disable_job_schedule(ids[1])
    found = batch.client.list_job_schedules(filter="state eq 'disabled'", select=["id", "state"])
    assert [one.as_dict() for one in found] == [{"id": ids[1], "state": "disabled"}]
    assert batch.send("GET", f"/jobschedules/{ids[0]}/jobs?$filter=id eq 'x'").status_code == 400


@pytest.mark.parametrize(
    ("times", "name"),
    [
        ({"recurrenceInterval": "PT59S"}, "recurrenceInterval"),
        ({"startWindow": "PT1S"}, "startWindow"),
        ({"doNotRunUntil": "soon"}, "doNotRunUntil"),
        ({"doNotRunAfter": "2020-01-01T00:00:00Z"}, "doNotRunAfter"),
        (
            {"doNotRunUntil": "2999-01-02T00:00:00Z", "doNotRunAfter": "2999-01-01T00:00:00Z"},
            "doNotRunAfter",
        ),
    ],
)
def test_refused_times(batch: Batch, times: dict[str, str], name: str) -> None:
    body = {"id": "s", "schedule": times, "jobSpecification": {"poolInfo": {"poolId": "cpu"}}}
    answer = batch.send("POST", "/jobschedules", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidPropertyValue")
    assert {"key": "PropertyName", "value": name} in answer.json()["values"]
