"""Dependencies and exit conditions of local Batch."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchad.local.batch.dependencies import DependencyTable
from airflow_provider_batchad.local.batch.exits import respond_to_exit
from airflow_provider_batchad.local.batch.task import Task


def make_task(task_id: str) -> Task:
    return Task(id=task_id, created=1, modified=1, transition=1, content="", settings="")


def freed(table: DependencyTable, task_id: str) -> list[str]:
    return [task.id for task in table.fulfil(task_id)]


def test_task_waits_for_every_id_in_any_case() -> None:
    table = DependencyTable()
    waiting = make_task("merge")
    assert table.add(waiting, ["A", "b", "B"], [])
    assert freed(table, "a") == []
    assert table.is_waiting(waiting)
    assert freed(table, "B") == ["merge"]
    assert not table.is_waiting(waiting)


def test_what_is_fulfilled_already_is_not_waited_for() -> None:
    table = DependencyTable()
    assert freed(table, "a") == []
    assert not table.add(make_task("merge"), ["A"], [])


def test_range_needs_every_integer_and_takes_leading_zeros() -> None:
    table = DependencyTable()
    freed(table, "02")
    assert table.add(make_task("merge"), [], [(1, 3)])
    assert freed(table, "2") == []
    assert freed(table, "5flamingoes") == []
    assert freed(table, "1") == []
    assert freed(table, "003") == ["merge"]


def test_ids_and_ranges_count_together() -> None:
    table = DependencyTable()
    assert table.add(make_task("merge"), ["x"], [(1, 1), (2, 2)])
    assert freed(table, "1") + freed(table, "2") == []
    assert freed(table, "x") == ["merge"]


def test_huge_range_costs_nothing_to_look_at() -> None:
    table = DependencyTable()
    freed(table, "7")
    assert table.add(make_task("merge"), [], [(0, 2**31 - 1)])


def test_one_task_frees_all_that_waited_for_it() -> None:
    table = DependencyTable()
    for number in range(3):
        table.add(make_task(f"t{number}"), ["first"], [])
    assert freed(table, "first") == ["t0", "t1", "t2"]


CONDITIONS: dict[str, Any] = {
    "exitCodes": [{"code": 3, "exitOptions": {"jobAction": "none", "dependencyAction": "satisfy"}}],
    "exitCodeRanges": [{"start": 1, "end": 9, "exitOptions": {"jobAction": "disable"}}],
    "preProcessingError": {"jobAction": "terminate"},
    "default": {"jobAction": "none"},
}


@pytest.mark.parametrize(
    ("exit_code", "was_prepared", "expected"),
    [
        (0, True, ("none", True)),
        (3, True, ("none", True)),
        (4, True, ("disable", False)),
        (10, True, ("none", False)),
        (None, True, ("none", False)),
        (None, False, ("terminate", False)),
    ],
)
def test_most_specific_condition_counts(
    exit_code: int | None, was_prepared: bool, expected: tuple[str, bool]
) -> None:
    response = respond_to_exit(CONDITIONS, exit_code=exit_code, was_prepared=was_prepared)
    assert (response.job_action, response.satisfies) == expected


@pytest.mark.parametrize(
    ("exit_code", "expected"), [(0, ("none", True)), (1, ("terminate", False)), (None, ("terminate", False))]
)
def test_without_conditions_failure_terminates_and_blocks(
    exit_code: int | None, expected: tuple[str, bool]
) -> None:
    response = respond_to_exit(None, exit_code=exit_code, was_prepared=True)
    assert (response.job_action, response.satisfies) == expected


def test_success_can_be_given_another_meaning() -> None:
    conditions = {"exitCodes": [{"code": 0, "exitOptions": {"dependencyAction": "block"}}]}
    assert not respond_to_exit(conditions, exit_code=0, was_prepared=True).satisfies
