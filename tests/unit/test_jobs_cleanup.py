from __future__ import annotations

import pytest

from airflow_provider_batchad.jobs.cleanup import delete_jobs
from airflow_provider_batchad.jobs.rest import run
from tests.unit.batch_model import BatchModel
from tests.unit.tries import PREFIX, plan_of, spec_of, submit_to

JOB_ID = f"{PREFIX}3-1"


@pytest.fixture
def model() -> BatchModel:
    model = BatchModel()
    submit_to(model, plan_of(), spec_of(1))
    model.settle()
    model.sent.clear()
    return model


def delete(model: BatchModel, *job_ids: str, number: int = 1) -> dict[str, str]:
    return run(delete_jobs(job_ids or (JOB_ID,), number=number), model.send, lambda _: None)


def test_a_completed_job_is_deleted_in_the_version_that_was_seen(model: BatchModel) -> None:
    etag = model.jobs[JOB_ID].etag
    assert delete(model) == {}
    assert model.jobs[JOB_ID].state == "deleting"
    assert model.sent[-1].headers["If-Match"] == etag


@pytest.mark.parametrize("state", ["active", "terminating", "disabled"])
def test_a_job_that_is_not_over_is_left(model: BatchModel, state: str) -> None:
    model.jobs[JOB_ID].state = state
    assert delete(model) == {JOB_ID: f"it is in state {state!r}"}
    assert model.jobs[JOB_ID].state == state


def test_a_job_that_a_later_try_has_is_left_to_it(model: BatchModel) -> None:
    model.jobs[JOB_ID].state = "active"
    submit_to(model, plan_of(2), spec_of(1))
    model.settle()
    assert delete(model, number=1) == {JOB_ID: "try 2 of this Airflow task has it"}
    assert delete(model, number=2) == {}


def test_a_job_that_is_gone_or_going_is_as_good_as_deleted(model: BatchModel) -> None:
    model.jobs[JOB_ID].state = "deleting"
    assert delete(model, JOB_ID, "absent") == {}
    assert "Delete Job" not in model.operations


@pytest.mark.parametrize("lost", ["before", "after", "busy"])
def test_what_hinders_it_is_told_and_raises_nothing(model: BatchModel, lost: str) -> None:
    model.fault = lambda request: lost if request.operation == "Delete Job" else None
    assert list(delete(model)) == [JOB_ID]


def test_a_missing_right_is_told_with_its_action(model: BatchModel) -> None:
    model.refusals = {"Delete Job": (403, "AuthorizationFailure")}
    assert "AuthorizationFailure" in delete(model)[JOB_ID]
