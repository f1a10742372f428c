"""Sends requests that may be under way at once: by threads, or on an event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_batchad.jobs.rest import Answered, BatchRequest, BatchResponse, Several

# A worker that is told to end has five seconds.
_SECONDS_BETWEEN_LOOKS: Final = 0.5


def send_at_once(
    several: Several, send: Callable[[BatchRequest], BatchResponse], pause: Callable[[float], object]
) -> None:
    """Send with as many threads as may be under way; the answers are told on this thread.

    azure-core's transport is one ``requests`` session with ten connections, made to be shared by threads.

    :param pause: looked at between answers; may raise to stop, and then nobody waits for what is under way.
    """
    pool = ThreadPoolExecutor(max_workers=several.at_once, thread_name_prefix="batchad")
    done: SimpleQueue[Future[BatchResponse]] = SimpleQueue()
    under_way: dict[Future[BatchResponse], Answered] = {}
    try:
        for request, answered in several.requests:
            # What the code that asks has declared is a context variable, which a thread does not inherit.
            future = pool.submit(copy_context().run, send, request)
            under_way[future] = answered
            future.add_done_callback(done.put)
            if len(under_way) == several.at_once:
                _tell_one(done, under_way, pause)
        while under_way:
            _tell_one(done, under_way, pause)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _tell_one(
    done: SimpleQueue[Future[BatchResponse]],
    under_way: dict[Future[BatchResponse], Answered],
    pause: Callable[[float], object],
) -> None:
    while True:
        pause(0)
        try:
            future = done.get(timeout=_SECONDS_BETWEEN_LOOKS)
        except Empty:
            continue
        return _tell(under_way.pop(future), future)


async def send_at_once_on_loop(
    several: Several, send: Callable[[BatchRequest], Awaitable[BatchResponse]]
) -> None:
    """The same on an event loop, without threads."""
    under_way: dict[asyncio.Future[BatchResponse], Answered] = {}
    try:
        for request, answered in several.requests:
            under_way[asyncio.ensure_future(send(request))] = answered
            if len(under_way) == several.at_once:
                await _tell_some(under_way)
        while under_way:
            await _tell_some(under_way)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _tell_some(under_way: dict[asyncio.Future[BatchResponse], Answered]) -> None:
    done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        _tell(under_way.pop(task), task)


def _tell(answered: Answered, future: Future[BatchResponse] | asyncio.Future[BatchResponse]) -> None:
    error = future.exception()
    if error is None:
        answered(future.result())
    elif isinstance(error, Exception):
        answered(error)
    else:
        raise error
