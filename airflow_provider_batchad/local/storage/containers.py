"""Blob containers of local Azure's storage account: what is in them, kept in files of one directory."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# "Naming and Referencing Containers, Blobs, and Metadata".
_CONTAINER_NAME: Final = re.compile(r"(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*")
_MAX_BLOB_NAME: Final = 1024
# An ETag looks like a time in .NET's ticks, which count from the year 1.
_DOTNET_EPOCH: Final = 621_355_968_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A block blob.

    :param path: the file that holds its content.
    :param modified: seconds since the epoch.
    :param etag: without quotes.
    """

    name: str
    path: Path
    size: int
    content_type: str
    modified: float
    etag: str


class BlobContainers:
    """The containers; may be used from any thread.

    :param root: a directory of their own, made at the first need.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._containers: dict[str, dict[str, Blob]] = {}
        self._lock = threading.Lock()
        self._number = 0

    def create(self, name: str) -> bool:
        """Make a container.

        :return: whether it is new.
        :raises ValueError: containers cannot have this name.
        """
        if _CONTAINER_NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name for a container: 3 to 63 of a-z, 0-9 and single hyphens")
        with self._lock:
            is_new = name not in self._containers
            self._containers.setdefault(name, {})
        return is_new

    def __contains__(self, name: str) -> bool:
        return name in self._containers

    def names(self) -> tuple[str, ...]:
        """All containers, in order."""
        return tuple(sorted(self._containers))

    def find(self, container: str, name: str) -> Blob | None:
        """A blob of a container that exists."""
        return self._containers[container].get(name)

    def walk(self, container: str, *, prefix: str = "", after: str = "") -> Iterator[Blob]:
        """Blobs whose names begin so, in the order of names, behind the name ``after``."""
        blobs = self._containers[container]
        for name in sorted(blobs):
            if name.startswith(prefix) and name > after and (blob := blobs.get(name)) is not None:
                yield blob

    def new_file(self, container: str) -> Path:
        """Where the content of a blob is to be written before :meth:`put` makes it one."""
        with self._lock:
            self._number += 1
            number = self._number
        directory = self._root / container
        directory.mkdir(parents=True, exist_ok=True)
        return directory / f"{number}.part"

    def put(self, container: str, name: str, written: Path, *, content_type: str, modified: float) -> Blob:
        """Make the written file a blob, in place of any that has its name.

        :raises ValueError: blobs cannot have this name.
        """
        if not 1 <= len(name) <= _MAX_BLOB_NAME or "\0" in name:
            raise ValueError(f"a blob's name has 1 to {_MAX_BLOB_NAME} characters")
        path = written.with_name(hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest())
        size = written.stat().st_size
        with self._lock:
            self._number += 1
            etag = f"0x{int(modified * 10_000_000) + _DOTNET_EPOCH + self._number:X}"
            written.replace(path)
            blob = Blob(
                name=name, path=path, size=size, content_type=content_type, modified=modified, etag=etag
            )
            self._containers[container][name] = blob
        return blob

    def delete(self, container: str, name: str) -> bool:
        """Remove a blob.

        :return: whether there was one.
        """
        with self._lock:
            blob = self._containers[container].pop(name, None)
            if blob is not None:
                blob.path.unlink(missing_ok=True)
        return blob is not None
