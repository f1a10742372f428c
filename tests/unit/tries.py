"""Tries of one task instance against a :class:`~tests.unit.batch_model.BatchModel`."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from airflow_provider_batchad.jobs.naming import Attempt
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, Steps, run
from airflow_provider_batchad.jobs.spec import JobSpec, build_job
from airflow_provider_batchad.jobs.submission import Plan, Submitted, submit
from tests.unit.batch_model import BatchModel

PREFIX = "etl-summarise-0123456789abcdef-"
METADATA = {"airflow_dag": "etl", "airflow_run": "scheduled__2026-03-01", "airflow_task": "summarise"}


@cache
def spec_of(tasks: int) -> JobSpec:
    return build_job(
        pool_id="cpu",
        tasks=[{"id": f"t{number}", "command_line": "true"} for number in range(tasks)],
        command_line=None,
        job=None,
    )


def plan_of(
    number: int = 1,
    *,
    epoch: int = 3,
    first_try: int = 1,
    max_failed_tasks: int = 0,
    keeps_successes: bool = False,
) -> Plan:
    return Plan(
        prefix=PREFIX,
        attempt=Attempt(epoch=epoch, number=number),
        first_try=first_try,
        metadata=METADATA,
        owner=f"ti-of-try-{number}",
        limit=timedelta(hours=2),
        max_failed_tasks=max_failed_tasks,
        keeps_successes=keeps_successes,
    )


def steps_of(model: BatchModel, plan: Plan, spec: JobSpec) -> Steps[Submitted]:
    return submit(spec, plan, now=lambda: model.now)


def submit_to(model: BatchModel, plan: Plan, spec: JobSpec) -> Submitted:
    return run(steps_of(model, plan, spec), model.send, lambda _: None)


class Killed(BaseException):
    """The process is no more: nothing catches it."""


def run_until(steps: Steps[Submitted], model: BatchModel, stop: int, *, answered: bool) -> bool:
    """Kill the process at its request ``stop``, counted from 0; whether it came so far.

    :param answered: whether that request reached the service.
    """
    left = iter(range(stop))

    def send(request: BatchRequest) -> BatchResponse:
        if next(left, None) is None:
            if answered:
                model.send(request)
            raise Killed
        return model.send(request)

    try:
        run(steps, send, lambda _: None)
    except Killed:
        return True
    return False
