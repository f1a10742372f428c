"""Killed at any point, whatever answer is lost: one job, every task once."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress

import pytest

from airflow_provider_batchad.errors import BatchAdError, ServiceUnavailable, Unreachable
from airflow_provider_batchad.jobs.outcome import read_outcome
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run
from airflow_provider_batchad.jobs.spec import JobSpec
from airflow_provider_batchad.jobs.submission import Plan, Submitted
from tests.unit.batch_model import BatchModel
from tests.unit.tries import plan_of, run_until, spec_of, steps_of, submit_to

REQUESTS = 6  # of a submission of 250 tasks: list, create, three collections, seal


def check_whole(model: BatchModel, done: Submitted, spec: JobSpec) -> None:
    """The job holds every task, ends by itself, and each task ran exactly once over all jobs."""
    model.settle()
    outcome = run(read_outcome(done.job_id, spec.task_ids), model.send, lambda _: None)
    assert outcome.succeeded()
    assert model.ran == Counter(spec.task_ids)


@pytest.mark.parametrize("answered", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("same_try", [False, True], ids=["next-try", "same-try"])
@pytest.mark.parametrize("killed_at", range(REQUESTS))
def test_a_submission_killed_at_any_request_is_completed_by_the_next(
    killed_at: int, same_try: bool, answered: bool
) -> None:
    model, spec = BatchModel(), spec_of(250)
    steps = steps_of(model, plan_of(1), spec)
    assert run_until(steps, model, killed_at, answered=answered)
    steps.close()
    existed = bool(model.jobs)

    done = submit_to(model, plan_of(1 if same_try else 2), spec)

    assert done.attached is existed
    assert len(model.jobs) == 1
    check_whole(model, done, spec)


def test_a_submission_has_no_more_requests_than_are_killed_here() -> None:
    model = BatchModel()
    assert not run_until(steps_of(model, plan_of(), spec_of(250)), model, REQUESTS, answered=False)


@pytest.mark.parametrize("second", range(REQUESTS + 1))
@pytest.mark.parametrize("first", range(REQUESTS))
def test_a_submission_killed_twice_is_completed_by_the_third(first: int, second: int) -> None:
    model, spec = BatchModel(), spec_of(250)
    run_until(steps_of(model, plan_of(1), spec), model, first, answered=True)
    run_until(steps_of(model, plan_of(2), spec), model, second, answered=True)
    done = submit_to(model, plan_of(3), spec)
    assert len(model.jobs) == 1
    check_whole(model, done, spec)


@pytest.mark.parametrize("lost", ["before", "after"])
@pytest.mark.parametrize("number", range(REQUESTS))
def test_a_lost_answer_fails_this_try_and_the_next_completes_the_job(number: int, lost: str) -> None:
    model, spec = BatchModel(), spec_of(250)
    model.fault = lambda _: lost if len(model.sent) == number + 1 else None
    with pytest.raises(BatchAdError) as caught:
        submit_to(model, plan_of(1), spec)
    assert caught.value.retryable
    done = submit_to(model, plan_of(2), spec)
    assert len(model.jobs) == 1
    check_whole(model, done, spec)


@pytest.mark.parametrize("lost", [1, 5], ids=["create", "seal"])
def test_a_repeat_of_a_write_whose_answer_was_lost_is_seen_as_our_own(lost: int) -> None:
    """azure-core repeats a POST and a PATCH on 500, 503 and 504: the second answer is a 409 or a 412."""
    model, spec = BatchModel(), spec_of(250)

    def send_twice(request: BatchRequest) -> BatchResponse:
        if len(model.sent) == lost:
            model.send(request)
        return model.send(request)

    done = run(steps_of(model, plan_of(), spec), send_twice, lambda _: None)
    assert len(model.jobs) == 1
    assert done.etag == model.jobs[done.job_id].etag
    check_whole(model, done, spec)


@pytest.mark.parametrize("reached", [False, True], ids=["something on the way", "Batch"])
def test_a_write_whose_success_has_no_etag_is_looked_at_and_made_again(reached: bool) -> None:
    model, spec = BatchModel(), spec_of(250)
    blanks = iter([BatchResponse(status=200, operation="Update Job")])

    def send(request: BatchRequest) -> BatchResponse:
        blank = next(blanks, None) if request.operation == "Update Job" else None
        if blank is None:
            return model.send(request)
        if reached:
            model.send(request)
        return blank

    done = run(steps_of(model, plan_of(), spec), send, lambda _: None)
    assert model.operations[-2:] == ["Get Job", "Update Job"]
    assert done.etag == model.jobs[done.job_id].etag
    check_whole(model, done, spec)


def test_where_no_write_has_an_etag_the_job_is_not_called_submitted() -> None:
    model, spec = BatchModel(), spec_of(250)

    def send(request: BatchRequest) -> BatchResponse:
        blank = BatchResponse(status=200, operation="Update Job")
        return blank if request.operation == "Update Job" else model.send(request)

    with pytest.raises(Unreachable, match="is not Batch: it has no header etag") as caught:
        run(steps_of(model, plan_of(), spec), send, lambda _: None)
    assert caught.value.retryable
    check_whole(model, submit_to(model, plan_of(2), spec), spec)


class Chaos:
    """A task instance whose tries are killed, cleared and answered badly, as a seed says."""

    def __init__(self, seed: int, *, clears: bool) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a seed makes the run the same again
        self.clears = clears
        self.model = BatchModel()
        self.model.fault = self.fault
        self.model.item_fault = lambda _: self.pick(0.01, "before", "after")
        self.model.takes_id_filter = clears or self.random.random() < 0.9
        self.model.adding_moves_etag = self.random.random() < 0.2
        self.spec = spec_of(self.random.choice([1, 2, 99, 100, 101, 250]))
        self.epoch, self.first_try, self.number = 4, 1, 1

    def pick(self, rate: float, *choices: str) -> str | None:
        return self.random.choice(choices) if self.random.random() < rate else None

    def fault(self, request: BatchRequest) -> str | None:
        if self.random.random() < 0.1:
            self.model.settle()
        # Without a filter there are so many reads that a try would never come past them all.
        rate = 0.02 if request.operation == "Get Job" else 0.15
        return self.pick(rate, "before", "after", "busy")

    def plan(self) -> Plan:
        return plan_of(self.number, epoch=self.epoch, first_try=self.first_try)

    def one_try(self) -> Submitted | None:
        steps = steps_of(self.model, self.plan(), self.spec)
        if self.random.random() < 0.3:
            with suppress(Unreachable, ServiceUnavailable):
                run_until(steps, self.model, self.random.randrange(8), answered=self.random.random() < 0.5)
            return None
        with suppress(Unreachable, ServiceUnavailable):
            return run(steps, self.model.send, lambda _: None)
        return None

    def until_submitted(self) -> Submitted:
        for _ in range(200):
            done = self.one_try()
            if done is not None:
                return done
            self.number += 1
            if self.clears and self.random.random() < 0.2:
                self.epoch, self.first_try = self.number + 3, self.number
        raise AssertionError("200 tries were not enough")


@pytest.mark.parametrize("block", range(10))
def test_of_a_thousand_submissions_under_faults_none_is_lost_and_none_is_doubled(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        chaos = Chaos(seed, clears=False)
        done = chaos.until_submitted()
        chaos.model.fault = lambda _: None
        assert len(chaos.model.jobs) == 1, seed
        assert chaos.model.operations.count("Terminate Job") == 0, seed
        check_whole(chaos.model, done, chaos.spec)


def test_whatever_is_cleared_there_are_never_two_jobs_alive() -> None:
    for seed in range(300):
        chaos = Chaos(seed, clears=True)
        done = chaos.until_submitted()
        chaos.model.fault = lambda _: None
        assert chaos.model.most_alive == 1, seed
        chaos.model.settle()
        outcome = run(read_outcome(done.job_id, chaos.spec.task_ids), chaos.model.send, lambda _: None)
        assert outcome.succeeded(), seed
        assert not chaos.model.alive(), seed
