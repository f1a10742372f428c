"""Keeps local Azure's state in a directory: read at the start, written in the background, and at the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout
from pydantic import ValidationError

from airflow_provider_batchad.local.batch.node import Node
from airflow_provider_batchad.local.state.batch import BatchState
from airflow_provider_batchad.local.state.catalogue import RECORDS
from airflow_provider_batchad.local.state.file import StateReader, StateRefused, StateWriter
from airflow_provider_batchad.local.state.merge import Seen
from airflow_provider_batchad.local.state.places import Places
from airflow_provider_batchad.local.state.records import Records
from airflow_provider_batchad.local.state.services import (
    capture_services,
    remember_configured,
    restore_early,
    restore_late,
)

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch import BatchAccount
    from airflow_provider_batchad.local.server import LocalAzure

STATE_FILE: Final = "state.jsonl"
_LOCK_FILE: Final = "state.lock"
_INTERVAL_SECONDS: Final = 1.0
# Of the time that goes by, no more than a tenth is spent on writing.
_PAUSE_FACTOR: Final = 9.0
# Between two pieces of a state, requests are answered for twice as long as a piece took.
_BREATH_FACTOR: Final = 2.0
_BUFFER_LINES: Final = 64

_log = logging.getLogger(__name__)


class StateKeeper:
    """The state of one local Azure in one directory, which no other may use meanwhile.

    :raises StateRefused: another one uses it, or what is there cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory.resolve()
        # Whoever may look in here could read every secret.
        self.directory.chmod(0o700)
        self._path = self.directory / STATE_FILE
        self._lock = FileLock(self.directory / _LOCK_FILE, timeout=0, mode=0o600, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise StateRefused(
                f"another local Azure uses {directory}: end it, or choose another directory with --state-dir"
            ) from None
        self._places = Places()
        self._records = Records(self.directory, {Node: self._places.shape()})
        self._batch = BatchState(self._records, self._places)
        self._form = self._records.digest(RECORDS)
        self._seen = Seen()
        self._written: object = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        try:
            self._reader = StateReader(self._path, self._form) if self._path.exists() else None
            self._head = self._read_head()
        except BaseException:
            self.release()
            raise

    @property
    def ports(self) -> dict[str, int]:
        """Those of each service at the last start, where the system had chosen them."""
        ports: dict[str, int] = self._head.get("ports", {})
        return ports

    def restore_early(self, azure: LocalAzure) -> None:
        """Put back what must be there before anything is served.

        :raises StateRefused: it is not what local Azure writes.
        """
        if self._reader is None:
            remember_configured(azure, self._seen)
            return
        with self._refusing(self._reader):
            restore_early(azure, self._head["services"], self._records, self._seen)

    def restore_account(self, azure: LocalAzure, account: BatchAccount) -> None:
        """Put back the Batch account, before it starts.

        :raises StateRefused: it is not what local Azure writes.
        """
        reader = self._reader
        if reader is None:
            self._seen.add("pools", (pool.key for pool in account.pools.values()))
            return
        with self._refusing(reader):
            nodes = reader.parse(reader.last, reader.lines)["nodes"]
            self._places.fill(Node(**self._records.decode(Node, plain)) for plain in nodes)
            lines: Iterator[Any] = iter(reader)
            next(lines)
            configured = azure.config.job_quota
            is_same = configured == self._head["configuredJobQuota"]
            self._batch.restore(account, lines, self._seen, None if is_same else configured)
        # All of it is in its place: nothing reads the file again.
        self._reader, self._head = None, {}

    def restore_late(self, azure: LocalAzure) -> None:
        """Put back what the services have that are made last.

        :raises StateRefused: it is not what local Azure writes.
        """
        if self._reader is not None:
            with self._refusing(self._reader):
                restore_late(azure, self._head["services"], self._records)

    def start(self, azure: LocalAzure) -> None:
        """Write whenever something has changed, from now on."""
        self._task = asyncio.create_task(self._keep(azure))

    async def stop(self, azure: LocalAzure) -> None:
        """Write for the last time.

        :raises OSError: that could not be done.
        """
        # Not cancelled: a thread that puts a file in place could not be, and would meet the last one.
        self._stopping.set()
        if self._task is not None:
            await self._task
        try:
            await self._save(azure, is_last=True)
        except OSError as error:
            raise OSError(
                f"the state could not be written to {self._path}: {error.strerror or error}"
            ) from None

    def release(self) -> None:
        """Let others use the directory."""
        self._lock.release()

    async def _keep(self, azure: LocalAzure) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await self._save(azure, is_last=False)
            except OSError as error:
                _log.error("the state could not be written to %s: %s", self._path, error)
            except Exception:  # noqa: BLE001 - what is kept later is better than nothing
                # What is wrong with one moment may be over at the next, and the last one raises.
                _log.exception("the state could not be written to %s", self._path)
            took = time.monotonic() - began
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), max(_INTERVAL_SECONDS, _PAUSE_FACTOR * took))

    async def _save(self, azure: LocalAzure, *, is_last: bool) -> None:
        """Write the state if it is another one than that on the disk.

        :raises OSError: it could not be written; the file that is there is left.
        """
        head = self._capture_head(azure)
        small = json.dumps(self._batch.capture_small(azure.batch))
        state = (head, small, self._batch.nodes_line(), self._batch.fingerprint(azure.batch))
        if state == self._written:
            return
        # Nothing else runs until the jobs are captured too: what is written was so at one moment.
        jobs = self._batch.capture_jobs(azure.batch)
        writer = await asyncio.to_thread(StateWriter, self._path, self._form)
        try:
            await asyncio.to_thread(writer.write, [head, small])
            await self._write_slowly(writer, self._batch.lines(jobs), is_hurried=is_last)
            await asyncio.to_thread(writer.write, [self._batch.nodes_line()])
            await asyncio.to_thread(writer.commit)
        except BaseException:
            writer.abandon()
            raise
        self._written = state

    async def _write_slowly(self, writer: StateWriter, lines: Iterator[str], *, is_hurried: bool) -> None:
        pending: list[str] = []
        while True:
            began = time.perf_counter()
            line = next(lines, None)
            if line is not None:
                pending.append(line)
            if line is None or len(pending) >= _BUFFER_LINES:
                await asyncio.to_thread(writer.write, pending)
                pending = []
            if line is None:
                return
            if not is_hurried and not self._stopping.is_set():
                await asyncio.sleep(_BREATH_FACTOR * (time.perf_counter() - began))

    def _capture_head(self, azure: LocalAzure) -> str:
        head = {
            "services": capture_services(azure, self._records),
            "seen": self._seen.as_data(),
            "ports": azure.endpoints.ports() if azure.config.port == 0 else {},
            "configuredJobQuota": azure.config.job_quota,
        }
        return json.dumps(head)

    def _read_head(self) -> dict[str, Any]:
        if self._reader is None:
            return {}
        head = next(iter(self._reader), None)
        if not isinstance(head, dict) or not {"services", "seen", "ports"} <= set(head):
            raise self._reader.damaged("line 2 is not what local Azure writes")
        self._seen = Seen(head["seen"])
        return head

    @contextlib.contextmanager
    def _refusing(self, reader: StateReader) -> Iterator[None]:
        try:
            yield
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, (error.title, *first["loc"])))
            raise reader.damaged(f"{place}: {first['msg']}") from None
        except StateRefused:
            raise
        except (KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
            raise reader.damaged(f"it is not what local Azure writes: {type(error).__name__}") from None
