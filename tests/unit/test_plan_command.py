"""``airflow batchad plan``: what would be sent, the same each time, and nothing that only a run can know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.cli import main

DAGS = str(Path(__file__).parent / "plan_dags.py")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["plan", "--dags-folder", DAGS, *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def plans(capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, Any]]]:
    """By the task."""
    assert run("--json") == 1  # one is wrong
    found: dict[str, list[dict[str, Any]]] = {}
    for plan in json.loads(capsys.readouterr().out):
        found.setdefault(plan["task_id"], []).append(plan)
    return found


def test_templates_are_rendered_for_the_dags_start_date(plans: dict[str, list[dict[str, Any]]]) -> None:
    [plan] = plans["templated"]
    assert plan["job"]["poolInfo"] == {"poolId": "cpu"}
    assert plan["tasks"][0]["commandLine"] == "run 2024-05-06 planned"
    assert plan["job_id"] == "planned-templated-<run>-<epoch>-<try>"
    assert plan["actions"] == [
        "Microsoft.Batch/batchAccounts/jobs/read",
        "Microsoft.Batch/batchAccounts/jobs/write",
    ]


def test_no_signature_is_printed(plans: dict[str, list[dict[str, Any]]]) -> None:
    [plan] = plans["templated"]
    assert "c2lnbmF0dXJl" not in json.dumps(plan)


def test_a_role_for_another_service_is_named(
    plans: dict[str, list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    place = "https://acc.blob.core.windows.net/results"
    assert plans["in_container"][0]["roles_elsewhere"] == [{"role": "Storage Blob Data Reader", "at": place}]
    assert "roles_elsewhere" not in plans["templated"][0]
    run("--task-id", "in_container")
    assert f"besides     Storage Blob Data Reader at {place}" in capsys.readouterr().out


def test_the_requests_are_counted(plans: dict[str, list[dict[str, Any]]]) -> None:
    [plan] = plans["many"]
    assert len(plan["tasks"]) == 250
    assert plan["requests"] == {
        "List Jobs": 1,
        "Create Job": 1,
        "Create Task Collection": 3,
        "Update Job": 1,
    }


def test_a_wrong_argument_is_named_by_its_path(plans: dict[str, list[dict[str, Any]]]) -> None:
    [plan] = plans["wrong"]
    assert "tasks[0].id" in plan["error"]


def test_each_instance_of_a_mapped_operator_has_a_plan(plans: dict[str, list[dict[str, Any]]]) -> None:
    found = [(plan["map_index"], plan["tasks"][0]["commandLine"]) for plan in plans["mapped"]]
    assert found == [(0, "a"), (1, "b")]


@pytest.mark.parametrize(("task_id", "why"), [("of_a_run", "'ti'"), ("unknown", "another task returns")])
def test_what_only_a_run_knows_is_said_so(
    task_id: str, why: str, plans: dict[str, list[dict[str, Any]]]
) -> None:
    [plan] = plans[task_id]
    assert why in plan["unknown"]
    assert "job" not in plan


def test_the_text_is_the_same_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ("--task-id", "templated", "--task-id", "many")
    assert (run(*chosen), run(*chosen)) == (0, 0)
    said = capsys.readouterr().out
    half = len(said) // 2
    assert said[:half] == said[half:]
    assert "3 x Create Task Collection" in said
    assert "and 247 more, the last being t249" in said


def test_another_date_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--task-id", "templated", "--logical-date", "2026-01-31") == 0
    assert "run 2026-01-31 planned" in capsys.readouterr().out
    assert run("--logical-date", "tomorrow") == 2
