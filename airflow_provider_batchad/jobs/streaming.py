"""Brings the log of a task that runs, piece by piece: what it wrote since the last look, in whole lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from airflow_provider_batchad.errors import BatchServiceError
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.rest import Steps, ask

MOST_BYTES_A_LOOK: Final = 256 * 1024
MOST_BYTES_AT_THE_END: Final = 1024 * 1024
# Not started, nothing new, gone with its node: no news of the task, and no verdict.
_QUIET: Final = (404, 409, 416)


class LogStream:
    """One log of one task.

    :param file_path: ``stdout.txt`` or ``stderr.txt``.
    :param say: takes a record of the log, of one or more lines.
    """

    def __init__(self, job_id: str, task_id: str, file_path: str, say: Callable[[str], None]) -> None:
        self._job_id = job_id
        self._task_id = task_id
        self._file_path = file_path
        self._say = say
        self._read = 0
        self._line = b""

    def look(self) -> Steps[None]:
        """One request for what is new."""
        self._take((yield from self._fetch(MOST_BYTES_A_LOOK)))

    def rest(self) -> Steps[None]:
        """What is left when the task is over; of much, the end."""
        size = yield from self._size()
        if size < self._read:
            # Batch ran the task again, and it began its log anew.
            self._read, self._line = 0, b""
        skipped = size - self._read - MOST_BYTES_AT_THE_END
        if skipped > 0:
            self._read += skipped
            self._line = b""
            self._say(f"{self._name}: {skipped} bytes are not shown here.")
        if size > self._read:
            self._take((yield from self._fetch(MOST_BYTES_AT_THE_END)))
        if self._line:
            self._tell(self._line)
            self._line = b""

    @property
    def _name(self) -> str:
        return f"{self._file_path.removesuffix('.txt')} of Batch task {self._task_id}"

    def _take(self, content: bytes) -> None:
        self._read += len(content)
        whole, newline, self._line = (self._line + content).rpartition(b"\n")
        if newline:
            self._tell(whole)
        if len(self._line) > MOST_BYTES_A_LOOK:
            # Airflow masks a record at a time: half a secret would pass.
            words, _, self._line = self._line.rpartition(b" ")
            self._tell(words or self._line)
            self._line = self._line if words else b""

    def _tell(self, lines: bytes) -> None:
        text = lines.decode(errors="replace").strip("\r\n")
        # A progress bar writes one line over and over.
        shown = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
        if shown.strip():
            self._say(f"{self._name}:\n{shown}")

    def _fetch(self, most: int) -> Steps[bytes]:
        request = requests.get_task_file(
            self._job_id, self._task_id, self._file_path, start=self._read, max_bytes=most
        )
        try:
            return (yield from ask(request)).content
        except BatchServiceError as error:
            if error.status in _QUIET:
                return b""
            raise

    def _size(self) -> Steps[int]:
        request = requests.get_task_file_properties(self._job_id, self._task_id, self._file_path)
        try:
            return int((yield from ask(request)).headers.get("content-length", "0"))
        except BatchServiceError as error:
            if error.status in _QUIET:
                return 0
            raise
