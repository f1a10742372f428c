"""``AzureBatchJobTrigger``: waits for the end of one Batch job."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_batchad.access.declaration import Declaration
    from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook

UNREACHABLE = "unreachable"
FAILED = "failed"

# Airflow fails a task whose trigger fires before the scheduler has read that the process which deferred it
# has ended: it takes that end for the end of the process that resumes (process_executor_events).
SETTLE_SECONDS = 5.0

# What goes on after Airflow has let go of its trigger; a loop keeps no task alive by itself.
_ENDING: set[asyncio.Future[None]] = set()


class AzureBatchJobTrigger(BaseTrigger):
    """Fires once, when the job is completed or gone, the deadline has come, or it could not be asked.

    Source: `Get Job <https://learn.microsoft.com/rest/api/batchservice/jobs/get-job>`__.

    All that wait on connections which say the same share one poll in an event loop.

    The event's payload holds ``status`` (``completed``, ``gone``, ``deadline``, ``blocked``: nothing in the
    job can go on, ``unreachable``: Batch could not be asked for 15 minutes, which says nothing about the job;
    or ``failed``: asking was refused), ``job_id`` and ``message``.

    :param batchad_conn_id: id of an Airflow connection of type ``azure_batch_ad``.
    :param job_id: the Batch job.
    :param poll_interval: the most seconds between two looks; of all that share a poll, the least counts.
    :param deadline: when to give up, as an ISO 8601 time with its zone; ``None`` for never.
    :param can_block: whether its tasks may wait for ever for what failed.
    :param cancel_on_kill: end the job when a person ends the task (Airflow 3.3 and later).
    :param etag: the version of the job that the task's try wrote; a job that another try has is left to it.
    :param pool_id: the pool to look at now and then, where the role allows it, to say why it runs nothing.
    :param _of_other_versions: what another version of this package stored with a waiting task; left out.
    """

    def __init__(
        self,
        batchad_conn_id: str,
        job_id: str,
        poll_interval: float = 30.0,
        deadline: str | None = None,
        *,
        can_block: bool = False,
        cancel_on_kill: bool = True,
        etag: str | None = None,
        pool_id: str | None = None,
        **_of_other_versions: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.batchad_conn_id = batchad_conn_id
        self.job_id = job_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.can_block = can_block
        self.cancel_on_kill = cancel_on_kill
        self.etag = etag
        self.pool_id = pool_id
        self._fired = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments; nothing secret is among them."""
        return (
            "airflow_provider_batchad.triggers.job.AzureBatchJobTrigger",
            {
                "batchad_conn_id": self.batchad_conn_id,
                "job_id": self.job_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "can_block": self.can_block,
                "cancel_on_kill": self.cancel_on_kill,
                "etag": self.etag,
                "pool_id": self.pool_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire."""
        await asyncio.sleep(SETTLE_SECONDS)
        status, message = await self._wait()
        event = {"status": status, "job_id": self.job_id, "message": message}
        # Airflow cancels the generator after its event, in the way in which it tells of a person's action.
        self._fired = True
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """End the Batch job where a person, or a timeout of the DAG run, ended the task.

        Airflow 3.3 and later call it, and not for those alone: another triggerer may have taken over.
        """
        if self._fired or not self.cancel_on_kill:
            return
        # While a trigger ends, Airflow cancels it anew every second, and its first answer may take longer.
        ending = asyncio.ensure_future(self._end_unwanted())
        _ENDING.add(ending)
        ending.add_done_callback(_ENDING.discard)
        await asyncio.shield(ending)

    async def _end_unwanted(self) -> None:
        from airflow_provider_batchad.access.declaration import declared
        from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook
        from airflow_provider_batchad.jobs.termination import terminate
        from airflow_provider_batchad.triggers.killed import why_killed

        task_instance = self.task_instance
        try:
            reason = await why_killed(task_instance, self.job_id)
            if reason is None:
                self.log.info("Batch job %s is left to whoever waits for it.", self.job_id)
                return
            owner = str(task_instance.id) if task_instance is not None else None
            with declared(self._declaration()):
                async with AzureBatchAdAsyncHook(self.batchad_conn_id) as hook:
                    if await hook.run(terminate(self.job_id, reason, etag=self.etag, owner=owner)):
                        self.log.info("Terminated Batch job %s: %s", self.job_id, reason)
        except Exception:
            # Nobody may be left to raise to.
            self.log.exception("Batch job %s could not be told to end; it keeps its time limit.", self.job_id)

    def _declaration(self) -> Declaration:
        from airflow_provider_batchad.access.declaration import Declaration

        return Declaration.of(type(self).__name__, ("jobs/read", "jobs/write"))

    async def _wait(self) -> tuple[str, str]:
        from airflow_provider_batchad.errors import BatchAdError
        from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook
        from airflow_provider_batchad.jobs.waiting import Wait
        from airflow_provider_batchad.triggers.watcher import JobWatcher

        wait = Wait(
            poll_interval_seconds=self.poll_interval,
            deadline=datetime.fromisoformat(self.deadline) if self.deadline else None,
            can_block=self.can_block,
        )
        self.log.info("Waiting for Batch job %s.", self.job_id)
        try:
            async with AzureBatchAdAsyncHook(self.batchad_conn_id) as hook:
                watcher = await JobWatcher.of(hook)
                async with self._following_pool(hook):
                    waited = await watcher.wait(self.job_id, wait, self.log.warning)
        except BatchAdError as error:
            return (UNREACHABLE if error.retryable else FAILED), str(error)
        return waited.result.value, waited.message

    @asynccontextmanager
    async def _following_pool(self, hook: AzureBatchAdAsyncHook) -> AsyncIterator[None]:
        from airflow_provider_batchad.triggers.pools import PoolWatcher

        if self.pool_id is None:
            yield
            return
        pools = await PoolWatcher.of(hook)
        following = asyncio.ensure_future(
            pools.follow(self.pool_id, interval=self.poll_interval, say=self.log.warning)
        )
        try:
            yield
        finally:
            following.cancel()
            # Whatever became of the looks: the job is what is waited for.
            await asyncio.wait((following,))
            if not following.cancelled():
                self.log.debug("The looks at pool %s ended: %s", self.pool_id, following.exception())
