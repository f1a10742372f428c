"""Submissions of one task instance under seeded faults: lost answers, refusals, and a process that dies."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from typing import Any, Final

from airflow_provider_batchad.errors import BatchAdError
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.hooks.several import send_at_once
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.outcome import list_tasks
from airflow_provider_batchad.jobs.plan import ALIVE, Plan, state_of
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run
from airflow_provider_batchad.jobs.spec import JobSpec
from airflow_provider_batchad.jobs.submission import Submitted, submit
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.test_submission import now
from tests.unit.tries import plan_of, spec_of

OPERATIONS: Final = (
    "List Jobs",
    "Create Job",
    "Create Task Collection",
    "Update Job",
    "Get Job",
    "Terminate Job",
)
WRONG: Final[tuple[dict[str, Any], ...]] = (
    {"status": 500},
    {"status": 503},
    {"status": 429},
    {"broken": "reset"},
    {"broken": "truncate"},
)
MOST_TRIES: Final = 100


class Died(BaseException):
    """The process is no more: nothing catches it."""


class Submissions:
    """The tries of one task instance, as a seed says.

    :param clears: whether a person clears the task now and then.
    """

    def __init__(self, azure: LocalAzure, hook: AzureBatchAdHook, seed: int, *, clears: bool) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a seed makes the run the same again
        self.azure = azure
        self.hook = hook
        self.clears = clears
        self.prefix = f"run-{seed}-{'c' if clears else 'n'}-"
        self.spec: JobSpec = spec_of(self.random.choice([1, 2, 99, 100, 101, 250, 420]))
        self.epoch, self.first_try, self.number = 4, 1, 1
        self.most_alive = self.broken = 0

    def until_submitted(self) -> Submitted:
        """Try again and again, by Airflow's rules for the numbers of tries."""
        for _ in range(MOST_TRIES):
            self._break_something()
            done = self._one_try()
            self.broken += sum(self.azure.faults.hits(rule.id) for rule in self.azure.faults.rules())
            self.azure.faults.clear()
            self.most_alive = max(self.most_alive, len(self.alive()))
            if done is not None:
                return done
            self.number += 1
            if self.clears and self.random.random() < 0.2:
                self.epoch, self.first_try = self.number + 3, self.number
        raise AssertionError(f"{MOST_TRIES} tries were not enough")

    def jobs(self) -> list[dict[str, Any]]:
        """Every job of the task instance."""
        listing = requests.list_jobs(where=f"startswith(id,'{self.prefix}')")
        return self.hook.run(requests.all_pages(listing))

    def alive(self) -> list[dict[str, Any]]:
        return [job for job in self.jobs() if state_of(job) in ALIVE]

    def tasks_of(self, job_id: str) -> set[str]:
        return set(self.hook.run(list_tasks(job_id)))

    def forget(self) -> None:
        for job in self.jobs():
            self.hook.send(requests.delete_job(job["id"]))

    def _plan(self) -> Plan:
        plan = plan_of(self.number, epoch=self.epoch, first_try=self.first_try)
        return replace(plan, prefix=self.prefix)

    def _break_something(self) -> None:
        for operation in OPERATIONS:
            how: dict[str, Any] = dict(self.random.choice(WRONG))
            when: Any = self.random.choice(["before", "after"])
            seed = self.random.randrange(1 << 30)
            rule = FaultRule(
                service="batch", operation=operation, when=when, probability=0.3, seed=seed, **how
            )
            self.azure.faults.add(rule)

    def _one_try(self) -> Submitted | None:
        dies_at = self.random.randrange(12) if self.random.random() < 0.3 else None
        answered = self.random.random() < 0.5
        sent = iter(range(dies_at)) if dies_at is not None else None

        def send(request: BatchRequest) -> BatchResponse:
            if sent is not None and next(sent, None) is None:
                if answered:
                    self.hook.send(request)
                raise Died
            return self.hook.send(request)

        several = partial(send_at_once, send=send, pause=no_pause)
        try:
            return run(submit(self.spec, self._plan(), now), send, no_pause, several)
        except Died:
            return None
        except BatchAdError as error:
            if not error.retryable:
                raise
            return None


def no_pause(_: float) -> None:
    """Backoff takes no time here."""
