"""Runs one poll of a connection in an event loop, for as long as anybody there waits for its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from airflow_provider_batchad.access.declaration import Declaration, declared
from airflow_provider_batchad.errors import BatchAdError
from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.jobs.rest import Steps

Waiter = TypeVar("Waiter")
Waiter_contra = TypeVar("Waiter_contra", contravariant=True)
Result = TypeVar("Result")


class Watch(Protocol[Waiter_contra]):
    """Who waits, and the steps that find out whose wait is over."""

    def __len__(self) -> int:
        """How many wait."""

    def add(self, waiter: Waiter_contra, /) -> None:
        """Begin to wait."""

    def remove(self, waiter: Waiter_contra, /) -> None:
        """Wait no longer."""

    def due(self) -> float:
        """When the next look is due, by the loop's clock."""

    def look(self) -> Steps[None]:
        """Look once, and tell those whose wait is over; no error of Batch comes out of it."""

    def end_all(self, outcome: Exception, /) -> None:
        """Tell all of them."""


class SharedPoll(Generic[Waiter, Result]):
    """All of one kind that wait on one connection, by what it resolves to, in one event loop.

    :param what: what is polled, for messages.
    :param declaration: what the poll may ask for.
    """

    def __init__(
        self, connection: BatchConnection, watch: Watch[Waiter], *, what: str, declaration: Declaration
    ) -> None:
        self._connection = connection
        self._watch = watch
        self._what = what
        self._declaration = declaration
        self._woken = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    @classmethod
    async def of(cls, hook: AzureBatchAdAsyncHook) -> Self:
        """The one of the hook's client; used while the hook is open."""
        connection = await hook.get_connection()
        make: Any = cls
        return (await hook.borrow()).companion(cls, lambda: make(connection))

    async def _wait(
        self, waiter_of: Callable[[Callable[[Result | Exception], None]], Waiter], deadline: datetime | None
    ) -> Result | None:
        """Wait until told; ``None`` where the deadline came first, which no change of the wall clock moves.

        Whoever is cancelled leaves the others as they are.

        :param waiter_of: makes the waiter of what it is told by.
        :raises BatchAdError: Batch could not be asked for 15 minutes, or refused to answer.
        :raises RuntimeError: the poll came to an end that nobody expected.
        """
        outcome: asyncio.Future[Result | Exception] = asyncio.get_running_loop().create_future()
        waiter = waiter_of(partial(_tell, outcome))
        self._watch.add(waiter)
        self._woken.set()
        if self._polling is None:
            # A context of its own: what it logs is not the first waiter's.
            self._polling = asyncio.get_running_loop().create_task(self._poll(), context=Context())
        left = (deadline - datetime.now(UTC)).total_seconds() if deadline is not None else None
        try:
            await asyncio.wait((outcome,), timeout=left if left is None else max(0.0, left))
        finally:
            self._watch.remove(waiter)
            await self._end_with_its_last_waiter()
        return self._answer(outcome.result()) if outcome.done() else None

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
                    if due > loop.time():
                        alarm = loop.call_at(due, self._woken.set)
                        await self._woken.wait()
                        alarm.cancel()
                    else:
                        with declared(self._declaration):
                            await hook.run(self._watch.look())
        except BaseException as error:
            # One that was told to end has been replaced, and none of its waiters is left.
            if self._polling is asyncio.current_task():
                self._polling = None
                unexpected = RuntimeError(f"The poll of {self._what} was ended: {type(error).__name__}")
                self._watch.end_all(error if isinstance(error, Exception) else unexpected)
            if not isinstance(error, Exception):
                raise

    def _answer(self, outcome: Result | Exception) -> Result:
        if not isinstance(outcome, Exception):
            return outcome
        if isinstance(outcome, BatchAdError):
            # All of them are told the same one: it does not carry the traces of the others.
            raise outcome.with_traceback(None)
        raise RuntimeError(f"The poll of {self._what} failed.") from outcome


def _tell(future: asyncio.Future[Result | Exception], outcome: Result | Exception) -> None:
    if not future.done():
        future.set_result(outcome)


def in_this_context(say: Callable[[str], None]) -> Callable[[str], None]:
    """``say`` for the poll to call, whose own context is nobody's: so that it ends up in this one's log."""
    context = copy_context()
    return lambda text: context.run(say, text)
