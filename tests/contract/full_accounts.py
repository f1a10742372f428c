"""An account that a neighbour fills to its quota of jobs, and Airflow tasks that want a place in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.sdk.crypto import get_fernet
from cryptography.fernet import Fernet

from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.hooks.cipher import airflow_cipher
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.quota import Queue
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig
from airflow_provider_batchad.triggers import AzureBatchQuotaTrigger, job, quota
from tests.contract.batch_fixtures import eventually
from tests.contract.operator_runs import context_of, operator_of
from tests.contract.signing_in import SigningIn, connected

REACHED = "ActiveJobAndScheduleQuotaReached"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A count at which somebody waited: how many jobs there were, who waited by seniority, who was let go."""

    unfinished: int
    waiting: list[str]
    chosen: list[str]


@dataclass
class FullAccount:
    """An account that a neighbour fills."""

    signing_in: SigningIn
    quota: int
    releases: list[Release] = field(default_factory=list)

    def fill(self) -> None:
        for number in range(self.quota):
            self._send(requests.create_job({"id": f"neighbour-{number}", "poolInfo": {"poolId": "cpu"}}))

    def empty(self) -> None:
        for number in range(self.quota):
            self._send(requests.terminate_job(f"neighbour-{number}", reason="the neighbour is done"))

    def until_waiting(self, count: int, within: float = 30.0) -> None:
        """Wait until a count of the account's jobs found so many who want a place."""
        eventually(lambda: bool(self.releases) and len(self.releases[-1].waiting) == count, seconds=within)

    def refusals(self) -> int:
        entries = self.signing_in.azure.ledger.entries(service="batch", operation="Create Job")
        return sum(entry.code == REACHED for entry in entries)

    def own_jobs(self) -> list[str]:
        with AzureBatchAdHook(actions=["jobs/read"]) as hook:
            ids = [one.id for one in hook.get_conn().list_jobs()]
        return [job_id for job_id in ids if not job_id.startswith("neighbour-")]

    def _send(self, request: Any) -> None:
        with AzureBatchAdHook(actions=["jobs/read", "jobs/write"]) as hook:
            hook.send(request)


@contextmanager
def shared_tokens(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    """The operators of this process share their tokens, as the processes of one machine do."""
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    monkeypatch.setenv("AIRFLOW__BATCHAD__TOKEN_CACHE", "True")
    monkeypatch.setenv("AIRFLOW__BATCHAD__TOKEN_CACHE_DIR", str(folder / "tokens"))
    for cached in (get_fernet, airflow_cipher):
        cached.cache_clear()
    yield
    for cached in (get_fernet, airflow_cipher):
        cached.cache_clear()


@contextmanager
def full_account(monkeypatch: pytest.MonkeyPatch, folder: Path, jobs: int) -> Iterator[FullAccount]:
    """Local Azure with that quota, filled, and a record of who is let go."""
    for module in (job, quota):
        monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    pools = (PoolConfig(id="cpu", nodes=2, slots=8),)
    config = LocalAzureConfig(port=0, state_dir=folder / "state", pools=pools, job_quota=jobs)
    with shared_tokens(monkeypatch, folder), connected(monkeypatch, config) as signing_in:
        account = FullAccount(signing_in, jobs)
        release = Queue.release

        def recorded(queue: Queue, unfinished: int | None) -> list[str]:
            assert unfinished is not None
            waiting = sorted(queue._since, key=lambda name: (queue._since[name], name))
            chosen = release(queue, unfinished)
            account.releases.append(Release(unfinished=unfinished, waiting=waiting, chosen=chosen))
            return chosen

        monkeypatch.setattr(Queue, "release", recorded)
        account.fill()
        yield account


async def run_deferrable(number: int, slots: Executor, poll_interval: float) -> dict[str, Any]:
    """One mapped task as Airflow runs it: in a slot of a worker, except while it is deferred."""
    loop = asyncio.get_running_loop()
    operator = operator_of(deferrable=True, poll_interval=poll_interval)
    context = context_of(operator)
    context["ti"].map_index = number
    step = partial(operator.execute, context)
    while True:
        outcome = await loop.run_in_executor(slots, _outcome, step)
        if not isinstance(outcome, TaskDeferred):
            return dict(outcome)
        (event,) = [fired.payload async for fired in outcome.trigger.run()]
        # Airflow makes a new instance of the operator in a new process.
        resumed = getattr(operator_of(deferrable=True, poll_interval=poll_interval), outcome.method_name)
        step = partial(resumed, context, event, **(outcome.kwargs or {}))


def _outcome(step: Callable[[], Any]) -> Any:
    try:
        return step()
    except TaskDeferred as deferred:
        return deferred


async def run_all(
    account: FullAccount, count: int, *, slots: int, poll_interval: float, within: float
) -> list[Any]:
    """So many tasks in so many slots; the neighbour ends its jobs when all of them wait."""
    with ThreadPoolExecutor(slots) as workers:
        async with asyncio.timeout(within):
            running = [
                asyncio.create_task(run_deferrable(number, workers, poll_interval)) for number in range(count)
            ]
            # More than there are slots wait together: none of them holds one.
            await asyncio.to_thread(account.until_waiting, count, within)
            await asyncio.to_thread(account.empty)
            return await asyncio.gather(*running)


def check_releases(account: FullAccount) -> None:
    """The longest waiting first, and never more at once than places were seen free."""
    for one in account.releases:
        assert one.chosen == one.waiting[: len(one.chosen)]
        assert len(one.chosen) <= account.quota - one.unfinished + 1


def trigger_of(**changes: Any) -> AzureBatchQuotaTrigger:
    times = {"since": "2026-01-01T00:00:00+00:00", "deadline": "2999-01-01T00:00:00+00:00"}
    return AzureBatchQuotaTrigger("batchad_default", **{**times, "room": 1, "poll_interval": 0.2, **changes})
