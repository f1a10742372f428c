"""A file of every secret and token that local Azure knows, to search logs and databases for by value."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class SecretsFile:
    """Appends one value a line, as ``grep --fixed-strings --file`` takes it. Without a path, does nothing.

    The file has mode 0600, is not opened through a symbolic link, and is never emptied.
    """

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        if path is not None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, 0o600)
            os.fchmod(self._descriptor, 0o600)

    def add(self, value: str) -> None:
        """Note a value; it is in the file before anybody is given it."""
        with self._lock:
            if self._descriptor is not None:
                for line in value.splitlines():
                    os.write(self._descriptor, f"{line}\n".encode())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
