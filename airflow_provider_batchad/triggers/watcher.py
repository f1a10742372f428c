"""Runs the one poll of a connection in an event loop, for as long as anybody there waits for a job."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.access.declaration import Declaration, declared
from airflow_provider_batchad.errors import BatchAdError
from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook
from airflow_provider_batchad.jobs.waiting import Wait, Waited, WaitResult
from airflow_provider_batchad.jobs.watching import Outcome, Waiter, Watch

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection

log = logging.getLogger(__name__)

_DECLARATION: Final = Declaration.of("AzureBatchJobTrigger", ("jobs/read",))


class JobWatcher:
    """All waits of one connection, by what it resolves to, in one event loop."""

    def __init__(self, connection: BatchConnection) -> None:
        self._connection = connection
        self._clock = asyncio.get_running_loop().time
        self._watch = Watch(clock=self._clock, warn=log.warning)
        self._woken = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    @classmethod
    async def of(cls, hook: AzureBatchAdAsyncHook) -> JobWatcher:
        """The one of the hook's client; used while the hook is open."""
        connection = await hook.get_connection()
        return (await hook.borrow()).companion(cls, lambda: cls(connection))

    async def wait(self, job_id: str, wait: Wait) -> Waited:
        """Wait for the job's end, or for the deadline, which a change of the wall clock does not move.

        Whoever is cancelled leaves the others as they are.

        :raises BatchAdError: Batch could not be asked for 15 minutes, or refused to answer.
        :raises RuntimeError: the poll came to an end that nobody expected.
        """
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        waiter = Waiter(job_id=job_id, wait=wait, tell=partial(_tell, outcome))
        self._watch.add(waiter)
        self._woken.set()
        if self._polling is None:
            # A context of its own: what it logs is not the first waiter's.
            self._polling = asyncio.get_running_loop().create_task(self._poll(), context=Context())
        left = (wait.deadline - datetime.now(UTC)).total_seconds() if wait.deadline is not None else None
        try:
            await asyncio.wait((outcome,), timeout=left if left is None else max(0.0, left))
        finally:
            self._watch.remove(waiter)
            await self._end_with_its_last_waiter()
        if not outcome.done():
            return Waited(result=WaitResult.DEADLINE)
        return _answer(outcome.result())

    async def _end_with_its_last_waiter(self) -> None:
        polling = self._polling
        if polling is None or len(self._watch) > 0:
            return
        self._polling = None
        polling.cancel()
        # Whoever waits for that may be cancelled meanwhile; the poll gives its client back all the same.
        await asyncio.wait((polling,))

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with AzureBatchAdAsyncHook.for_connection(self._connection) as hook:
                while True:
                    self._woken.clear()
                    due = self._watch.due()
                    if due > self._clock():
                        alarm = loop.call_at(due, self._woken.set)
                        await self._woken.wait()
                        alarm.cancel()
                    else:
                        with declared(_DECLARATION):
                            await hook.run(self._watch.look())
        except BaseException as error:
            # One that was told to end has been replaced, and none of its waiters is left.
            if self._polling is asyncio.current_task():
                self._polling = None
                unexpected = RuntimeError(f"The poll of Batch jobs was ended: {type(error).__name__}")
                self._watch.end_all(error if isinstance(error, Exception) else unexpected)
            if not isinstance(error, Exception):
                raise


def _tell(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


def _answer(outcome: Outcome) -> Waited:
    if isinstance(outcome, Waited):
        return outcome
    if isinstance(outcome, BatchAdError):
        # All of them are told the same one: it does not carry the traces of the others.
        raise outcome.with_traceback(None)
    raise RuntimeError("The poll of Batch jobs failed.") from outcome
