"""The steps of a job through the hook and Microsoft's client, against local Azure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_provider_batchad.errors import Superseded, TasksRejected
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.outcome import read_outcome
from airflow_provider_batchad.jobs.plan import Plan
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run
from airflow_provider_batchad.jobs.spec import JobSpec, build_job
from airflow_provider_batchad.jobs.submission import Submitted, submit, terminate
from airflow_provider_batchad.jobs.waiting import Wait, WaitResult, wait_for_end
from airflow_provider_batchad.local.config import LocalAzureConfig
from tests.contract.signing_in import connected
from tests.unit.tries import PREFIX, plan_of, spec_of

# Long enough for its job to stay active until it is ended.
WAITING = build_job(pool_id="cpu", tasks=None, command_line="/bin/sleep 600", job=None)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[AzureBatchAdHook]:
    # A directory of its own keeps the CA file where it is when local Azure stops.
    with (
        connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path)),
        AzureBatchAdHook(actions=("jobs/read", "jobs/write")) as hook,
    ):
        yield hook


def now() -> datetime:
    return datetime.now(UTC)


def submit_with(hook: AzureBatchAdHook, plan: Plan, spec: JobSpec) -> Submitted:
    return hook.run(submit(spec, plan, now))


def state_of(hook: AzureBatchAdHook, job_id: str) -> str:
    return str(hook.send(requests.get_job(job_id)).json()["state"])


def test_a_job_of_three_chunks_runs_to_its_end(hook: AzureBatchAdHook) -> None:
    spec = spec_of(250)
    done = submit_with(hook, plan_of(), spec)
    assert (done.job_id, done.attached) == (f"{PREFIX}3-1", False)
    ended = hook.run(wait_for_end(done.job_id, Wait(poll_interval_seconds=0.5), now))
    assert ended.result is WaitResult.COMPLETED
    outcome = hook.run(read_outcome(done.job_id, spec.task_ids))
    assert outcome.succeeded()
    assert outcome.terminate_reason == "AllTasksComplete"

    again = submit_with(hook, plan_of(2), spec)
    assert (again.job_id, again.attached, again.etag) == (done.job_id, True, None)


def test_the_next_try_attaches_and_only_its_etag_ends_the_job(hook: AzureBatchAdHook) -> None:
    first = submit_with(hook, plan_of(1), WAITING)
    second = submit_with(hook, plan_of(2), WAITING)
    assert (second.job_id, second.attached) == (first.job_id, True)
    assert first.etag != second.etag

    zombie = terminate(first.job_id, "a zombie", etag=first.etag, owner=plan_of(1).owner)
    assert hook.run(zombie) is False
    assert state_of(hook, first.job_id) == "active"
    assert hook.run(terminate(first.job_id, "its own", etag=second.etag, owner=plan_of(2).owner)) is True
    assert state_of(hook, first.job_id) in {"terminating", "completed"}


def test_a_zombie_does_not_seal_the_job_that_its_successor_took_over(hook: AzureBatchAdHook) -> None:
    def send(request: BatchRequest) -> BatchResponse:
        if request.operation == "Update Job":
            submit_with(hook, plan_of(2), WAITING)
        return hook.send(request)

    with pytest.raises(Superseded, match="belongs to try 2"):
        run(submit(WAITING, plan_of(1), now), send, lambda _: None)
    metadata = hook.send(requests.get_job(f"{PREFIX}3-1")).json()["metadata"]
    assert {"name": "airflow_task_instance", "value": "ti-of-try-2"} in metadata


def test_a_clear_ends_the_active_job_of_before(hook: AzureBatchAdHook) -> None:
    first = submit_with(hook, plan_of(1), WAITING)
    done = submit_with(hook, plan_of(2, epoch=5, first_try=2), WAITING)
    assert (done.job_id, done.superseded) == (f"{PREFIX}5-2", (first.job_id,))
    assert state_of(hook, first.job_id) in {"terminating", "completed"}
    assert state_of(hook, done.job_id) == "active"


def test_attaching_keeps_what_the_author_said_of_the_job(hook: AzureBatchAdHook) -> None:
    spec = build_job(
        pool_id="cpu",
        tasks=None,
        command_line="/bin/sleep 600",
        job={"constraints": {"max_task_retry_count": 2}, "metadata": {"team": "weather"}, "priority": 7},
    )
    submit_with(hook, plan_of(1), spec)
    job = hook.send(requests.get_job(submit_with(hook, plan_of(2), spec).job_id)).json()
    assert job["constraints"]["maxTaskRetryCount"] == 2
    assert job["priority"] == 7
    assert {"name": "team", "value": "weather"} in job["metadata"]


def test_a_rejected_task_ends_the_job(hook: AzureBatchAdHook) -> None:
    tasks = [
        {"id": "good", "command_line": "true"},
        {"id": "bad", "command_line": "true", "exit_conditions": {"default": {"job_action": "terminate"}}},
    ]
    spec = build_job(pool_id="cpu", tasks=tasks, command_line=None, job=None)
    with pytest.raises(TasksRejected) as caught:
        submit_with(hook, plan_of(), spec)
    assert list(caught.value.rejected) == ["bad"]
    assert "PropertyName: jobAction" in caught.value.rejected["bad"]
    assert state_of(hook, f"{PREFIX}3-1") in {"terminating", "completed"}
