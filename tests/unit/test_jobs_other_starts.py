"""A clear of a finished DAG run starts it anew and names its jobs otherwise: what becomes of the old ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_batchad.errors import Superseded
from airflow_provider_batchad.jobs.naming import Attempt
from airflow_provider_batchad.jobs.plan import Plan
from tests.unit.batch_model import BatchModel
from tests.unit.tries import METADATA, plan_of, run_until, spec_of, steps_of, submit_to

RUN_PREFIX = "etl-summarise-01234567"
STARTED = datetime(2026, 3, 1, 0, 0, 2, tzinfo=UTC)


def plan_of_start(start: int, number: int, *, alone: bool = True) -> Plan:
    """The plan of a try of one start of the run.

    :param alone: no other Airflow can have this run.
    """
    return replace(
        plan_of(number, epoch=number - 1, first_try=number),
        prefix=f"{RUN_PREFIX}{start:08x}-",
        run_prefix=RUN_PREFIX if alone else None,
        run_started=STARTED + timedelta(minutes=start),
    )


def test_a_job_of_before_the_run_was_started_anew_is_superseded() -> None:
    model = BatchModel()
    first, second = plan_of_start(0, 1), plan_of_start(1, 2)
    assert run_until(steps_of(model, first, spec_of(300)), model, 3, answered=True)
    submitted = submit_to(model, second, spec_of(300))
    assert (submitted.job_id, submitted.attached) == (second.job_id, False)
    assert submitted.superseded == (first.job_id,)
    assert [job.body["id"] for job in model.alive()] == [second.job_id]


def test_where_another_airflow_may_have_the_run_its_job_is_left() -> None:
    model = BatchModel()
    submit_to(model, plan_of_start(0, 1, alone=False), spec_of(3))
    assert submit_to(model, plan_of_start(1, 2, alone=False), spec_of(3)).superseded == ()
    assert len(model.alive()) == 2


def test_a_job_that_does_not_say_when_its_run_was_started_is_left() -> None:
    model = BatchModel()
    submit_to(model, replace(plan_of_start(0, 1), run_started=None), spec_of(3))
    assert submit_to(model, plan_of_start(1, 2), spec_of(3)).superseded == ()


def test_a_job_of_another_task_with_such_an_id_is_left() -> None:
    model = BatchModel()
    submit_to(model, replace(plan_of_start(0, 1), metadata={**METADATA, "airflow_task": "x"}), spec_of(3))
    assert submit_to(model, plan_of_start(1, 2), spec_of(3)).superseded == ()


def test_a_zombie_of_before_the_run_was_started_anew_changes_nothing() -> None:
    model = BatchModel()
    submit_to(model, plan_of_start(1, 2), spec_of(3))
    with pytest.raises(Superseded, match="belongs to try 2 of this Airflow task; this is try 1"):
        submit_to(model, plan_of_start(0, 1), spec_of(3))
    assert len(model.alive()) == 1


def test_the_first_try_of_a_run_that_was_made_again_supersedes_a_later_one_of_the_deleted() -> None:
    model = BatchModel()
    deleted = replace(plan_of_start(0, 4), attempt=Attempt(epoch=5, number=4))
    submit_to(model, deleted, spec_of(3))
    assert submit_to(model, plan_of_start(1, 1), spec_of(3)).superseded == (deleted.job_id,)
