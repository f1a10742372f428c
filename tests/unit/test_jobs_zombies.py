"""A process that Airflow gave up hangs, a later try submits, and the process goes on."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest

from airflow_provider_batchad.errors import Superseded, TasksRejected
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run
from airflow_provider_batchad.jobs.spec import JobSpec
from airflow_provider_batchad.jobs.submission import Plan, Submitted, terminate
from tests.unit.batch_model import BatchModel
from tests.unit.tries import PREFIX, plan_of, run_until, spec_of, steps_of, submit_to


class Zombie:
    """Hangs at a request of its own while ``successor`` submits.

    :param answered: after its answer, not before it is sent.
    """

    def __init__(self, model: BatchModel, *, hangs_at: int, answered: bool, successor: Plan) -> None:
        self.model = model
        self.hangs_at = hangs_at
        self.answered = answered
        self.successor = successor
        self.successors_job: Submitted | None = None
        self.etags: set[str | None] = set()
        self.sent = 0

    def run(self, plan: Plan, spec: JobSpec) -> None:
        def send(request: BatchRequest) -> BatchResponse:
            hangs = self.sent == self.hangs_at
            self.sent += 1
            if hangs and not self.answered:
                self.submit_meanwhile(spec)
            answer = self.model.send(request)
            if hangs and self.answered:
                self.submit_meanwhile(spec)
            self.etags.add(answer.headers.get("etag"))
            return answer

        run(steps_of(self.model, plan, spec), send, lambda _: None)

    def submit_meanwhile(self, spec: JobSpec) -> None:
        self.model.advance(timedelta(minutes=10))
        rejected, self.model.rejected = self.model.rejected, {}
        self.successors_job = submit_to(self.model, self.successor, spec)
        self.model.rejected = rejected


def check_untouched(zombie: Zombie, plan: Plan, spec: JobSpec) -> None:
    model, done = zombie.model, zombie.successors_job
    assert done is not None, "the zombie never came to the request where it hangs"
    job = model.jobs[done.job_id]
    assert job.state == "active"
    assert job.metadata["airflow_task_instance"] == zombie.successor.owner
    for etag in zombie.etags - {None}:
        steps = terminate(done.job_id, "a zombie", etag=etag, owner=plan.owner)
        assert run(steps, model.send, lambda _: None) is False
    model.settle()
    assert job.state == "completed"
    assert model.ran == Counter(spec.task_ids)


HANGS = pytest.mark.parametrize("hangs_at", range(6))
ANSWERED = pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])


@ANSWERED
@HANGS
def test_a_zombie_of_an_earlier_try_changes_nothing(hangs_at: int, answered: bool) -> None:
    spec, plan = spec_of(250), plan_of(1)
    zombie = Zombie(BatchModel(), hangs_at=hangs_at, answered=answered, successor=plan_of(2))
    with suppress(Superseded):
        zombie.run(plan, spec)
    check_untouched(zombie, plan, spec)


@ANSWERED
@HANGS
def test_a_zombie_that_attaches_changes_nothing(hangs_at: int, answered: bool) -> None:
    spec, plan, model = spec_of(250), plan_of(2), BatchModel()
    assert run_until(steps_of(model, plan_of(1), spec), model, 2, answered=True)
    zombie = Zombie(model, hangs_at=hangs_at, answered=answered, successor=plan_of(3))
    with suppress(Superseded):
        zombie.run(plan, spec)
    assert list(model.jobs) == [f"{PREFIX}3-1"]
    check_untouched(zombie, plan, spec)


@ANSWERED
@HANGS
def test_a_zombie_of_before_a_clear_changes_nothing(hangs_at: int, answered: bool) -> None:
    spec, plan = spec_of(250), plan_of(1)
    successor = plan_of(2, epoch=5, first_try=2)
    zombie = Zombie(BatchModel(), hangs_at=hangs_at, answered=answered, successor=successor)
    with suppress(Superseded):
        zombie.run(plan, spec)
    assert zombie.successors_job is not None
    assert zombie.successors_job.job_id == f"{PREFIX}5-2"
    check_untouched(zombie, plan, spec)


@pytest.mark.parametrize("hangs_at", [2, 3, 4])
def test_a_zombie_whose_task_is_rejected_does_not_end_the_job_of_its_successor(hangs_at: int) -> None:
    spec, plan, model = spec_of(250), plan_of(1), BatchModel()
    zombie = Zombie(model, hangs_at=hangs_at, answered=False, successor=plan_of(2))
    # It is a conflict of the zombie's own: the job holds these tasks already.
    model.rejected = {"t249": "InvalidPropertyValue"}
    with pytest.raises(TasksRejected):
        zombie.run(plan, spec)
    check_untouched(zombie, plan, spec)


@pytest.mark.parametrize("takes_id_filter", [True, False])
def test_a_zombie_that_looks_late_makes_no_job(takes_id_filter: bool) -> None:
    model = BatchModel()
    model.takes_id_filter = takes_id_filter
    submit_to(model, plan_of(2), spec_of(1))
    with pytest.raises(Superseded, match="belongs to try 2 of this Airflow task; this is try 1"):
        submit_to(model, plan_of(1), spec_of(1))
    assert list(model.jobs) == [f"{PREFIX}3-2"]


def test_a_process_that_hung_before_its_creation_ends_the_second_job_that_it_made() -> None:
    spec, model = spec_of(3), BatchModel()
    zombie = Zombie(model, hangs_at=1, answered=False, successor=plan_of(2))
    with pytest.raises(Superseded):
        zombie.run(plan_of(1), spec)
    states = {job_id: (job.state, len(job.tasks)) for job_id, job in model.jobs.items()}
    assert states == {f"{PREFIX}3-1": ("terminating", 0), f"{PREFIX}3-2": ("active", 3)}


def test_a_process_that_was_slow_but_not_replaced_goes_on() -> None:
    spec, model = spec_of(3), BatchModel()

    def send(request: BatchRequest) -> BatchResponse:
        model.advance(timedelta(minutes=2))
        return model.send(request)

    done = run(steps_of(model, plan_of(1), spec), send, lambda _: None)
    assert model.jobs[done.job_id].sealed
    assert model.operations.count("List Jobs") == 2


def test_a_job_that_a_person_wrote_is_still_ours_to_end() -> None:
    model = BatchModel()
    done = submit_to(model, plan_of(1), spec_of(1))
    model.touch(done.job_id)
    steps = terminate(done.job_id, "Airflow: cancelled", etag=done.etag, owner=plan_of(1).owner)
    assert run(steps, model.send, lambda _: None) is True
    assert model.jobs[done.job_id].execution["terminateReason"] == "Airflow: cancelled"


def test_without_an_owner_an_etag_of_before_ends_nothing() -> None:
    model = BatchModel()
    done = submit_to(model, plan_of(1), spec_of(1))
    model.touch(done.job_id)
    assert run(terminate(done.job_id, "late", etag=done.etag), model.send, lambda _: None) is False
    assert model.jobs[done.job_id].state == "active"
