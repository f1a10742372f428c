"""One client and one token callback for all who wait on one connection in one event loop."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.providers.common.compat import connection
from airflow.providers.common.compat.connection import get_async_connection

from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, shared, shared_lookup
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.local.client_settings import describe_connection
from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.triggers import AzureBatchJobTrigger, job
from tests.contract.batch_fixtures import eventually
from tests.contract.signing_in import SigningIn, connected

LIST = requests.list_jobs(select="id", page_size=1)


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path)) as signing_in:
        described = describe_connection(signing_in.azure)
        monkeypatch.setenv("AIRFLOW_CONN_THE_SAME", json.dumps(described))
        monkeypatch.setenv(
            "AIRFLOW_CONN_LENIENT",
            json.dumps({**described, "extra": {**described["extra"], "least_privilege": "warn"}}),
        )
        yield signing_in
    assert shared._shared == {}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[shared.SharedClient]:
    """Every client that is made."""
    clients: list[shared.SharedClient] = []
    make = shared._make

    def remember(*arguments):
        clients.append(make(*arguments))
        return clients[-1]

    monkeypatch.setattr(shared, "_make", remember)
    return clients


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The id of every connection that Airflow is asked for."""
    asked: list[str] = []

    async def ask(conn_id: str):
        asked.append(conn_id)
        return await get_async_connection(conn_id)

    monkeypatch.setattr(connection, "get_async_connection", ask)
    return asked


def is_open(client: shared.SharedClient) -> bool:
    return client.client._client._pipeline._transport.session is not None


async def test_hundreds_of_triggers_make_one_client_and_one_token_request(signing_in, made, monkeypatch):
    monkeypatch.setattr(job, "SETTLE_SECONDS", 0.0)

    async def wait(number: int) -> str:
        trigger = AzureBatchJobTrigger("batchad_default", f"absent-{number}", 0.2)
        statuses = [event.payload["status"] async for event in trigger.run()]
        assert len(statuses) == 1
        return statuses[0]

    assert set(await asyncio.gather(*map(wait, range(200)))) == {"gone"}
    assert len(made) == 1
    assert not is_open(made[0])
    assert signing_in.count("entra", "Token") == 1
    assert signing_in.count("keyvault", "Get Secret") == 2  # one is the challenge
    assert signing_in.count("batch", "Get Job") == 200


async def test_connections_that_say_the_same_share_and_others_do_not(signing_in, made):
    async with AzureBatchAdAsyncHook() as one, AzureBatchAdAsyncHook("the_same") as same:
        assert await one.get_conn() is await same.get_conn()
        async with AzureBatchAdAsyncHook("lenient") as other:
            assert await other.get_conn() is not await one.get_conn()
    assert len(made) == 2


async def test_the_client_lives_until_its_last_user_is_done(signing_in, made):
    first, second = AzureBatchAdAsyncHook(), AzureBatchAdAsyncHook()
    await first.send(LIST)
    await second.send(LIST)
    await first.close()
    await first.close()
    assert is_open(made[0])
    await second.send(LIST)
    await second.close()
    assert not is_open(made[0])
    await second.send(LIST)
    await second.close()
    assert len(made) == 2


async def test_a_hook_that_many_use_at_once_gives_everything_back(signing_in, made):
    hook = AzureBatchAdAsyncHook()
    await asyncio.gather(*(hook.send(LIST) for _ in range(10)))
    await hook.close()
    assert [client.users for client in made] == [0]
    assert not is_open(made[0])


async def test_those_who_are_cancelled_give_back_and_the_others_go_on(signing_in, made):
    fault = signing_in.azure.faults.add(FaultRule(service="batch", operation="List Jobs", hold=True))

    async def ask() -> int:
        async with AzureBatchAdAsyncHook() as hook:
            return (await hook.send(LIST)).status

    tasks = [asyncio.create_task(ask()) for _ in range(40)]
    await asyncio.to_thread(eventually, lambda: made and made[0].users == 40)
    for number, task in enumerate(tasks[:30]):
        # At different points of their way, the last ones in the midst of closing.
        task.cancel()
        if number % 3 == 0:
            await asyncio.sleep(0)
            task.cancel()
    signing_in.azure.faults.remove(fault.id)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[:30])
    assert answers[30:] == [200] * 10
    assert [client.users for client in made] == [0]
    assert not is_open(made[0])


async def test_one_who_is_cancelled_while_closing_still_closes_the_client(signing_in, made):
    hook = AzureBatchAdAsyncHook()
    await hook.send(LIST)
    closing = asyncio.create_task(hook.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await asyncio.to_thread(eventually, lambda: not is_open(made[0]))
    assert made[0].users == 0


def test_each_event_loop_has_its_own(signing_in, made):
    async def ask(hook: AzureBatchAdAsyncHook) -> None:
        await hook.send(LIST)
        ready.wait()
        await hook.close()

    ready = threading.Barrier(2)
    threads = [threading.Thread(target=asyncio.run, args=(ask(AzureBatchAdAsyncHook()),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2


def test_what_a_loop_left_behind_is_forgotten(signing_in, made):
    hook = AzureBatchAdAsyncHook()

    async def leave() -> None:
        await hook.get_conn()

    asyncio.run(leave())
    assert len(shared._shared) == 1

    async def ask() -> None:
        async with AzureBatchAdAsyncHook() as other:
            await other.send(LIST)

    asyncio.run(ask())
    assert len(made) == 2
    eventually(lambda: shared._shared == {})


async def test_hundreds_who_start_at_once_look_the_connection_up_once(signing_in, lookups):
    hooks = [AzureBatchAdAsyncHook() for _ in range(300)]
    found = await asyncio.gather(*(hook.get_connection() for hook in hooks))
    assert lookups == ["batchad_default"]
    assert len(set(map(id, found))) == 1
    await AzureBatchAdAsyncHook("the_same").get_connection()
    assert lookups == ["batchad_default", "the_same"]


async def test_a_connection_that_was_edited_is_seen_after_seconds(signing_in, lookups, monkeypatch):
    monkeypatch.setattr(shared_lookup, "_FRESH_SECONDS", 0.0)
    for _ in range(2):
        await AzureBatchAdAsyncHook().get_connection()
    assert len(lookups) == 2


async def test_a_failed_look_up_fails_all_who_waited_and_is_not_kept(signing_in, lookups):
    hooks = [AzureBatchAdAsyncHook("absent") for _ in range(3)]
    answers = await asyncio.gather(*(hook.get_connection() for hook in hooks), return_exceptions=True)
    assert {type(answer).__name__ for answer in answers} == {"AirflowNotFoundException"}
    assert lookups == ["absent"]
    with pytest.raises(Exception, match="absent"):
        await AzureBatchAdAsyncHook("absent").get_connection()
    assert lookups == ["absent", "absent"]


async def test_one_who_is_cancelled_leaves_the_look_up_to_the_others(signing_in, lookups):
    first, second = (asyncio.create_task(AzureBatchAdAsyncHook().get_connection()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).conn_id == "batchad_default"
    assert lookups == ["batchad_default"]
