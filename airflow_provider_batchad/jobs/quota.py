"""Who may try again to create a job, where the account's quota of active jobs and schedules was reached."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Final

from airflow_provider_batchad.errors import BatchAdError, BatchServiceError

_CODE: Final = "ActiveJobAndScheduleQuotaReached"
# A released waiter needs a worker before its job is made and counted.
_COUNTS_ON_THE_WAY: Final = 2
_FIRST_PROBE_AFTER: Final = 2
_PROBES_AT_LEAST_EVERY: Final = 32


def waits_for_place(error: BatchAdError) -> bool:
    """Whether the account has no place for another job: other quotas (pools, cores) are not waited for."""
    return isinstance(error, BatchServiceError) and error.is_code(_CODE)


class Queue:
    """Those who wait for a place of one account in one process, the longest waiting first.

    The data plane does not say the quota: it is taken to be the number of unfinished jobs that was counted
    just after the latest refusal, or any greater one since; what job schedules take is left out of it. That
    may be too little, since a job may have ended between refusal and count, and quotas are raised: so one
    waiter more than places are known is let go now and then, after two counts, and after twice as many each
    time that it is refused, up to 32.
    """

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}
        self._room = 0
        self._on_the_way: deque[int] = deque(maxlen=_COUNTS_ON_THE_WAY)
        self._counts = 0
        self._probe_after = _FIRST_PROBE_AFTER

    def __len__(self) -> int:
        """How many wait."""
        return len(self._since)

    def join(self, name: str, since: datetime, room: int) -> None:
        """Begin to wait.

        :param since: when this waiter was refused first; kept through any later refusal.
        :param room: how many unfinished jobs there were when it was refused last.
        """
        self._since[name] = since
        self._room = room

    def leave(self, name: str) -> None:
        """Wait no longer, released or not."""
        self._since.pop(name, None)

    def release(self, unfinished: int | None) -> list[str]:
        """Who may try: as many as places came free, and now and then one more; they leave the queue.

        Those released by the two counts before are taken to be on their way to places that still look free.

        :param unfinished: how many jobs of the account are not completed; ``None`` where it may not be asked
            so, and they try one by one.
        """
        free = 0 if unfinished is None else self._free(unfinished)
        self._counts += 1
        if unfinished is None or self._counts >= self._probe_after:
            free += 1
            self._counts = 0
            self._probe_after = min(2 * self._probe_after, _PROBES_AT_LEAST_EVERY)
        chosen = sorted(self._since, key=lambda name: (self._since[name], name))[:free]
        self._on_the_way.append(len(chosen))
        for name in chosen:
            self.leave(name)
        return chosen

    def _free(self, unfinished: int) -> int:
        free = max(0, self._room - unfinished - sum(self._on_the_way))
        if free or unfinished > self._room:
            self._probe_after = _FIRST_PROBE_AFTER
        self._room = max(self._room, unfinished)
        return free
