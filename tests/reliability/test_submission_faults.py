"""Submissions over TLS while answers get lost and processes die: one job, each task once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_batchad.hooks import AzureBatchAdHook, clients
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.signing_in import connected
from tests.reliability.faulty_submissions import Submissions


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        # No node: nothing runs, and the tasks stay to be counted.
        pools = (PoolConfig(id="cpu", nodes=0),)
        config = LocalAzureConfig(port=0, state_dir=tmp_path_factory.mktemp("azure"), pools=pools)
        with connected(monkeypatch, config) as signing_in:
            quick = {"retry_total": 2, "retry_backoff_factor": 0.001, "retry_backoff_max": 0.01}
            monkeypatch.setattr(clients, "_RETRIES", quick)
            yield signing_in.azure


@pytest.fixture(scope="module")
def hook(azure: LocalAzure) -> Iterator[AzureBatchAdHook]:
    with AzureBatchAdHook(actions=("jobs/read", "jobs/write", "jobs/delete")) as hook:
        yield hook


def check(azure: LocalAzure, hook: AzureBatchAdHook, seed: int) -> int:
    """Run it to its end; how many of its requests were broken."""
    clears = seed % 4 == 0
    runs = Submissions(azure, hook, seed, clears=clears)
    done = runs.until_submitted()
    jobs = runs.jobs()
    assert [job["id"] for job in runs.alive()] == [done.job_id]
    assert runs.most_alive <= 1
    assert runs.tasks_of(done.job_id) == set(runs.spec.task_ids)
    assert next(job for job in jobs if job["id"] == done.job_id)["onAllTasksComplete"] == "terminatejob"
    if not clears:
        assert len(jobs) == 1
    runs.forget()
    return runs.broken


@pytest.mark.parametrize("block", range(4))
def test_forty_submissions_under_faults_lose_no_task_and_make_none_twice(
    azure: LocalAzure, hook: AzureBatchAdHook, block: int
) -> None:
    broken = sum(check(azure, hook, seed) for seed in range(block * 10, block * 10 + 10))
    assert broken > 10, "hardly anything went wrong"


@pytest.mark.nightly
@pytest.mark.parametrize("block", range(20))
def test_a_thousand_submissions_under_faults_lose_no_task_and_make_none_twice(
    azure: LocalAzure, hook: AzureBatchAdHook, block: int
) -> None:
    broken = sum(check(azure, hook, seed) for seed in range(1000 + block * 50, 1000 + block * 50 + 50))
    assert broken > 50, "hardly anything went wrong"
