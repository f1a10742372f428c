"""Threads beside an event loop for those who ask for tokens, apart from the loop's own few.

Such a thread may wait for a minute. The loop's default ones, six on a machine of two cores, also look up
names and read files for everybody: six connections whose vault is down would hold up all of them.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeVar

T = TypeVar("T")

_THREADS: Final = 32

_pools: dict[asyncio.AbstractEventLoop, _Pool] = {}


@dataclass(slots=True, eq=False)
class _Pool:
    """The threads of one loop.

    :ivar end: runs into its ``finally`` when the loop ends.
    """

    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, thread_name_prefix="batchad-token")
    )
    end: AsyncGenerator[None] | None = None


async def ask_in_thread(question: Callable[[], T]) -> T:
    """The answer to the question, asked in a thread while the loop goes on.

    As with the loop's own threads, a loop that ends waits for the answer: the thread needs it to tell
    Airflow's masker of what it reads.
    """
    loop = asyncio.get_running_loop()
    pool = _pools.get(loop)
    if pool is None:
        for closed in [other for other in _pools if other.is_closed()]:
            del _pools[closed]
        pool = _pools[loop] = _Pool()
        pool.end = _wait_at_the_end(loop, pool.threads)
        # Once it has begun, the loop closes it when it ends (``loop.shutdown_asyncgens``).
        await anext(pool.end)
    context = contextvars.copy_context()
    return await loop.run_in_executor(pool.threads, lambda: context.run(question))


async def _wait_at_the_end(
    loop: asyncio.AbstractEventLoop, threads: ThreadPoolExecutor
) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        _pools.pop(loop, None)
        await loop.run_in_executor(None, threads.shutdown)
