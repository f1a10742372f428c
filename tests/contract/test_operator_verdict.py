"""What the operator makes of jobs that fail: retries of what failed, exit codes with a meaning, clean-up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from azure.core.exceptions import ResourceNotFoundError

from airflow_provider_batchad.errors import JobFailed, OutputUnavailable
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.batch_fixtures import eventually
from tests.contract.operator_runs import context_of, operator_of, resume, submit, wait_for_the_end
from tests.contract.signing_in import SigningIn, connected


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path / "state")) as signing_in:
        yield signing_in


def tasks_failing_until(marker: Path, count: int, *failing: int) -> list[dict[str, str]]:
    """Tasks that write their number; the failing ones end with 3 until the marker is there."""
    return [
        {
            "id": str(number),
            "command_line": f"/bin/sh -c 'echo {number} > r.json; "
            + (f"test -e {marker} || exit 3'" if number in failing else "'"),
        }
        for number in range(count)
    ]


def count_jobs() -> int:
    """How many there are, one that is being deleted included."""
    with AzureBatchAdHook() as hook:
        return len(list(hook.get_conn().list_jobs()))


def jobs() -> dict[str, list[str]]:
    """Job id → the ids of its tasks."""
    found = {}
    with AzureBatchAdHook() as hook:
        client = hook.get_conn()
        for job in client.list_jobs():
            # One that is being deleted may be gone between the two lists.
            with suppress(ResourceNotFoundError):
                found[job.id] = [task.id for task in client.list_tasks(job.id)]
    return found


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_retry_submits_the_failed_tasks_alone_and_returns_the_results_of_all(
    signing_in: SigningIn, tmp_path: Path, deferrable: bool
) -> None:
    marker = tmp_path / "mended"
    given: dict[str, Any] = {
        "command_line": None,
        "tasks": tasks_failing_until(marker, 120, 7, 30, 99),
        "outputs": "r.json",
        "max_output_bytes": 10_000,
        "retry": "failed_tasks",
    }
    first = operator_of(**given)
    with pytest.raises(JobFailed, match="3 of 120 task") as failed:
        first.execute(context_of(first))
    assert failed.value.failed_task_ids == ("7", "30", "99")
    marker.touch()
    second = operator_of(**given)
    context = context_of(second, number=2)
    if deferrable:
        job = submit(second, context)
        wait_for_the_end()
        results = resume(second, context, "completed", job)
    else:
        results = second.execute(context)
    assert results == list(range(120))
    assert sorted(len(tasks) for tasks in jobs().values()) == [3, 120]


def test_the_summary_counts_what_earlier_jobs_finished(signing_in: SigningIn, tmp_path: Path) -> None:
    marker = tmp_path / "mended"
    given = {"command_line": None, "tasks": tasks_failing_until(marker, 4, 2), "retry": "failed_tasks"}
    first = operator_of(**given)
    with pytest.raises(JobFailed):
        first.execute(context_of(first))
    marker.touch()
    second = operator_of(**given)
    summary = second.execute(context_of(second, number=2))
    assert (summary["tasks"], summary["succeeded"], summary["succeeded_in_earlier_jobs"]) == (4, 4, 3)
    assert summary["task_seconds"] >= 0
    assert list(summary["slowest_tasks"]) == ["2"]


def test_an_exit_code_that_means_skip_skips(signing_in: SigningIn) -> None:
    operator = operator_of(command_line="/bin/sh -c 'exit 99'", skip_on_exit_code=99)
    with pytest.raises(AirflowSkipException, match="exit code 99"):
        operator.execute(context_of(operator))


def test_an_exit_code_that_means_do_not_retry_fails_for_good(signing_in: SigningIn) -> None:
    operator = operator_of(command_line="/bin/sh -c 'exit 64'", fail_on_exit_code=[64, 65])
    with pytest.raises(AirflowFailException, match="exit code 64"):
        operator.execute(context_of(operator))


@pytest.mark.parametrize(
    ("cleanup", "command", "left"),
    [
        ("keep", "true", 1),
        ("delete", "true", 0),
        ("delete_on_success", "true", 0),
        ("delete", "false", 0),
        ("delete_on_success", "false", 1),
    ],
)
def test_a_job_is_cleaned_up_as_told(signing_in: SigningIn, cleanup: str, command: str, left: int) -> None:
    operator = operator_of(command_line=f"/bin/{command}", cleanup=cleanup)
    if command == "true":
        assert operator.execute(context_of(operator))["succeeded"] == 1
    else:
        with pytest.raises(JobFailed):
            operator.execute(context_of(operator))
    eventually(lambda: count_jobs() == left)


def test_a_job_whose_outputs_are_missing_is_kept_by_delete_on_success(signing_in: SigningIn) -> None:
    operator = operator_of(outputs="r.json", cleanup="delete_on_success")
    with pytest.raises(OutputUnavailable):
        operator.execute(context_of(operator))
    assert len(jobs()) == 1


def test_no_job_that_a_retry_needs_is_deleted_and_the_last_try_deletes_them_all(
    signing_in: SigningIn, tmp_path: Path
) -> None:
    marker = tmp_path / "mended"
    given = {
        "command_line": None,
        "tasks": tasks_failing_until(marker, 4, 2),
        "retry": "failed_tasks",
        "cleanup": "delete",
    }
    first = operator_of(**given)
    with pytest.raises(JobFailed):
        first.execute(context_of(first))
    assert [len(tasks) for tasks in jobs().values()] == [4]
    marker.touch()
    second = operator_of(**given)
    assert second.execute(context_of(second, number=2))["succeeded"] == 4
    eventually(lambda: not count_jobs())


def test_a_clean_up_that_is_refused_changes_no_verdict(signing_in: SigningIn) -> None:
    signing_in.azure.faults.add(FaultRule(service="batch", operation="Delete Job", status=400))
    operator = operator_of(cleanup="delete")
    assert operator.execute(context_of(operator))["succeeded"] == 1


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("max_failed_tasks", -1),
        ("skip_on_exit_code", 0),
        ("skip_on_exit_code", "99"),
        ("fail_on_exit_code", [0]),
    ],
)
def test_a_wrong_policy_is_refused_by_name_before_anything_is_sent(
    signing_in: SigningIn, argument: str, given: object
) -> None:
    operator = operator_of(**{argument: given})
    with pytest.raises(AirflowFailException, match=rf"^{argument}: expected"):
        operator.execute(context_of(operator))
    assert not signing_in.azure.ledger.entries(service="batch")


@pytest.mark.parametrize("argument", ["retry", "cleanup"])
def test_a_choice_that_is_none_is_refused_when_the_dag_is_read(argument: str) -> None:
    with pytest.raises(ValueError, match=rf"{argument}: expected one of .*, not 'never'"):
        operator_of(**{argument: "never"})


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_job_that_a_failed_parent_blocks_is_ended_and_its_retry_runs_the_parent_and_the_child_again(
    signing_in: SigningIn, tmp_path: Path, deferrable: bool
) -> None:
    marker = tmp_path / "mended"
    given: dict[str, Any] = {
        "command_line": None,
        "tasks": [
            *tasks_failing_until(marker, 2, 1),
            {"id": "child", "command_line": "true", "depends_on": {"task_ids": ["0", "1"]}},
        ],
        "retry": "failed_tasks",
        "poll_interval": 0.05,
    }
    first = operator_of(**given)
    with pytest.raises(JobFailed, match=r"could not go on, and was ended: 1 task\(s\) .*child for 1"):
        first.execute(context_of(first))
    marker.touch()
    second = operator_of(**given)
    context = context_of(second, number=2)
    if deferrable:
        job = submit(second, context)
        wait_for_the_end()
        summary = resume(second, context, "completed", job)
    else:
        summary = second.execute(context)
    assert (summary["succeeded"], summary["succeeded_in_earlier_jobs"]) == (3, 1)
    assert sorted(jobs().values()) == [["0", "1", "child"], ["1", "child"]]
