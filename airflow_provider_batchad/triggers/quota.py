"""``AzureBatchQuotaTrigger``: waits until the account has a place for another job."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_batchad.triggers.job import FAILED, SETTLE_SECONDS, UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FREE = "free"
DEADLINE = "deadline"


class AzureBatchQuotaTrigger(BaseTrigger):
    """Fires once, when it is this waiter's turn to try again to create its job, or the deadline has come.

    Source: `List Jobs <https://learn.microsoft.com/rest/api/batchservice/jobs/list-jobs>`__.

    All that wait on connections which say the same share one count of the account's unfinished jobs an
    interval; as many as places came free are let go, the longest waiting first. There is no job yet that
    could outlive the task.

    The event's payload holds ``status`` (``free``, ``deadline``, ``unreachable``: Batch could not be asked
    for 15 minutes, or ``failed``: asking was refused) and ``message``.

    :param batchad_conn_id: id of an Airflow connection of type ``azure_batch_ad``.
    :param since: when the job was refused first, as an ISO 8601 time with its zone.
    :param deadline: when to give up, likewise.
    :param room: how many unfinished jobs there were when it was refused last.
    :param poll_interval: the most seconds between two counts; of all that share one, the least counts.
    :param _of_other_versions: what another version of this package stored with a waiting task; left out.
    """

    def __init__(
        self,
        batchad_conn_id: str,
        since: str,
        deadline: str,
        room: int = 0,
        poll_interval: float = 30.0,
        **_of_other_versions: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.batchad_conn_id = batchad_conn_id
        self.since = since
        self.deadline = deadline
        self.room = room
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments; nothing secret is among them."""
        return (
            "airflow_provider_batchad.triggers.quota.AzureBatchQuotaTrigger",
            {
                "batchad_conn_id": self.batchad_conn_id,
                "since": self.since,
                "deadline": self.deadline,
                "room": self.room,
                "poll_interval": self.poll_interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire."""
        await asyncio.sleep(SETTLE_SECONDS)
        status, message = await self._wait()
        yield TriggerEvent({"status": status, "message": message})  # type: ignore[no-untyped-call]

    async def _wait(self) -> tuple[str, str]:
        from airflow_provider_batchad.errors import BatchAdError
        from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook
        from airflow_provider_batchad.triggers.places import PlaceWatcher

        self.log.info("Waiting since %s for a place among the account's active jobs.", self.since)
        since, deadline = datetime.fromisoformat(self.since), datetime.fromisoformat(self.deadline)
        try:
            async with AzureBatchAdAsyncHook(self.batchad_conn_id) as hook:
                watcher = await PlaceWatcher.of(hook)
                free = await watcher.wait(since, deadline, room=self.room, interval=self.poll_interval)
        except BatchAdError as error:
            return (UNREACHABLE if error.retryable else FAILED), str(error)
        return (FREE if free else DEADLINE), ""
