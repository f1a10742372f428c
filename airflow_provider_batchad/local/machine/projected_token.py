"""The file that a machine's projected token is in, renewed before the token ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.config import WorkloadIdentityConfig
    from airflow_provider_batchad.local.entra.workload_issuer import WorkloadIssuer

# The kubelet renews a projected token when 80 % of its time has passed.
_RENEWED_AFTER: Final = 0.8


class ProjectedToken:
    """Writes the file, and writes it anew by local Azure's clock.

    The file holds the token alone, without an end of line, and is replaced in one step.
    """

    def __init__(
        self, path: Path, config: WorkloadIdentityConfig, *, issuer: WorkloadIssuer, clock: Clock
    ) -> None:
        self.path = path
        self._config = config
        self._issuer = issuer
        self._clock = clock
        self._jumped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Write the first token, and go on."""
        self._write()
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Leave the file as it is."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()

        def tell() -> None:
            loop.call_soon_threadsafe(self._jumped.set)

        unsubscribe = self._clock.subscribe(tell)
        try:
            due = self._clock.time() + self._period
            while True:
                self._jumped.clear()
                left = due - self._clock.time()
                # A clock that went back makes the token one of the future: it is renewed as well.
                if left <= 0 or left > self._period:
                    self._write()
                    due = self._clock.time() + self._period
                    continue
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._jumped.wait(), left)
        finally:
            unsubscribe()

    @property
    def _period(self) -> float:
        return self._config.token_lifetime_seconds * _RENEWED_AFTER

    def _write(self) -> None:
        token = self._issuer.issue(self._config.subject, lifetime_seconds=self._config.token_lifetime_seconds)
        beside = self.path.with_name(f".{self.path.name}.new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token)
        beside.replace(self.path)
