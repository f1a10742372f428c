"""The look at the pools of a connection, for all in an event loop whose jobs wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.access.declaration import Declaration
from airflow_provider_batchad.hooks.pool_look import look_at_pool
from airflow_provider_batchad.jobs.pool_watch import PoolWaiter, PoolWatch
from airflow_provider_batchad.triggers.shared_poll import SharedPoll, in_this_context

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection

_DECLARATION: Final = Declaration.of("AzureBatchJobTrigger", ("pools/read",))


class PoolWatcher(SharedPoll[PoolWaiter, None]):
    """All whose jobs wait for pools of one connection, by what it resolves to, in one event loop."""

    def __init__(self, connection: BatchConnection) -> None:
        clock = asyncio.get_running_loop().time
        watch = PoolWatch(clock=clock, look_at=partial(look_at_pool, connection))
        super().__init__(connection, watch, what="pools", declaration=_DECLARATION)

    async def follow(self, pool_id: str, *, interval: float, say: Callable[[str], None]) -> None:
        """Say what keeps the pool from running anything, until cancelled.

        :param interval: the follower's poll interval, in seconds; the looks are many of them apart.
        :param say: called as if by the follower itself.
        :raises RuntimeError: the looks came to an end that nobody expected.
        """
        say_here = in_this_context(say)
        await self._wait(
            lambda tell: PoolWaiter(pool_id=pool_id, interval=interval, say=say_here, tell=tell), None
        )
