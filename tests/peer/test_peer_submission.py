"""Whether what was asked for runs once, and whether its result is the task's."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_batchad.errors import BatchAdError, JobFailed
from airflow_provider_batchad.local.config import LocalAzureConfig
from tests.contract.batch_fixtures import eventually, shell
from tests.contract.operator_runs import context_of, operator_of
from tests.peer.peer_runs import Both, beside

QUOTA_REACHED = "ActiveJobAndScheduleQuotaReached"

pytestmark = pytest.mark.peer


def counted(folder: Path, then: str = "exit 0") -> tuple[str, Path]:
    """A command line that leaves a line for each time that it runs."""
    runs = folder / "runs"
    return shell(f"echo ran >> {runs}; {then}"), runs


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_peer_retry_of_a_failed_task_runs_nothing(both: Both) -> None:
    mended = both.folder / "mended"
    command, runs = counted(both.folder, f"test -e {mended}")
    assert both.peer.run(batch_task_command_line=command).error == "RuntimeError"
    mended.touch()
    assert both.peer.run(batch_task_command_line=command).error == "RuntimeError"
    assert [entry.code for entry in both.entries("Create Task")] == [None, "TaskExists"]
    assert lines_of(runs) == 1


def test_our_retry_of_a_failed_task_runs_it_again(both: Both) -> None:
    mended = both.folder / "mended"
    command, runs = counted(both.folder, f"test -e {mended}")
    first = operator_of(command_line=command)
    with pytest.raises(JobFailed):
        first.execute(context_of(first))
    mended.touch()
    second = operator_of(command_line=command)
    assert second.execute(context_of(second, number=2))["succeeded"] == 1
    assert lines_of(runs) == 2


def end_by_a_person(both: Both, job_id: str) -> None:
    body = {"terminateReason": "a person"}
    both.batch.send("POST", f"/jobs/{job_id}/terminate", body).raise_for_status()
    both.batch.job_in(job_id, "completed")


def test_peer_job_that_is_ended_before_its_task_is_added_is_a_success(both: Both) -> None:
    command, runs = counted(both.folder)
    process = both.peer.start(batch_task_command_line=command, deferrable=False)
    with both.held("Create Task"):
        end_by_a_person(both, "peer")
    assert process.seen().error is None
    assert [entry.code for entry in both.entries("Create Task")] == ["JobCompleted"]
    assert lines_of(runs) == 0


def test_our_job_that_is_ended_before_its_task_is_added_is_a_failure(both: Both) -> None:
    command, runs = counted(both.folder)
    operator = operator_of(command_line=command)
    with beside(operator.execute, context_of(operator)) as running:
        with both.held("Create Task Collection"):
            end_by_a_person(both, both.only_job())
        with pytest.raises(BatchAdError) as failed:
            running.result(60)
    assert "not in it: it was ended (a person) before they were added, or they were deleted" in str(
        failed.value
    )
    assert lines_of(runs) == 0


@pytest.mark.parametrize(("deferrable", "error"), [(False, None), (True, "RuntimeError")])
def test_peer_job_whose_task_somebody_deletes_succeeds_or_fails_by_where_it_waits(
    both: Both, deferrable: bool, error: str | None
) -> None:
    process = both.peer.start(batch_task_command_line="/bin/sleep 600", deferrable=deferrable)
    with both.held("List Tasks"):
        both.batch.client.delete_task("peer", "a")
    assert process.seen().error == error


@pytest.mark.parametrize("deferrable", [False, True])
async def test_our_job_whose_task_somebody_deletes_is_a_failure_that_names_it(
    both: Both, deferrable: bool
) -> None:
    task = {"id": "a", "command_line": "/bin/sleep 600"}
    operator = operator_of(command_line=None, tasks=[task], deferrable=deferrable)
    context = context_of(operator)
    with beside(operator.execute, context) as running:
        job_id = eventually(lambda: _submitted(both))
        both.batch.running(job_id, "a")
        both.batch.client.delete_task(job_id, "a")
        with pytest.raises(JobFailed, match="a"):
            await _finished(running, operator, context)


def _submitted(both: Both) -> str | None:
    return both.only_job() if both.entries("Update Job") else None


async def _finished(running: Future[Any], operator: Any, context: Any) -> Any:
    try:
        return running.result(60)
    except TaskDeferred as deferred:
        event = await anext(deferred.trigger.run())
        return operator.execute_complete(context, event.payload, **(deferred.kwargs or {}))


@pytest.fixture
def full_account(both: Both) -> str:
    """An account at whose quota a neighbour's job is."""
    return both.batch.create_job()


@pytest.mark.parametrize("config", [LocalAzureConfig(port=0, job_quota=1)])
def test_peer_full_quota_is_taken_for_a_job_that_exists(both: Both, full_account: str) -> None:
    seen = both.peer.run()
    assert [entry.code for entry in both.entries("Create Job")] == [None, QUOTA_REACHED]
    assert "Job peer already exists" in seen.log
    assert (seen.error, "JobNotFound" in seen.sentence) == ("ResourceNotFoundError", True)


@pytest.mark.parametrize("config", [LocalAzureConfig(port=0, job_quota=1)])
def test_our_full_quota_is_waited_for_and_the_task_runs_once(both: Both, full_account: str) -> None:
    command, runs = counted(both.folder)
    operator = operator_of(command_line=command)
    with ThreadPoolExecutor(1) as worker:
        running = worker.submit(operator.execute, context_of(operator))
        eventually(lambda: any(entry.code == QUOTA_REACHED for entry in both.entries("Create Job")))
        end_by_a_person(both, full_account)
        assert running.result(60)["succeeded"] == 1
    assert lines_of(runs) == 1


def test_peer_retries_of_a_batch_task_are_not_sent(both: Both) -> None:
    command, runs = counted(both.folder, "exit 1")
    assert both.peer.run(batch_task_command_line=command, batch_max_retries=3).error == "RuntimeError"
    task = both.batch.client.get_task("peer", "a")
    assert task.constraints is not None
    assert task.constraints.max_task_retry_count == 0
    assert lines_of(runs) == 1


def test_our_retries_of_a_batch_task_are_made(both: Both) -> None:
    command, runs = counted(both.folder, "exit 1")
    task = {"command_line": command, "constraints": {"max_task_retry_count": 3}}
    operator = operator_of(command_line=None, tasks=[task])
    with pytest.raises(JobFailed):
        operator.execute(context_of(operator))
    assert lines_of(runs) == 4


def test_peer_task_takes_no_environment_and_few_fields_are_templates(both: Both) -> None:
    seen = both.peer.run(batch_task_environment_settings=[{"name": "YEAR", "value": "2012"}])
    assert seen.error == "TypeError"
    assert "batch_task_environment_settings" in seen.sentence
    templates = both.peer.run("connection").answer["template_fields"]
    assert len(templates) == 6
    assert not {"batch_task_resource_files", "batch_task_output_files"} & set(templates)


def test_our_task_takes_what_the_rest_api_takes_as_templates(both: Both) -> None:
    task = {
        "id": "y{{ year }}",
        "command_line": shell("echo $YEAR > r.txt"),
        "environment_settings": [{"name": "YEAR", "value": "{{ year }}"}],
        "depends_on": {"task_ids": ["first"]},
        "constraints": {"max_wall_clock_time": "PT{{ year }}S"},
    }
    first = {"id": "first", "command_line": shell("echo 0 > r.txt")}
    operator = operator_of(
        command_line=None,
        tasks=[first, task],
        job={"priority": 7, "uses_task_dependencies": True},
        outputs="r.txt",
    )
    context = context_of(operator)
    context["year"] = 2012
    operator.render_template_fields(context)
    assert operator.execute(context) == ["0\n", "2012\n"]
    assert both.batch.client.get_job(both.only_job()).priority == 7


RUN_ID = "scheduled__2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("name", [RUN_ID, "daily-" * 12])
def test_peer_job_named_for_its_run_is_refused_by_the_service(both: Both, name: str) -> None:
    seen = both.peer.run(batch_job_id=name)
    assert seen.error == "HttpResponseError"
    assert both.statuses("Create Job") == [400]


@pytest.mark.parametrize("name", [RUN_ID, "daily-" * 12])
def test_our_job_of_any_run_has_a_name_that_the_service_takes(both: Both, name: str) -> None:
    operator = operator_of()
    context = context_of(operator)
    context["ti"].run_id = name
    assert operator.execute(context)["succeeded"] == 1
    assert both.statuses("Create Job") == [201]
    assert len(both.only_job()) <= 64


def test_our_wrong_id_is_refused_before_anything_is_sent(both: Both) -> None:
    operator = operator_of(command_line=None, tasks=[{"id": RUN_ID, "command_line": "true"}])
    with pytest.raises(AirflowFailException, match=r"tasks\[0\]\.id"):
        operator.execute(context_of(operator))
    assert both.statuses("Create Job") == []
