"""What waiting for a job costs, and what disturbs it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import LocalAzureConfig, WorkloadIdentityConfig
from airflow_provider_batchad.local.shared_key import KeyName
from airflow_provider_batchad.triggers import AzureBatchJobTrigger
from tests.contract.batch_fixtures import eventually, info, shell
from tests.contract.operator_runs import context_of, operator_of
from tests.peer.peer_runs import Both, beside

pytestmark = pytest.mark.peer

SECRET = "batch-client-secret"
WORKLOAD = LocalAzureConfig(port=0, workload_identity=WorkloadIdentityConfig(application="airflow-batch"))


def waiting_for(both: Both) -> tuple[str, Any]:
    """A command line that goes on until a file is there, and that file."""
    told = both.folder / "go on"
    return shell(f"until test -e '{told}'; do sleep 0.1; done"), told


def tokens_of(both: Both, since: int) -> int:
    asked = both.azure.ledger.entries(service="entra", after=since)
    return sum(entry.path.endswith("/oauth2/v2.0/token") for entry in asked)


def test_peer_fails_for_a_neighbours_task_in_its_job(both: Both) -> None:
    both.peer_job()
    both.neighbour("peer", "theirs", "/bin/false")
    both.batch.finished("peer", "theirs")
    seen = both.peer.run()
    assert (seen.error, "['theirs']" in seen.sentence) == ("RuntimeError", True)
    assert info(both.batch.finished("peer", "a")).exit_code == 0


def test_our_verdict_is_of_our_tasks_alone(both: Both) -> None:
    command, told = waiting_for(both)
    operator = operator_of(command_line=command)
    with beside(operator.execute, context_of(operator)) as running:
        both.until("Get Job")
        both.neighbour(both.only_job(), "theirs", "/bin/false")
        both.batch.finished(both.only_job(), "theirs")
        told.touch()
        assert running.result(60)["succeeded"] == 1


MANY = 200


def test_peer_asks_for_every_task_whole_at_each_poll(both: Both) -> None:
    both.peer_job("empty")
    for number in range(MANY):
        both.neighbour("peer", f"n{number}", "/bin/true")
    process = both.peer.start("wait", job_ids=["peer"], poll_interval=0.2)
    both.until("List Tasks", 3)
    process.end()
    assert min(entry.response_bytes for entry in both.entries("List Tasks")) > 300 * MANY


def test_our_poll_asks_for_the_state_of_the_job(both: Both) -> None:
    command, told = waiting_for(both)
    tasks = [{"command_line": command if number == 0 else "true"} for number in range(MANY)]
    operator = operator_of(command_line=None, tasks=tasks)
    with beside(operator.execute, context_of(operator)) as running:
        both.until("Get Job", 3)
        assert both.statuses("List Tasks") == []
        assert max(entry.response_bytes for entry in both.entries("Get Job")) < 1000
        told.touch()
        assert running.result(60)["succeeded"] == MANY


def jobs_that_wait(both: Both, count: int) -> list[str]:
    """Jobs whose task waits for a slot that never comes."""
    job_ids = [both.batch.create_job("empty") for _ in range(count)]
    for job_id in job_ids:
        both.neighbour(job_id, "t", "/bin/true")
    return job_ids


@pytest.mark.parametrize("config", [WORKLOAD])
def test_peer_signs_in_for_each_waiting_task(both: Both) -> None:
    job_ids = jobs_that_wait(both, 5)
    since = both.azure.ledger.last_sequence
    both.peer.be_the_machine(client_environment(both.azure))
    process = both.peer.start("wait", job_ids=job_ids, poll_interval=0.2)
    both.until("List Tasks", 20)
    process.end()
    assert tokens_of(both, since) == 5


@asynccontextmanager
async def our_triggers(both: Both, count: int) -> AsyncIterator[Sequence[asyncio.Future[Any]]]:
    """Our triggers of as many jobs in one loop, as in one triggerer."""
    job_ids = await asyncio.to_thread(jobs_that_wait, both, count)
    triggers = [AzureBatchJobTrigger("batchad_default", job_id, 1.0) for job_id in job_ids]
    waiting = [asyncio.ensure_future(anext(trigger.run())) for trigger in triggers]
    yield waiting
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def requests_of_waiting(both: Both, count: int) -> None:
    """Until so many requests more have been answered, whichever they are."""
    since = both.azure.ledger.last_sequence

    def asked() -> bool:
        return len(both.azure.ledger.entries(service="batch", after=since)) >= count

    await asyncio.to_thread(eventually, asked, seconds=120)


async def test_our_waiting_tasks_share_one_sign_in(both: Both) -> None:
    async with our_triggers(both, 5):
        since = both.azure.ledger.last_sequence
        await requests_of_waiting(both, 5)
        assert tokens_of(both, since) == 1


STARVING = 40


def test_peer_slow_service_leaves_the_triggerer_no_thread(both: Both) -> None:
    job_ids = jobs_that_wait(both, STARVING)
    rule = both.break_("List Tasks", hold=True)
    process = both.peer.start("wait", job_ids=job_ids, poll_interval=0.2)
    eventually(lambda: "looked" in process.log, seconds=120)
    # asyncio's own threads, as many as its default says: the rest of the triggers has not asked at all.
    assert both.azure.faults.held(rule.id) == min(32, (os.cpu_count() or 1) + 4) < STARVING
    for job_id in job_ids:
        both.batch.client.delete_task(job_id, "t")
    both.azure.faults.clear()
    assert process.seen().answer["starved"] is True


async def test_our_slow_service_leaves_the_triggerer_its_threads(both: Both) -> None:
    async with our_triggers(both, STARVING) as waiting:
        rules = [both.break_(operation, hold=True) for operation in ("List Jobs", "Get Job")]

        def held() -> bool:
            return any(both.azure.faults.held(rule.id) for rule in rules)

        await asyncio.to_thread(eventually, held, seconds=120)
        assert await asyncio.wait_for(asyncio.to_thread(int), 10) == 0
        assert not any(one.done() for one in waiting)


def unreachable_for_a_while(both: Both, operation: str) -> None:
    """More resets in a row than a client of Azure's takes by itself."""
    both.break_(operation, broken="reset", skip=1, times=8)


def test_peer_deletes_a_running_job_that_it_could_not_ask_for(both: Both) -> None:
    unreachable_for_a_while(both, "List Tasks")
    seen = both.peer.run(batch_task_command_line="/bin/sleep 600", should_delete_job=True)
    assert "'status': 'error'" in seen.log
    assert seen.error is not None
    assert both.statuses("Delete Job") == [202]


def test_our_task_outwaits_a_service_that_cannot_be_asked(both: Both) -> None:
    unreachable_for_a_while(both, "Get Job")
    command, told = waiting_for(both)
    operator = operator_of(command_line=command, cleanup="delete")
    rule = both.azure.faults.rules()[0]
    with beside(operator.execute, context_of(operator)) as running:
        eventually(lambda: both.azure.faults.hits(rule.id) == 8, seconds=120)
        assert both.statuses("Delete Job") == []
        told.touch()
        assert running.result(120)["succeeded"] == 1


def test_peer_key_that_is_replaced_while_it_waits_fails_the_task(both: Both) -> None:
    stored = both.folder / "connections.json"
    stored.write_text(json.dumps({"azure_batch_default": _stored(both)}))
    del both.peer.environment["AIRFLOW_CONN_AZURE_BATCH_DEFAULT"]
    both.peer.environment |= {
        "AIRFLOW__SECRETS__BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps({"connections_file_path": str(stored)}),
    }
    command, told = waiting_for(both)
    process = both.peer.start(batch_task_command_line=command)
    both.until("List Tasks", 2)
    both.azure.account_keys.regenerate(KeyName.PRIMARY)
    stored.write_text(json.dumps({"azure_batch_default": _stored(both)}))
    seen = process.seen()
    told.touch()
    assert (seen.error, "AuthenticationFailed" in seen.sentence) == ("RuntimeError", True)
    # What is stored by then would have done.
    assert both.peer.run("connection").answer["works"] is True
    stored.unlink()


def _stored(both: Both) -> dict[str, Any]:
    return {
        "conn_type": "azure_batch",
        "login": both.azure.config.account,
        "password": both.azure.account_keys[KeyName.PRIMARY],
        "extra": {"account_url": both.azure.endpoints.batch},
    }


async def test_our_secret_that_is_replaced_while_it_waits_is_read_again(both: Both) -> None:
    command, told = waiting_for(both)
    operator = operator_of(command_line=command, deferrable=True)
    context = context_of(operator)
    with pytest.raises(TaskDeferred) as deferred:
        await asyncio.to_thread(operator.execute, context)
    waiting = asyncio.ensure_future(anext(deferred.value.trigger.run()))
    await requests_of_waiting(both, 2)
    client_id = both.azure.config.applications[0].client_id
    both.azure.directory.revoke_secret(client_id)
    both.azure.vault.set_secret(SECRET, both.azure.directory.add_secret(client_id).value)
    # The tokens of before are no longer taken, so that a new one is needed at once.
    refused = both.azure.faults.add(_one_refusal())
    await asyncio.to_thread(eventually, lambda: both.azure.faults.hits(refused.id) == 1, seconds=120)
    told.touch()
    event = await asyncio.wait_for(waiting, 60)
    returned = await asyncio.to_thread(
        operator.execute_complete, context, event.payload, **(deferred.value.kwargs or {})
    )
    assert returned["succeeded"] == 1
    assert [entry.status for entry in both.azure.ledger.entries(service="entra") if entry.status >= 400]


def _one_refusal() -> Any:
    from airflow_provider_batchad.local.faults import FaultRule

    return FaultRule(service="batch", status=401, principal="airflow-batch", times=1)
