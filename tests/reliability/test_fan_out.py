"""A large fan-out of which three tasks fail, through the operator: its retry submits those three."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_batchad.errors import JobFailed
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.outcome import list_tasks
from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.operator_runs import context_of, operator_of
from tests.contract.signing_in import running


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalAzure]:
    pools = (PoolConfig(id="cpu", nodes=2, slots=8),)
    with running(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path / "state", pools=pools)) as machine:
        for name, value in client_environment(machine.azure).items():
            monkeypatch.setenv(name, value)
        yield machine.azure


def tasks_of_jobs() -> list[list[str]]:
    """The ids of the tasks of each job, from the smallest job to the largest."""
    with AzureBatchAdHook(actions=("jobs/read",)) as hook:
        jobs = hook.run(requests.all_pages(requests.list_jobs(select="id")))
        tasks = [sorted(hook.run(list_tasks(job["id"]))) for job in jobs]
    return sorted(tasks, key=len)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "number", [1000, pytest.param(10_000, marks=pytest.mark.nightly)], ids=["thousand", "ten thousand"]
)
def test_a_retry_of_a_large_fan_out_submits_what_failed_and_nothing_else(
    azure: LocalAzure, tmp_path: Path, number: int
) -> None:
    mended = tmp_path / "mended"
    failing = {f"t{place}" for place in (7, number // 2, number - 1)}
    ran = tmp_path / "ran"

    def command(task_id: str) -> str:
        return f"/bin/sh -c 'echo {task_id} >> {ran}; test -e {mended}'" if task_id in failing else "true"

    given = {
        "command_line": None,
        "tasks": [{"id": f"t{n}", "command_line": command(f"t{n}")} for n in range(number)],
        "retry": "failed_tasks",
    }
    first = operator_of(**given)
    with pytest.raises(JobFailed, match=f"3 of {number} task") as failed:
        first.execute(context_of(first))
    assert set(failed.value.failed_task_ids) == failing

    mended.touch()
    second = operator_of(**given)
    summary = second.execute(context_of(second, number=2))
    assert (summary["tasks"], summary["succeeded"]) == (number, number)
    assert summary["succeeded_in_earlier_jobs"] == number - 3
    smaller, larger = tasks_of_jobs()
    assert set(smaller) == failing
    assert len(larger) == number
    assert Counter(ran.read_text().split()) == dict.fromkeys(failing, 2)
    added = azure.ledger.entries(service="batch", operation="Create Task Collection")
    assert len(added) == number // 100 + 1
