"""Many who ask for a token at once, are cancelled, lose their event loop, or are forked meanwhile."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_batchad.identity import loop_threads
from airflow_provider_batchad.identity.credential import AsyncCallbackCredential, CallbackCredential
from airflow_provider_batchad.identity.tokens import AccessToken, TokenCallback
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.signing_in import SigningIn, running

PATIENCE_SECONDS = 60.0


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SigningIn]:
    with running(monkeypatch) as signing_in:
        yield signing_in


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Held:
    """Entra ID while it holds back its tokens."""

    def __init__(self, signing_in: SigningIn) -> None:
        self._faults = signing_in.azure.faults
        self._rule = self._faults.add(FaultRule(service="entra", operation="Token", hold=True))

    def wait_for_question(self) -> None:
        wait_until(lambda: self._faults.held(self._rule.id) > 0)

    def release(self) -> None:
        self._faults.remove(self._rule.id)


def test_sixteen_threads_and_two_hundred_coroutines_make_one_request(signing_in):
    callback = signing_in.callback()
    held = Held(signing_in)
    started = threading.Barrier(17)

    def ask() -> str:
        started.wait(PATIENCE_SECONDS)
        return CallbackCredential(callback).get_token("scope").token

    async def ask_together() -> list[str]:
        credential = AsyncCallbackCredential(callback)
        asking = [asyncio.ensure_future(credential.get_token("scope")) for _ in range(200)]
        await asyncio.to_thread(started.wait, PATIENCE_SECONDS)
        await asyncio.to_thread(held.wait_for_question)
        held.release()
        return [found.token for found in await asyncio.gather(*asking)]

    with ThreadPoolExecutor(16) as pool:
        asking = [pool.submit(ask) for _ in range(16)]
        tokens = asyncio.run(ask_together())
        tokens += [future.result(PATIENCE_SECONDS) for future in asking]
    assert len(tokens) == 216
    assert len(set(tokens)) == 1
    assert signing_in.count("entra", "Token") == 1
    assert signing_in.count("entra", "OpenID Configuration") == 1
    assert signing_in.count("keyvault", "Get Secret") == 2  # the challenge, and the secret


def test_one_who_is_cancelled_takes_the_answer_from_nobody(signing_in):
    callback = signing_in.callback()
    held = Held(signing_in)

    async def ask() -> list[str]:
        credential = AsyncCallbackCredential(callback)
        asking = [asyncio.ensure_future(credential.get_token("scope")) for _ in range(20)]
        await asyncio.to_thread(held.wait_for_question)
        for one in asking[:10]:
            one.cancel()
        done = await asyncio.gather(*asking[:10], return_exceptions=True)
        assert all(isinstance(found, asyncio.CancelledError) for found in done)
        held.release()
        return [found.token for found in await asyncio.gather(*asking[10:])]

    assert len(set(asyncio.run(ask()))) == 1
    assert signing_in.count("entra", "Token") == 1


def test_loop_that_ends_while_it_asks_leaves_the_answer_to_others(signing_in):
    callback = signing_in.callback()
    held = Held(signing_in)

    async def leave() -> None:
        asking = asyncio.ensure_future(AsyncCallbackCredential(callback).get_token("scope"))
        await asyncio.to_thread(held.wait_for_question)
        assert not asking.done()
        # The loop waits for its threads when it ends, so the answer has to come.
        threading.Timer(0.2, held.release).start()

    asyncio.run(leave())
    assert callback.ready() is not None

    async def ask_again() -> str:
        return (await AsyncCallbackCredential(callback).get_token("scope")).token

    assert asyncio.run(ask_again()) == callback().token
    assert signing_in.count("entra", "Token") == 1


def test_loop_whose_own_threads_are_all_busy_gets_its_token(signing_in):
    credential = AsyncCallbackCredential(signing_in.callback())
    over = threading.Event()

    async def ask() -> str:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        busy = loop.run_in_executor(None, over.wait, PATIENCE_SECONDS)
        try:
            found = await asyncio.wait_for(credential.get_token("scope"), PATIENCE_SECONDS / 2)
        finally:
            over.set()
            await busy
        return found.token

    assert signing_in.principal_of(asyncio.run(ask()))


def test_threads_end_with_their_loop(signing_in):
    credential = AsyncCallbackCredential(signing_in.callback())

    async def ask() -> tuple[asyncio.AbstractEventLoop, ThreadPoolExecutor]:
        await credential.get_token("scope")
        loop = asyncio.get_running_loop()
        return loop, loop_threads._pools[loop].threads

    loop, threads = asyncio.run(ask())
    assert loop not in loop_threads._pools
    with pytest.raises(RuntimeError, match="after shutdown"):
        threads.submit(print)


def test_thread_that_asks_outlives_the_loop_beside_it(signing_in):
    callback = signing_in.callback()
    held = Held(signing_in)
    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(CallbackCredential(callback).get_token, "scope")
        held.wait_for_question()

        async def give_up() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(AsyncCallbackCredential(callback).get_token("scope"), 0.1)
            held.release()

        asyncio.run(give_up())
        assert thread.result(PATIENCE_SECONDS).token
    assert signing_in.count("entra", "Token") == 1


def _answer_of_child(callback: TokenCallback) -> str:
    """What a forked process gets when it asks; nothing where it hangs."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, callback().token.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        ready, _, _ = select.select([answer], [], [], PATIENCE_SECONDS)
        if not ready:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return answer.read() if ready else ""


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("holds_lock", [False, True], ids=["a flight", "the lock"])
def test_forked_process_waits_for_no_thread_of_its_parent(holds_lock):
    entered, release = threading.Event(), threading.Event()
    parent = os.getpid()

    def request(_claims: str | None, _rejected: str | None) -> AccessToken:
        if os.getpid() == parent:
            entered.set()
            assert release.wait(PATIENCE_SECONDS)
            return AccessToken("of-the-parent", time.time() + 3600)
        return AccessToken("of-the-child", time.time() + 3600)

    callback = TokenCallback(request)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(callback)
        assert entered.wait(PATIENCE_SECONDS)
        try:
            if holds_lock:
                with callback._lock:
                    answer = _answer_of_child(callback)
            else:
                answer = _answer_of_child(callback)
        finally:
            release.set()
        assert asking.result(PATIENCE_SECONDS).token == "of-the-parent"
    assert answer == "of-the-child"
