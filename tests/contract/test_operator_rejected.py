"""A task that Batch refuses for what it says, among others: which it is, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_batchad.errors import JobFailed
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.local.config import LocalAzureConfig
from tests.contract.operator_runs import context_of, operator_of, submit, wait_for_the_end
from tests.contract.signing_in import SigningIn, connected

# Batch takes a job action only in a job that says what a task failure does to it.
BAD = {"exit_conditions": {"default": {"job_action": "terminate"}}}


@pytest.fixture(autouse=True)
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path / "state")) as signing_in:
        yield signing_in


def tasks_of(count: int, *bad: int, command_line: str = "true") -> list[dict[str, Any]]:
    return [{"id": f"t{n}", "command_line": command_line, **(BAD if n in bad else {})} for n in range(count)]


def states() -> list[Any]:
    with AzureBatchAdHook() as hook:
        return [job.state for job in hook.get_conn().list_jobs()]


def test_unless_told_the_job_is_ended_and_the_task_is_named_for_good() -> None:
    operator = operator_of(command_line=None, tasks=tasks_of(250, 7, command_line="/bin/sleep 60"))
    with pytest.raises(AirflowFailException, match=r"t7: InvalidPropertyValue.*jobAction"):
        operator.execute(context_of(operator))
    wait_for_the_end()
    assert states() == ["completed"]


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_others_run_and_the_refused_fails_for_good_with_its_error(
    deferrable: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = operator_of(command_line=None, tasks=tasks_of(120, 7), on_rejected_task="run_others")
    context = context_of(operator)
    resume_with: dict[str, Any] = {}
    if deferrable:
        resume_with = submit(operator, context)
        event = {"status": "completed", "job_id": resume_with.pop("job_id")}
        wait_for_the_end()
    with pytest.raises(AirflowFailException, match=r"1 of 120 task.*t7.*refuse the same again"):
        operator.execute_complete(context, event, **resume_with) if deferrable else operator.execute(context)
    logged = " ".join(capsys.readouterr().out.split())
    assert "Batch refused 1 task(s); the others run: t7: InvalidPropertyValue" in logged
    assert "119 of 120 task(s) succeeded, 1 failed, 0 not done" in logged


def test_a_refused_task_is_let_pass_as_any_failed_one() -> None:
    operator = operator_of(
        command_line=None, tasks=tasks_of(3, 1), on_rejected_task="run_others", max_failed_tasks=1
    )
    summary = operator.execute(context_of(operator))
    assert (summary["succeeded"], summary["failed_task_ids"]) == (2, ["t1"])


def test_other_failures_may_be_tried_again(tmp_path: Path) -> None:
    marker = tmp_path / "mended"
    tasks = [*tasks_of(2, 1), {"id": "late", "command_line": f"/bin/sh -c 'test -e {marker}'"}]
    given = {"command_line": None, "tasks": tasks, "on_rejected_task": "run_others", "retry": "failed_tasks"}
    first = operator_of(**given)
    with pytest.raises(JobFailed, match="2 of 3"):
        first.execute(context_of(first))
    marker.touch()
    second = operator_of(**given)
    with pytest.raises(AirflowFailException, match=r"1 of 3 task.*t1"):
        second.execute(context_of(second, number=2))


def test_with_nothing_but_refused_tasks_there_is_nothing_to_run() -> None:
    operator = operator_of(command_line=None, tasks=tasks_of(3, 0, 1, 2), on_rejected_task="run_others")
    with pytest.raises(AirflowFailException, match=r"Batch rejected 3 task\(s\)"):
        operator.execute(context_of(operator))
    wait_for_the_end()
    assert states() == ["completed"]


def test_another_choice_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="on_rejected_task: expected one of 'fail', 'run_others'"):
        operator_of(on_rejected_task="ignore")
