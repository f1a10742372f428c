"""The one count of a connection for all in an event loop who wait for a place among the active jobs."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.access.declaration import Declaration
from airflow_provider_batchad.jobs.place_watch import PlaceWaiter, PlaceWatch
from airflow_provider_batchad.triggers.shared_poll import SharedPoll

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection

log = logging.getLogger(__name__)

_DECLARATION: Final = Declaration.of("AzureBatchQuotaTrigger", ("jobs/read",))


class PlaceWatcher(SharedPoll[PlaceWaiter, str]):
    """All waits for a place of one connection, by what it resolves to, in one event loop."""

    def __init__(self, connection: BatchConnection) -> None:
        watch = PlaceWatch(clock=asyncio.get_running_loop().time, warn=log.warning)
        super().__init__(connection, watch, what="unfinished Batch jobs", declaration=_DECLARATION)

    async def wait(self, since: datetime, deadline: datetime, *, room: int, interval: float) -> bool:
        """Wait for the turn to try; ``False`` where the deadline came first.

        :param since: when this waiter was refused first.
        :param room: how many unfinished jobs there were when it was refused last.
        :param interval: the most seconds between two counts; of all that wait, the least counts.
        :raises BatchAdError: Batch could not be asked for 15 minutes, or refused to answer.
        :raises RuntimeError: the count came to an end that nobody expected.
        """
        told = await self._wait(
            lambda tell: PlaceWaiter(since=since, room=room, interval=interval, tell=tell), deadline
        )
        return told is not None
