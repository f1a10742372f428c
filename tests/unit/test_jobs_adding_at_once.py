"""Chunks under way at the same time, answered in any order."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchad.errors import ServiceUnavailable, TasksRejected
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.adding import AT_ONCE, add_tasks
from airflow_provider_batchad.jobs.rest import Answered, BatchRequest, BatchResponse, Several, run
from airflow_provider_batchad.jobs.tasks import TaskSpec
from tests.unit.batch_model import BatchModel

JOB_ID = "job"


class Shuffled:
    """Sends what may be under way, and answers it in an order that a seed gives."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a seed makes the run the same again
        self.model = BatchModel()
        self.model.send(requests.create_job({"id": JOB_ID, "onAllTasksComplete": "noaction"}))
        self.most = 0
        self.pauses: list[float] = []

    def add(self, tasks: Iterator[TaskSpec] | list[TaskSpec], *, run_others: bool = False) -> dict[str, str]:
        steps = add_tasks(JOB_ID, tasks, run_others=run_others)
        return run(steps, self.model.send, self.pauses.append, self._send)

    def _send(self, several: Several) -> None:
        under_way: list[tuple[BatchResponse | Exception, Answered]] = []
        for request, answered in several.requests:
            under_way.append((self._answer(request), answered))
            self.most = max(self.most, len(under_way))
            if len(under_way) == several.at_once:
                self._tell(under_way)
        while under_way:
            self._tell(under_way)

    def _answer(self, request: BatchRequest) -> BatchResponse | Exception:
        try:
            return self.model.send(request)
        except Exception as error:  # noqa: BLE001 - handed to who asked
            return error

    def _tell(self, under_way: list[tuple[BatchResponse | Exception, Answered]]) -> None:
        answer, answered = under_way.pop(self.random.randrange(len(under_way)))
        answered(answer)

    @property
    def added(self) -> list[str]:
        return list(self.model.jobs[JOB_ID].tasks)

    @property
    def sent(self) -> int:
        return len(self.model.sent) - 1


def tasks_of(count: int) -> list[TaskSpec]:
    return [TaskSpec.of(f"t{n}", {"id": f"t{n}", "commandLine": "true"}) for n in range(count)]


@given(st.integers(1, 2500), st.integers())
def test_a_hundred_tasks_go_in_each_request_whatever_comes_first(count: int, seed: int) -> None:
    account = Shuffled(seed)
    assert account.add(tasks_of(count)) == {}
    assert account.sent == -(-count // 100)
    assert account.most == min(AT_ONCE, account.sent)
    assert sorted(account.added) == sorted(task.id for task in tasks_of(count))
    assert account.pauses == []


@given(st.integers(1, 1500), st.integers())
def test_no_task_is_lost_and_none_is_added_twice_whatever_fails(count: int, seed: int) -> None:
    account = Shuffled(seed)
    fails = random.Random(seed)  # noqa: S311 - the same
    account.model.max_body_bytes = fails.choice([2_000, 1024 * 1024])
    account.model.fault = lambda _: "busy" if fails.random() < 0.1 else None
    account.model.item_fault = lambda _: fails.choice(["before", "after"]) if fails.random() < 0.01 else None
    try:
        account.add(tasks_of(count))
    except ServiceUnavailable:
        return
    assert sorted(account.added) == sorted(task.id for task in tasks_of(count))


def test_the_iterable_is_read_as_places_come_free() -> None:
    account, read = Shuffled(1), 0

    def tasks() -> Iterator[TaskSpec]:
        nonlocal read
        for task in tasks_of(5000):
            read += 1
            assert read <= 100 * (account.sent + 1) + 1
            yield task

    account.add(tasks())
    assert read == 5000


def test_what_was_read_is_not_sent_once_the_service_is_busy() -> None:
    account = Shuffled(1)
    account.model.fault = lambda _: "busy"
    with pytest.raises(ServiceUnavailable):
        account.add(tasks_of(5000))
    assert account.sent <= 6 * AT_ONCE


def test_the_rejected_are_all_named_where_the_others_run() -> None:
    account = Shuffled(1)
    account.model.rejected = {f"t{n}": "InvalidPropertyValue" for n in range(0, 1000, 7)}
    rejected = account.add(tasks_of(1000), run_others=True)
    assert rejected.keys() == account.model.rejected.keys()
    assert len(account.added) == 1000 - len(rejected)
    account = Shuffled(1)
    account.model.rejected = {f"t{n}": "InvalidPropertyValue" for n in range(250)}
    with pytest.raises(TasksRejected, match=r"rejected 250 task\(s\)"):
        account.add(tasks_of(250), run_others=True)
