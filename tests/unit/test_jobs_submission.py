from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_provider_batchad.errors import TasksRejected
from airflow_provider_batchad.jobs.spec import build_job
from tests.unit.batch_model import BatchModel
from tests.unit.tries import PREFIX, plan_of, spec_of, steps_of, submit_to


@pytest.fixture
def model() -> BatchModel:
    return BatchModel()


def test_a_job_is_created_filled_and_sealed_with_one_look_before(model: BatchModel) -> None:
    done = submit_to(model, plan_of(), spec_of(250))

    assert model.operations == [
        "List Jobs",
        "Create Job",
        *["Create Task Collection"] * 3,
        "Update Job",
    ]
    job = model.jobs[f"{PREFIX}3-1"]
    assert list(job.tasks) == [f"t{number}" for number in range(250)]
    assert job.sealed
    assert (done.job_id, done.etag, done.attached, done.superseded) == (f"{PREFIX}3-1", job.etag, False, ())
    assert not done.specification_changed


def test_the_job_says_whose_it_is_and_how_long_it_may_live(model: BatchModel) -> None:
    spec = build_job(
        pool_id="cpu",
        tasks=None,
        command_line="true",
        job={"priority": 7, "metadata": {"team": "weather"}, "constraints": {"max_task_retry_count": 2}},
    )
    submit_to(model, plan_of(2, epoch=5, first_try=2), spec)

    job = model.jobs[f"{PREFIX}5-2"]
    assert job.metadata == {
        "team": "weather",
        "airflow_dag": "etl",
        "airflow_run": "scheduled__2026-03-01",
        "airflow_task": "summarise",
        "airflow_task_instance": "ti-of-try-2",
        "airflow_epoch": "5",
        "airflow_try": "2",
        "airflow_specification": spec.digest,
    }
    assert job.body["constraints"] == {"maxTaskRetryCount": 2, "maxWallClockTime": "P0DT2H0M0S"}
    assert job.body["priority"] == 7


def test_the_authors_own_wall_clock_limit_stays(model: BatchModel) -> None:
    spec = build_job(
        pool_id="cpu", tasks=None, command_line="true", job={"constraints": {"max_wall_clock_time": "PT5M"}}
    )
    submit_to(model, plan_of(), spec)
    submit_to(model, plan_of(2), spec)
    assert model.jobs[f"{PREFIX}3-1"].body["constraints"]["maxWallClockTime"] == "PT5M"


def test_a_job_is_not_sealed_before_its_last_task_is_there(model: BatchModel) -> None:
    submit_to(model, plan_of(), spec_of(101))
    create, *_, seal = [json.loads(request.body) for request in model.sent if request.body]
    assert create["onAllTasksComplete"] == "noaction"
    assert seal == {"onAllTasksComplete": "terminatejob"}


def test_a_retry_attaches_to_an_active_job_and_extends_its_time_and_nothing_else(model: BatchModel) -> None:
    spec = build_job(
        pool_id="cpu",
        tasks=None,
        command_line="true",
        job={"metadata": {"team": "weather"}, "constraints": {"max_task_retry_count": 2}},
    )
    submit_to(model, plan_of(1), spec)
    model.advance(timedelta(minutes=90))
    done = submit_to(model, plan_of(2), spec)

    assert (done.job_id, done.attached) == (f"{PREFIX}3-1", True)
    job = model.jobs[f"{PREFIX}3-1"]
    assert done.etag == job.etag
    assert job.body["constraints"] == {"maxTaskRetryCount": 2, "maxWallClockTime": "P0DT3H30M0S"}
    assert job.metadata["airflow_task_instance"] == "ti-of-try-2"
    assert job.metadata["airflow_try"] == "2"
    assert job.metadata["team"] == "weather"
    assert model.operations.count("Create Job") == model.operations.count("Create Task Collection") == 1


def test_a_retry_attaches_to_a_job_that_succeeded(model: BatchModel) -> None:
    submit_to(model, plan_of(1), spec_of(3))
    model.settle()
    done = submit_to(model, plan_of(2), spec_of(3))
    assert (done.job_id, done.attached, done.etag) == (f"{PREFIX}3-1", True, None)
    assert len(model.jobs) == 1


def test_a_retry_of_a_job_that_failed_makes_a_new_one(model: BatchModel) -> None:
    model.exit_codes = {"t1": 3}
    submit_to(model, plan_of(1), spec_of(3))
    model.settle()
    done = submit_to(model, plan_of(2), spec_of(3))
    assert (done.job_id, done.attached) == (f"{PREFIX}3-2", False)


def test_a_job_with_as_many_failures_as_may_be_has_succeeded(model: BatchModel) -> None:
    model.exit_codes = {"t1": 3}
    submit_to(model, plan_of(1), spec_of(3))
    model.settle()
    assert submit_to(model, plan_of(2, max_failed_tasks=1), spec_of(3)).job_id == f"{PREFIX}3-1"


def test_a_retry_after_one_that_lacks_a_task_makes_a_new_job(model: BatchModel) -> None:
    submit_to(model, plan_of(1), spec_of(3))
    model.settle()
    assert submit_to(model, plan_of(2), spec_of(4)).job_id == f"{PREFIX}3-2"


def test_a_retry_attaches_to_the_newest_job_that_lives(model: BatchModel) -> None:
    model.exit_codes = {"t0": 1}
    submit_to(model, plan_of(1), spec_of(1))
    model.settle()
    submit_to(model, plan_of(2), spec_of(1))
    model.jobs[f"{PREFIX}3-1"].state = "active"
    assert submit_to(model, plan_of(3), spec_of(1)).job_id == f"{PREFIX}3-2"


def test_a_job_that_is_being_terminated_is_not_attached_to(model: BatchModel) -> None:
    submit_to(model, plan_of(1), spec_of(1))
    model.jobs[f"{PREFIX}3-1"].state = "terminating"
    assert submit_to(model, plan_of(2), spec_of(1)).job_id == f"{PREFIX}3-2"


def test_a_changed_specification_is_told_and_decides_nothing(model: BatchModel) -> None:
    submit_to(model, plan_of(1), spec_of(3))
    done = submit_to(model, plan_of(2), spec_of(2))
    assert (done.attached, done.specification_changed) == (True, True)
    assert not submit_to(model, plan_of(3), spec_of(3)).specification_changed


def test_a_clear_ends_the_active_job_of_before_and_makes_another(model: BatchModel) -> None:
    submit_to(model, plan_of(2, epoch=3), spec_of(2))
    done = submit_to(model, plan_of(3, epoch=5, first_try=3), spec_of(2))

    assert done.superseded == (f"{PREFIX}3-2",)
    assert (done.job_id, done.attached) == (f"{PREFIX}5-3", False)
    old = model.jobs[f"{PREFIX}3-2"]
    assert old.state == "terminating"
    assert old.execution["terminateReason"] == f"Superseded by {PREFIX}5-3: the Airflow task was cleared."
    assert model.operations.index("Terminate Job") < model.operations.index("Create Job", 2)


def test_a_clear_runs_a_job_that_succeeded_again(model: BatchModel) -> None:
    submit_to(model, plan_of(1), spec_of(2))
    model.settle()
    done = submit_to(model, plan_of(2, epoch=4, first_try=2), spec_of(2))
    assert (done.job_id, done.superseded) == (f"{PREFIX}4-2", ())


def test_a_clear_that_leaves_max_tries_as_it_was_is_a_new_epoch_by_its_first_try(model: BatchModel) -> None:
    submit_to(model, plan_of(1, epoch=1), spec_of(2))
    done = submit_to(model, plan_of(2, epoch=1, first_try=2), spec_of(2))
    assert (done.job_id, done.superseded) == (f"{PREFIX}1-2", (f"{PREFIX}1-1",))


def test_retries_that_were_lowered_since_leave_this_try_its_own_job(model: BatchModel) -> None:
    submit_to(model, plan_of(2, epoch=3, first_try=1), spec_of(2))
    done = submit_to(model, plan_of(2, epoch=3, first_try=4), spec_of(2))
    assert (done.job_id, done.attached, done.superseded) == (f"{PREFIX}3-2", True, ())


def test_jobs_of_others_with_the_same_prefix_are_left_alone(model: BatchModel) -> None:
    submit_to(model, plan_of(1), spec_of(1))
    model.jobs[f"{PREFIX}3-1"].body["metadata"][0]["value"] = "another dag"
    model.jobs[f"{PREFIX}3-1-copy"] = model.jobs[f"{PREFIX}3-1"]
    done = submit_to(model, plan_of(2, epoch=4, first_try=2), spec_of(1))
    assert (done.attached, done.superseded) == (False, ())
    assert model.jobs[f"{PREFIX}3-1"].state == "active"


@pytest.mark.parametrize("cleared", [False, True])
def test_without_the_filter_the_possible_ids_are_read_one_by_one(model: BatchModel, cleared: bool) -> None:
    model.takes_id_filter = False
    submit_to(model, plan_of(2, epoch=3), spec_of(1))
    if cleared:
        done = submit_to(model, plan_of(4, epoch=6, first_try=4), spec_of(1))
        assert (done.job_id, done.superseded) == (f"{PREFIX}6-4", (f"{PREFIX}3-2",))
    else:
        done = submit_to(model, plan_of(3, epoch=3), spec_of(1))
        assert (done.job_id, done.attached) == (f"{PREFIX}3-2", True)


def test_reading_one_by_one_asks_for_few_ids(model: BatchModel) -> None:
    model.takes_id_filter = False
    submit_to(model, plan_of(1, epoch=2), spec_of(1))
    assert model.operations.count("Get Job") == 2


def test_a_rejected_task_ends_the_job_and_is_named_with_its_code(model: BatchModel) -> None:
    model.rejected = {"t7": "InvalidPropertyValue"}
    with pytest.raises(TasksRejected, match=r"t7: InvalidPropertyValue") as caught:
        submit_to(model, plan_of(), spec_of(120))
    assert list(caught.value.rejected) == ["t7"]
    job = model.jobs[f"{PREFIX}3-1"]
    assert job.state == "terminating"
    assert "t7: InvalidPropertyValue" in job.execution["terminateReason"]
    assert not job.sealed


@pytest.mark.parametrize("attached", [False, True])
def test_a_rejected_task_ends_the_job_though_it_was_written_meanwhile(
    model: BatchModel, attached: bool
) -> None:
    if attached:
        steps = steps_of(model, plan_of(1), spec_of(120))
        answer = model.send(next(steps))  # type: ignore[arg-type]
        model.send(steps.send(answer))  # type: ignore[arg-type]
    model.rejected = {"t119": "InvalidPropertyValue"}
    model.adding_moves_etag = True
    with pytest.raises(TasksRejected):
        submit_to(model, plan_of(2), spec_of(120))
    assert [job.state for job in model.jobs.values()] == ["terminating"]


def test_an_etag_that_moves_with_every_task_does_not_hinder_sealing(model: BatchModel) -> None:
    model.adding_moves_etag = True
    done = submit_to(model, plan_of(), spec_of(101))
    job = model.jobs[done.job_id]
    assert job.sealed
    assert done.etag == job.etag


@pytest.mark.parametrize(
    ("content", "job_of_the_retry"),
    [(b'{"n": 1}', "3-1"), (None, "3-2"), (b'{"n": ', "3-2"), (b"1" * 2000, "3-1")],
    ids=["there", "absent", "cut short", "too large, which running again would not mend"],
)
def test_a_retry_attaches_to_a_job_that_succeeded_only_if_its_outputs_can_be_had(
    model: BatchModel, content: bytes | None, job_of_the_retry: str
) -> None:
    submit_to(model, plan_of(1), spec_of(1))
    model.settle()
    if content is not None:
        model.jobs[f"{PREFIX}3-1"].tasks["t0"].files["wd/r.json"] = content
    plan = replace(plan_of(2), outputs=("r.json",), max_output_bytes=1000)
    assert submit_to(model, plan, spec_of(1)).job_id == f"{PREFIX}{job_of_the_retry}"
