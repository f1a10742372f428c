"""What each 409 means is read off its code, never off its status."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_batchad.errors import (
    BatchServiceError,
    Conflict,
    NotFound,
    PermissionDenied,
    TasksRejected,
)
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run
from airflow_provider_batchad.jobs.submission import Submitted, terminate
from tests.unit.batch_model import BatchModel
from tests.unit.tries import PREFIX, plan_of, spec_of, steps_of, submit_to

JOB_ID = f"{PREFIX}3-1"


@pytest.fixture
def model() -> BatchModel:
    return BatchModel()


def end(model: BatchModel, etag: str | None = None) -> bool:
    return run(terminate(JOB_ID, "because", etag=etag), model.send, lambda _: None)


def submit_while(model: BatchModel, number: int, happen: Callable[[], object]) -> Submitted:
    """Submit three collections; something happens before the request ``number``."""
    sent = iter(range(number))

    def send(request: BatchRequest) -> BatchResponse:
        if next(sent, None) is None and happen in todo:
            todo.remove(happen)
            happen()
        return model.send(request)

    todo = [happen]
    return run(steps_of(model, plan_of(), spec_of(250)), send, lambda _: None)


def test_create_job_exists_of_ours_is_attached_to(model: BatchModel) -> None:
    model.takes_id_filter = False
    submit_to(model, plan_of(), spec_of(2))

    def send(request: BatchRequest) -> BatchResponse:
        # The look before found nothing, as if the job was made in between.
        if request.operation == "Get Job" and "Create Job" not in model.operations[first:]:
            model.refuse(request, 404, "JobNotFound")
        return model.send(request)

    first = len(model.operations)
    done = run(steps_of(model, plan_of(), spec_of(2)), send, lambda _: None)
    assert (done.job_id, done.attached) == (JOB_ID, True)
    assert len(model.jobs[JOB_ID].tasks) == 2


def test_create_job_exists_of_somebody_else_says_that_the_id_is_taken(model: BatchModel) -> None:
    submit_to(model, plan_of(), spec_of(1))
    model.jobs[JOB_ID].body["metadata"] = [{"name": "made by", "value": "hand"}]
    before = model.jobs[JOB_ID].json()
    with pytest.raises(
        Conflict, match=f"JobExists.*The id '{JOB_ID}' is taken by a job that is not"
    ) as caught:
        submit_to(model, plan_of(), spec_of(2))
    assert caught.value.is_code("JobExists")
    assert caught.value.remedy is not None
    assert model.jobs[JOB_ID].json() == before
    assert len(model.jobs[JOB_ID].tasks) == 1


@pytest.mark.parametrize(
    "code",
    [
        "ActiveJobAndScheduleQuotaReached",
        "PoolQuotaReached",
        "InvalidApplicationPackageReferences",
        "OperationInvalidForCurrentState",
        "SomethingNew",
    ],
)
def test_any_other_conflict_at_creation_is_raised_when_there_is_no_such_job(
    model: BatchModel, code: str
) -> None:
    model.refusals = {"Create Job": (409, code)}
    with pytest.raises(Conflict) as caught:
        submit_to(model, plan_of(), spec_of(1))
    assert caught.value.is_code(code)
    assert not model.jobs


@pytest.mark.parametrize(("state", "code"), [("deleting", "JobBeingDeleted"), ("terminating", "JobExists")])
def test_a_job_of_this_try_that_is_going_away_is_waited_for_and_not_made_again(
    model: BatchModel, state: str, code: str
) -> None:
    submit_to(model, plan_of(), spec_of(1))
    model.jobs[JOB_ID].state = state
    done = submit_to(model, plan_of(), spec_of(1))
    assert (done.job_id, done.attached, done.etag) == (JOB_ID, True, None)
    assert model.jobs[JOB_ID].state == state
    assert submit_to(model, plan_of(2), spec_of(1)).job_id == f"{PREFIX}3-2"


@pytest.mark.parametrize("code", ["JobBeingDeleted", "JobBeingTerminated"])
def test_creation_refused_for_a_job_that_is_going_away_is_raised_when_it_is_gone(
    model: BatchModel, code: str
) -> None:
    model.refusals = {"Create Job": (409, code)}
    with pytest.raises(Conflict) as caught:
        submit_to(model, plan_of(), spec_of(1))
    assert caught.value.is_code(code)


@pytest.mark.parametrize("code", ["JobCompleted", "JobNotActive", "JobBeingTerminated", "JobBeingDeleted"])
@pytest.mark.parametrize("operation", ["Create Task Collection", "Update Job"])
def test_a_job_that_is_over_while_it_is_filled_is_left_to_the_verdict(
    model: BatchModel, operation: str, code: str
) -> None:
    model.refusals = {operation: (409, code)}
    done = submit_to(model, plan_of(), spec_of(3))
    assert (done.job_id, done.etag) == (JOB_ID, None)
    assert model.operations.count(operation) == 1


@pytest.mark.parametrize("code", ["JobCompleted", "JobNotActive", "JobBeingTerminated", "JobBeingDeleted"])
def test_a_task_that_is_refused_since_the_job_is_over_is_no_error_of_its_author(
    model: BatchModel, code: str
) -> None:
    model.rejected = {"t1": code}
    done = submit_to(model, plan_of(), spec_of(3))
    assert (done.job_id, done.etag) == (JOB_ID, None)
    assert "Terminate Job" not in model.operations


def test_a_task_that_is_refused_since_the_job_is_disabled_may_be_added_by_a_later_try(
    model: BatchModel,
) -> None:
    model.rejected = {"t1": "JobDisabled"}
    with pytest.raises(Conflict) as caught:
        submit_to(model, plan_of(), spec_of(3))
    assert caught.value.is_code("JobDisabled")
    model.rejected = {}
    assert submit_to(model, plan_of(2), spec_of(3)).attached
    assert len(model.jobs[JOB_ID].tasks) == 3


@pytest.mark.parametrize("code", ["TaskExists", "TaskCompleted", "TaskSucceeded", "taskexists"])
def test_a_task_that_is_there_and_may_be_over_is_added(model: BatchModel, code: str) -> None:
    model.rejected = {"t1": code}
    assert submit_to(model, plan_of(), spec_of(3)).etag == model.jobs[JOB_ID].etag
    assert model.jobs[JOB_ID].sealed


def test_a_task_that_names_an_absent_package_is_its_authors_error(model: BatchModel) -> None:
    model.rejected = {"t1": "InvalidApplicationPackageReferences"}
    with pytest.raises(TasksRejected, match="t1: InvalidApplicationPackageReferences"):
        submit_to(model, plan_of(), spec_of(3))


@pytest.mark.parametrize("state", ["terminating", "completed", "deleting"])
@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_a_job_that_a_person_ends_while_it_is_filled_is_left_to_the_verdict(
    model: BatchModel, number: int, state: str
) -> None:
    done = submit_while(model, number, lambda: setattr(model.jobs[JOB_ID], "state", state))
    assert (done.job_id, done.etag) == (JOB_ID, None)


@pytest.mark.parametrize("number", [2, 5])
def test_a_job_that_a_person_deletes_while_it_is_filled_is_left_to_the_verdict(
    model: BatchModel, number: int
) -> None:
    done = submit_while(model, number, model.jobs.clear)
    assert (done.job_id, done.etag) == (JOB_ID, None)


def test_a_job_that_a_person_changes_while_it_is_filled_is_sealed_all_the_same(model: BatchModel) -> None:
    done = submit_while(model, 4, lambda: model.touch(JOB_ID))
    assert model.jobs[JOB_ID].sealed
    assert done.etag == model.jobs[JOB_ID].etag


def test_a_disabled_job_takes_no_tasks_and_says_so(model: BatchModel) -> None:
    with pytest.raises(Conflict) as caught:
        submit_while(model, 3, lambda: setattr(model.jobs[JOB_ID], "state", "disabled"))
    assert caught.value.is_code("JobDisabled")


@pytest.mark.parametrize("code", ["OperationInvalidForCurrentState", "SomethingNew"])
def test_an_unknown_conflict_is_decided_by_the_job(model: BatchModel, code: str) -> None:
    model.refusals = {"Update Job": (409, code)}
    with pytest.raises(Conflict):
        submit_to(model, plan_of(), spec_of(1))

    def happen() -> None:
        model.jobs[JOB_ID].state = "completed"
        model.refusals = {"Create Task Collection": (409, code)}

    model.jobs.clear()
    assert submit_while(model, 2, happen).etag is None


@pytest.mark.parametrize("state", ["active", "disabled"])
def test_terminating_a_job_that_lives_is_this_requests_doing(model: BatchModel, state: str) -> None:
    submit_to(model, plan_of(), spec_of(1))
    model.jobs[JOB_ID].state = state
    assert end(model) is True
    assert model.jobs[JOB_ID].execution["terminateReason"] == "because"


@pytest.mark.parametrize("state", ["terminating", "completed", "deleting"])
def test_terminating_a_job_that_is_over_is_a_success_of_somebody_else(model: BatchModel, state: str) -> None:
    submit_to(model, plan_of(), spec_of(1))
    model.jobs[JOB_ID].state = state
    assert end(model) is False


def test_terminating_a_job_that_is_gone_is_a_success_of_somebody_else(model: BatchModel) -> None:
    assert end(model) is False


@pytest.mark.parametrize(
    "code", ["JobCompleted", "JobNotActive", "jobbeingterminated", "JobBeingDeleted", "JOBCOMPLETED"]
)
def test_the_codes_of_a_job_that_is_over_are_compared_without_case(model: BatchModel, code: str) -> None:
    model.refusals = {"Terminate Job": (409, code)}
    assert end(model) is False
    assert model.operations == ["Terminate Job"]


def test_an_unknown_conflict_at_termination_is_raised_while_the_job_lives(model: BatchModel) -> None:
    submit_to(model, plan_of(), spec_of(1))
    model.refusals = {"Terminate Job": (409, "OperationInvalidForCurrentState")}
    with pytest.raises(Conflict):
        end(model)
    model.jobs[JOB_ID].state = "completed"
    assert end(model) is False
    model.jobs.clear()
    assert end(model) is False


def test_a_missing_permission_to_terminate_is_raised(model: BatchModel) -> None:
    model.refusals = {"Terminate Job": (403, "AuthorizationFailure")}
    with pytest.raises(PermissionDenied):
        end(model)


def test_a_service_that_refuses_every_version_is_not_asked_for_ever(model: BatchModel) -> None:
    model.refusals = {"Update Job": (412, "ConditionNotMet"), "Terminate Job": (412, "ConditionNotMet")}
    with pytest.raises(BatchServiceError, match="ConditionNotMet"):
        submit_to(model, plan_of(), spec_of(1))
    steps = terminate(JOB_ID, "because", etag="0x1", owner=plan_of().owner)
    assert run(steps, model.send, lambda _: None) is False
    assert len(model.sent) < 30


@pytest.mark.parametrize("operation", ["List Jobs", "Create Job", "Create Task Collection", "Update Job"])
def test_a_missing_permission_is_raised_from_every_step(model: BatchModel, operation: str) -> None:
    model.refusals = {operation: (403, "AuthorizationFailure")}
    with pytest.raises(PermissionDenied):
        submit_to(model, plan_of(), spec_of(1))


def test_a_pool_that_does_not_exist_is_raised(model: BatchModel) -> None:
    model.refusals = {"Create Job": (404, "PoolNotFound")}
    with pytest.raises(NotFound) as caught:
        submit_to(model, plan_of(), spec_of(1))
    assert caught.value.is_code("PoolNotFound")
