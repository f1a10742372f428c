"""The operator against local Azure, without a scheduler: what it does when its trigger has fired."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_batchad.errors import JobFailed, OutputUnavailable
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.local.config import LocalAzureConfig
from tests.contract.operator_runs import context_of, operator_of, resume, submit, wait_for_the_end
from tests.contract.signing_in import SigningIn, connected


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path)) as signing_in:
        yield signing_in


def test_a_deadline_ends_the_job_and_says_so(signing_in: SigningIn) -> None:
    operator = operator_of(command_line="/bin/sleep 60", execution_timeout=timedelta(minutes=1))
    context = context_of(operator)
    job = submit(operator, context)
    with pytest.raises(JobFailed, match="did not end within the execution_timeout"):
        resume(operator, context, "deadline", job)
    ended = signing_in.azure.ledger.entries(service="batch", operation="Terminate Job")
    assert [entry.status for entry in ended] == [202]


def test_a_deadline_that_meets_a_job_which_has_just_succeeded_is_a_success(signing_in: SigningIn) -> None:
    operator = operator_of(execution_timeout=timedelta(minutes=1))
    context = context_of(operator)
    job = submit(operator, context)
    wait_for_the_end()
    assert resume(operator, context, "deadline", job)["succeeded"] == 1


def test_what_the_triggerer_could_not_ask_the_worker_asks(signing_in: SigningIn) -> None:
    operator = operator_of()
    context = context_of(operator)
    job = submit(operator, context)
    wait_for_the_end()
    assert resume(operator, context, "unreachable", job)["succeeded"] == 1


def test_an_unfinished_job_that_could_not_be_asked_for_is_waited_for_again(signing_in: SigningIn) -> None:
    operator = operator_of(command_line="/bin/sleep 60")
    context = context_of(operator)
    job = submit(operator, context)
    with pytest.raises(TaskDeferred) as again:
        resume(operator, context, "unreachable", job)
    assert again.value.kwargs == {
        "job_id": job["job_id"],
        "deadline": None,
        "etag": job["etag"],
        "earlier": [],
    }


@pytest.mark.parametrize("status", ["completed", "deadline", "failed"])
def test_the_event_of_another_job_says_nothing_of_this_one(signing_in: SigningIn, status: str) -> None:
    operator = operator_of(command_line="/bin/sleep 60")
    context = context_of(operator)
    job = submit(operator, context)
    event = {"status": status, "job_id": "d-t-0123456789abcdef-1-1", "message": "it is over"}
    with pytest.raises(TaskDeferred) as again:
        operator.execute_complete(context, event, **job)
    assert again.value.trigger.serialize()[1]["job_id"] == job["job_id"]
    assert again.value.kwargs == job


def test_a_retry_after_a_missing_output_runs_the_job_again(signing_in: SigningIn) -> None:
    first = operator_of(outputs="r.json")
    with pytest.raises(OutputUnavailable):
        first.execute(context_of(first))
    second = operator_of(outputs="r.json", command_line="/bin/sh -c 'echo 7 > r.json'")
    assert second.execute(context_of(second, number=2)) == [7]


def test_outputs_that_are_too_large_are_not_tried_again(signing_in: SigningIn) -> None:
    operator = operator_of(outputs="r.txt", command_line="/bin/sh -c 'echo 123 > r.txt'", max_output_bytes=2)
    with pytest.raises(AirflowFailException, match="max_output_bytes"):
        operator.execute(context_of(operator))


def test_a_job_that_nobody_waits_for_keeps_the_limit_of_a_job(signing_in: SigningIn) -> None:
    operator = operator_of(wait_for_completion=False, execution_timeout=timedelta(minutes=1))
    job_id = operator.execute(context_of(operator))
    with AzureBatchAdHook() as hook:
        job = hook.get_conn().get_job(job_id)
    assert job.constraints.max_wall_clock_time == timedelta(days=7)


def test_an_iterator_of_tasks_is_refused_by_name(signing_in: SigningIn) -> None:
    operator = operator_of(command_line=None, tasks=iter([{"command_line": "true"}]))
    with pytest.raises(AirflowFailException, match="tasks: an iterator"):
        operator.execute(context_of(operator))


def test_the_signature_in_a_resource_files_url_is_not_logged(
    signing_in: SigningIn, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = {"http_url": f"{signing_in.azure.endpoints.storage}/absent?sig=CANARYSIG", "file_path": "x"}
    operator = operator_of(command_line=None, tasks=[{"command_line": "true", "resource_files": [absent]}])
    with pytest.raises(JobFailed) as failed:
        operator.execute(context_of(operator))
    logged = capsys.readouterr().out
    assert "absent?sig=***" in logged
    assert "CANARYSIG" not in f"{logged} {failed.value}"
