"""A pool that can run nothing: said in the log where the role allows a look, and done without where not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.batch import models
from structlog.testing import capture_logs

from airflow_provider_batchad.errors import JobFailed
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.pool_look import why_unable
from airflow_provider_batchad.local.access import Permission, Role
from airflow_provider_batchad.local.config import AssignmentConfig, LocalAzureConfig, PoolConfig
from airflow_provider_batchad.triggers import AzureBatchJobTrigger, job
from tests.contract.batch_fixtures import Batch, eventually, shell
from tests.contract.operator_runs import context_of, operator_of, resume, submit
from tests.contract.pool_fixtures import create_pool, nodes_in, pool_when
from tests.contract.signing_in import SigningIn, connected

POOLS = (PoolConfig(id="cpu", nodes=1), PoolConfig(id="empty", nodes=0))
WORKER = AssignmentConfig(principal="airflow-worker", role="Key Vault Secrets User", resource="keyvault")
CONTRIBUTOR = LocalAzureConfig(
    port=0,
    pools=POOLS,
    assignments=(
        AssignmentConfig(principal="airflow-batch", role="Azure Batch Data Contributor", resource="batch"),
        WORKER,
    ),
)
JOBS = "Microsoft.Batch/batchAccounts/jobs"
SUBMITTER = LocalAzureConfig(
    port=0,
    pools=POOLS,
    roles=(
        Role(
            id="0b6b5b0f-3c06-4a0c-9a53-0a3a0f6f3c11",
            name="Jobs alone",
            permissions=(Permission(data_actions=(f"{JOBS}/read", f"{JOBS}/write")),),
            custom=True,
        ),
    ),
    assignments=(AssignmentConfig(principal="airflow-batch", role="Jobs alone", resource="batch"), WORKER),
)
TOLD_TO_HAVE_NONE = "Pool 'empty' can run nothing. It has no nodes and is told to have none: resize it"


@pytest.fixture
def azure(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SigningIn]:
    monkeypatch.setattr(job, "SETTLE_SECONDS", 0.0)
    with connected(monkeypatch, getattr(request, "param", CONTRIBUTOR)) as signing_in:
        yield signing_in


@pytest.fixture
def batch(azure: SigningIn) -> Iterator[Batch]:
    seen = Batch(azure.azure)
    yield seen
    seen.close()


def look(pool_id: str) -> str | None:
    with AzureBatchAdHook(actions=["pools/read"]) as hook:
        return hook.run(why_unable(pool_id))


def looks(azure: SigningIn) -> list[int]:
    """The statuses of all requests that look at a pool."""
    entries = azure.azure.ledger.entries(service="batch")
    return [entry.status for entry in entries if entry.path.startswith(("/nodecounts", "/pools"))]


def test_a_pool_with_a_node_that_can_run_tasks_costs_one_request(azure: SigningIn) -> None:
    assert look("cpu") is None
    assert looks(azure) == [200]


def test_a_pool_without_nodes_is_told_from_one_that_is_not_there(azure: SigningIn) -> None:
    assert (look("empty") or "").startswith(TOLD_TO_HAVE_NONE)
    assert look("absent") == "Pool 'absent' is not there. Create it, or the job waits for ever."


def test_a_start_task_that_failed_is_shown_with_its_exit_code(batch: Batch) -> None:
    start = models.BatchStartTask(command_line=shell("exit 7"), wait_for_success=True)
    pool_id = create_pool(batch, start_task=start)
    (node,) = nodes_in(batch, pool_id, "starttaskfailed")
    said = look(pool_id) or ""
    assert "None of its 1 node(s) can run a task (1 startTaskFailed)." in said
    assert f"The start task failed on node {node.id} (exit code 7)" in said
    assert "reboot the nodes" in said


def test_a_resize_that_failed_is_shown_with_what_to_do(azure: SigningIn, batch: Batch) -> None:
    azure.azure.batch.pool_flow.core_quota = 2
    pool_id = create_pool(batch, nodes=1)
    pool_when(batch, pool_id, lambda pool: bool(pool.resize_errors))
    said = look(pool_id) or ""
    assert f"Pool {pool_id!r} can run nothing. Its last resize failed: AccountCoreQuotaReached" in said
    assert "Ask Azure for a larger quota of cores" in said


def test_a_worker_says_it_while_it_waits(azure: SigningIn, said: Callable[[str], bool]) -> None:
    operator = operator_of(pool_id="empty")
    context = context_of(operator)
    with ThreadPoolExecutor(1) as worker:
        running = worker.submit(operator.execute, context)
        try:
            eventually(lambda: said(TOLD_TO_HAVE_NONE))
        finally:
            end_all_jobs()
        with pytest.raises(JobFailed):
            running.result(60)


@pytest.mark.parametrize("azure", [SUBMITTER], indirect=True)
def test_a_worker_whose_role_does_not_allow_it_asks_once_in_its_process(azure: SigningIn) -> None:
    with ThreadPoolExecutor(1) as worker:
        for number in (1, 2):
            operator = operator_of(pool_id="empty")
            enough = azure.count("batch", "Get Job Task Counts") + 5
            running = worker.submit(operator.execute, context_of(operator, number=number))
            try:
                eventually(lambda enough=enough: azure.count("batch", "Get Job Task Counts") > enough)
            finally:
                end_all_jobs()
            with pytest.raises(JobFailed):
                running.result(60)
    assert looks(azure) == [403]


async def test_a_trigger_says_it_in_the_log_of_its_task(
    azure: SigningIn, said: Callable[[str], bool]
) -> None:
    operator = operator_of(pool_id="empty")
    stored = await asyncio.to_thread(submit, operator, context_of(operator))
    trigger = AzureBatchJobTrigger("batchad_default", stored["job_id"], 0.2, pool_id="empty")
    waiting = asyncio.create_task(anext(trigger.run()))
    await asyncio.to_thread(eventually, lambda: said(TOLD_TO_HAVE_NONE))
    await asyncio.to_thread(end_all_jobs)
    assert (await asyncio.wait_for(waiting, 30)).payload["status"] == "completed"
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("azure", [SUBMITTER], indirect=True)
async def test_a_triggerer_whose_role_does_not_allow_it_asks_once(azure: SigningIn) -> None:
    for number in range(3):
        trigger = AzureBatchJobTrigger("batchad_default", f"absent-{number}", 0.02, pool_id="empty")
        waiting = asyncio.create_task(anext(trigger.run()))
        await asyncio.wait_for(waiting, 30)
    operator = operator_of(pool_id="empty")
    stored = await asyncio.to_thread(submit, operator, context_of(operator))
    triggers = [
        AzureBatchJobTrigger("batchad_default", stored["job_id"], 0.05, pool_id=pool_id)
        for pool_id in ("empty", "cpu", "empty")
    ]
    waits = [asyncio.create_task(anext(trigger.run())) for trigger in triggers]
    begun = azure.count("batch", "Get Job")
    await asyncio.to_thread(eventually, lambda: azure.count("batch", "Get Job") > begun + 50)
    await asyncio.to_thread(end_all_jobs)
    await asyncio.wait_for(asyncio.gather(*waits), 30)
    assert looks(azure) == [403]


def test_a_failure_for_time_says_why_nothing_ran(azure: SigningIn) -> None:
    operator = operator_of(pool_id="empty")
    context = context_of(operator)
    with pytest.raises(JobFailed, match=r"did not end within .* terminated\. Pool 'empty' can run nothing"):
        resume(operator, context, "deadline", submit(operator, context))


def end_all_jobs() -> None:
    with AzureBatchAdHook(actions=["jobs/read", "jobs/write"]) as hook:
        for one in hook.get_conn().list_jobs():
            if one.state == "active":
                hook.send(requests.terminate_job(one.id, reason="a person"))


@pytest.fixture
def said() -> Iterator[Callable[[str], bool]]:
    with capture_logs() as records:
        yield lambda text: any(text in str(record.get("event")) for record in list(records))
