"""The one poll of a connection for all in an event loop who wait for jobs to end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.access.declaration import Declaration
from airflow_provider_batchad.jobs.waiting import Wait, Waited, WaitResult
from airflow_provider_batchad.jobs.watching import Waiter, Watch
from airflow_provider_batchad.triggers.shared_poll import SharedPoll, in_this_context

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection

log = logging.getLogger(__name__)

_DECLARATION: Final = Declaration.of("AzureBatchJobTrigger", ("jobs/read",))


class JobWatcher(SharedPoll[Waiter, Waited]):
    """All waits for jobs of one connection, by what it resolves to, in one event loop."""

    def __init__(self, connection: BatchConnection) -> None:
        watch = Watch(clock=asyncio.get_running_loop().time, warn=log.warning)
        super().__init__(connection, watch, what="Batch jobs", declaration=_DECLARATION)

    async def wait(self, job_id: str, wait: Wait, say: Callable[[str], None] = lambda _: None) -> Waited:
        """Wait for the job's end, or for the deadline, which a change of the wall clock does not move.

        Whoever is cancelled leaves the others as they are.

        :param say: takes what holds the job up meanwhile; called as if by the waiter itself.
        :raises BatchAdError: Batch could not be asked for 15 minutes, or refused to answer.
        :raises RuntimeError: the poll came to an end that nobody expected.
        """
        say_here = in_this_context(say)
        waited = await self._wait(
            lambda tell: Waiter(job_id=job_id, wait=wait, tell=tell, say=say_here), wait.deadline
        )
        return waited or Waited(result=WaitResult.DEADLINE)
