"""Who may try again to create a job, where the account's quota of active jobs and schedules was reached."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Final

from airflow_provider_batchad.errors import BatchAdError, BatchServiceError

_CODE: Final = "ActiveJobAndScheduleQuotaReached"
# A released waiter needs a worker before its job is made and counted.
_COUNTS_ON_THE_WAY: Final = 2
# What was learnt may be too little: a job may have ended between refusal and count, or the quota been raised.
_COUNTS_UNTIL_PROBE: Final = 10


def waits_for_place(error: BatchAdError) -> bool:
    """Whether the account has no place for another job: other quotas (pools, cores) are not waited for."""
    return isinstance(error, BatchServiceError) and error.is_code(_CODE)


class Queue:
    """Those who wait for a place of one account in one process, the longest waiting first.

    The data plane does not say the quota: it is taken to be the number of unfinished jobs that was seen just
    after the latest refusal, or any greater one since. So what job schedules take is left out of it. Since
    that may be too little, one waiter is released after ten counts in which nobody was.
    """

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}
        self._room = 0
        self._learns = True
        self._released: deque[int] = deque(maxlen=_COUNTS_ON_THE_WAY)
        self._idle = 0

    def join(self, name: str, since: datetime) -> None:
        """Begin to wait.

        :param since: when this waiter was refused first; kept through any later refusal.
        """
        self._since[name] = since
        # Whoever comes was refused just now, so the next count tells how many jobs fill the account.
        self._learns = True

    def leave(self, name: str) -> None:
        """Wait no longer, released or not."""
        self._since.pop(name, None)

    def release(self, unfinished: int) -> list[str]:
        """Who may try: at most as many as places came free, the longest waiting first; they leave the queue.

        Those released by the two counts before are taken to be on their way to places that still look free.

        :param unfinished: how many jobs of the account are not completed.
        """
        self._room = unfinished if self._learns else max(self._room, unfinished)
        self._learns = False
        free = self._room - unfinished - sum(self._released)
        self._idle = 0 if free > 0 else self._idle + 1
        if self._idle == _COUNTS_UNTIL_PROBE:
            free, self._idle = 1, 0
        chosen = sorted(self._since, key=lambda name: (self._since[name], name))[: max(0, free)]
        self._released.append(len(chosen))
        for name in chosen:
            self.leave(name)
        return chosen
