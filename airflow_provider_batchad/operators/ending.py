"""How an operator ends a Batch job that must not go on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.jobs.outcome import BLOCKED_REASON
from airflow_provider_batchad.jobs.termination import terminate
from airflow_provider_batchad.jobs.waiting import Wait, wait_for_end

if TYPE_CHECKING:
    from airflow_provider_batchad.hooks import AzureBatchAdHook

_LONGEST_TERMINATION = timedelta(minutes=1)
_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnJob:
    """The job of a try, which that try may end as long as no later one has it.

    :param etag: the version that this try wrote.
    :param owner: this try's ``ti.id``.
    """

    job_id: str
    etag: str | None
    owner: str

    def end(self, hook: AzureBatchAdHook, log: Any, reason: str) -> bool:
        """Ask for the job's end; whether it was this request that ended it."""
        reason = reason[:_LONGEST_REASON]
        ended = hook.run(terminate(self.job_id, reason, etag=self.etag, owner=self.owner))
        if ended:
            log.info("Terminated Batch job %s: %s", self.job_id, reason)
        return ended

    def end_blocked(self, hook: AzureBatchAdHook, log: Any, message: str) -> None:
        """End a job in which nothing can go on, and wait up to a minute until it is over.

        :param message: what it waits for in vain.
        """
        log.error("Batch job %s cannot go on: %s", self.job_id, message)
        if self.end(hook, log, f"{BLOCKED_REASON}{message}"):
            wait = Wait(poll_interval_seconds=2, deadline=datetime.now(UTC) + _LONGEST_TERMINATION)
            hook.run(wait_for_end(self.job_id, wait, now=lambda: datetime.now(UTC)))
