"""A file of every secret and token that local Azure knows, to search logs and databases for by value."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

_PEM_BEGIN: Final = "-----BEGIN "
# The last line of a key may be a handful of characters, which would be found everywhere.
_SHORTEST_PEM_LINE: Final = 32


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
                for line in _lines_to_search_for(value):
                    os.write(self._descriptor, f"{line}\n".encode())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


def _lines_to_search_for(value: str) -> list[str]:
    """The lines of a value that are secret: of a PEM text those of its private key, each long enough."""
    lines = value.splitlines()
    if not any(line.startswith(_PEM_BEGIN) for line in lines):
        return lines
    found: list[str] = []
    is_key = False
    for line in lines:
        if line.startswith("-----"):
            is_key = line.startswith(_PEM_BEGIN) and line.endswith("PRIVATE KEY-----")
        elif is_key and len(line) >= _SHORTEST_PEM_LINE:
            found.append(line)
    return found
