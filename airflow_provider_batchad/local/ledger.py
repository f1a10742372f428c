"""The ledger: every request that local Azure answered, in order, without its secrets."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One request and its answer.

    :param time: when the answer was ready, in seconds since the epoch, by local Azure's clock.
    :param principal: the name of who asked, as far as the request said it truthfully.
    :param operation: Azure's name of the REST operation, such as ``Create Job``; empty for an unknown path.
    :param path: without the query, which may hold a signature.
    :param actions: the actions and data actions that the operation needs.
    :param code: the service's error code, where the answer is an error.
    :param fault: the id of the fault rule that had a hand in the answer.
    """

    sequence: int
    time: float
    service: str
    operation: str
    method: str
    path: str
    principal: str | None
    actions: tuple[str, ...]
    status: int
    code: str | None
    request_bytes: int
    response_bytes: int
    seconds: float
    fault: str | None

    def as_json(self) -> dict[str, Any]:
        """As the control port gives it."""
        return asdict(self)


class Ledger:
    """What was asked of local Azure.

    :param size: how many entries are kept; older ones fall out, the counts go on counting them.
    """

    def __init__(self, *, size: int) -> None:
        self._entries: deque[LedgerEntry] = deque(maxlen=size)
        self._counts: Counter[tuple[str, str]] = Counter()
        self._sequence = 0
        self._lock = threading.Lock()

    def record(
        self,
        *,
        time: float,
        service: str,
        operation: str,
        method: str,
        path: str,
        principal: str | None,
        actions: tuple[str, ...],
        status: int,
        code: str | None,
        request_bytes: int,
        response_bytes: int,
        seconds: float,
        fault: str | None,
    ) -> None:
        """Write one line."""
        with self._lock:
            self._sequence += 1
            entry = LedgerEntry(
                sequence=self._sequence,
                time=time,
                service=service,
                operation=operation,
                method=method,
                path=path,
                principal=principal,
                actions=actions,
                status=status,
                code=code,
                request_bytes=request_bytes,
                response_bytes=response_bytes,
                seconds=seconds,
                fault=fault,
            )
            self._entries.append(entry)
            self._counts[service, operation] += 1

    def entries(
        self,
        *,
        service: str | Collection[str] | None = None,
        operation: str | None = None,
        principal: str | None = None,
        status: int | None = None,
        after: int = 0,
    ) -> tuple[LedgerEntry, ...]:
        """The kept entries that fit, oldest first.

        :param service: one, or several.
        :param operation: Azure's name of it; ``*`` and ``?`` as in a shell, without case.
        :param after: only those with a higher ``sequence``.
        """
        services = (service,) if isinstance(service, str) else service
        wanted = None if operation is None else operation.casefold()
        with self._lock:
            kept: Iterable[LedgerEntry] = tuple(self._entries)
        return tuple(
            entry
            for entry in kept
            if entry.sequence > after
            and (services is None or entry.service in services)
            and (wanted is None or fnmatchcase(entry.operation.casefold(), wanted))
            and (principal is None or entry.principal == principal)
            and (status is None or entry.status == status)
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """How many requests by service and operation, since the start or the last :meth:`clear`."""
        with self._lock:
            counted = dict(self._counts)
        counts: dict[str, dict[str, int]] = {}
        for (service, operation), number in sorted(counted.items()):
            counts.setdefault(service, {})[operation] = number
        return counts

    @property
    def last_sequence(self) -> int:
        """The number of the newest entry; 0 before the first."""
        return self._sequence

    def clear(self) -> None:
        """Forget all entries and counts; the numbering goes on."""
        with self._lock:
            self._entries.clear()
            self._counts.clear()
