"""Files of a node's directory: found by a path that must not leave it, described, listed, deleted."""

from __future__ import annotations

import mimetypes
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR
from typing import Any, Final
from urllib.parse import quote

from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.ticks import to_iso

_NANOSECONDS_PER_TICK: Final = 100
_RANGE: Final = re.compile(r"bytes=(\d{1,18})-(\d{1,18})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What is known of one file or directory.

    :param name: relative to the directory that is looked at, with slashes.
    :param mode: as ``fileMode`` shows it: type and permissions in octal, with ``0o``.
    """

    name: str
    is_directory: bool
    size: int
    modified: int
    mode: str

    @property
    def content_type(self) -> str:
        """By the name's ending."""
        return mimetypes.guess_type(self.name, strict=False)[0] or "application/octet-stream"


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of a file, both ends inclusive."""

    start: int
    end: int


class FileArea:
    """The files below one directory.

    :param root: what names are relative to.
    :param url: of that directory, as the REST API has it.
    """

    def __init__(self, root: Path, url: str) -> None:
        self._root = root
        self._url = url

    def url_of(self, name: str) -> str:
        """The URL of a file."""
        return f"{self._url}/{quote(name)}"

    def find(self, name: str) -> tuple[Path, FileFacts]:
        """A file or directory.

        :raises BatchError: there is none of this name below the root.
        """
        if "\0" in name or not name.strip("/"):
            raise BatchError("FileNotFound")
        path = self._root / name.strip("/")
        # Resolved before it is compared, so that neither ".." nor a symbolic link leads out.
        if not path.resolve().is_relative_to(self._root.resolve()):
            raise BatchError("FileNotFound")
        try:
            return path, self._describe(path)
        except OSError:
            raise BatchError("FileNotFound") from None

    def walk(self, *, recursive: bool, after: str = "") -> Iterator[tuple[str, FileFacts]]:
        """Names and facts in the order of names, behind the name ``after``."""
        names = sorted(self._names(self._root, "", recursive))
        for name in names:
            if name <= after:
                continue
            try:
                yield name, self._describe(self._root / name)
            except OSError:
                continue

    def show(self, facts: FileFacts) -> dict[str, Any]:
        """``BatchNodeFile``; directories have no properties."""
        shown: dict[str, Any] = {
            "name": facts.name,
            "url": self.url_of(facts.name),
            "isDirectory": facts.is_directory,
        }
        if not facts.is_directory:
            shown["properties"] = {
                "creationTime": to_iso(facts.modified),
                "lastModified": to_iso(facts.modified),
                "contentLength": str(facts.size),
                "contentType": facts.content_type,
                "fileMode": facts.mode,
            }
        return shown

    def delete(self, name: str, *, recursive: bool) -> None:
        """Remove a file, or a directory: with what is in it only if so asked.

        :raises BatchError: it is not there, or not empty.
        """
        path, facts = self.find(name)
        try:
            if not facts.is_directory:
                path.unlink()
            elif recursive:
                shutil.rmtree(path)
            else:
                path.rmdir()
        except OSError:
            raise BatchError("IOError") from None

    def _describe(self, path: Path) -> FileFacts:
        found = path.stat()
        return FileFacts(
            name=path.relative_to(self._root).as_posix(),
            is_directory=S_ISDIR(found.st_mode),
            size=found.st_size,
            modified=found.st_mtime_ns // _NANOSECONDS_PER_TICK,
            # Recorded: as Python writes an octal number.
            mode=f"0o{found.st_mode:o}",
        )

    def _names(self, directory: Path, prefix: str, recursive: bool) -> Iterator[str]:
        try:
            entries = list(os.scandir(directory))
        except OSError:
            return
        for entry in entries:
            yield prefix + entry.name
            if recursive and entry.is_dir(follow_symlinks=False):
                yield from self._names(Path(entry.path), f"{prefix}{entry.name}/", recursive)


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """The part that ``ocp-range`` or ``Range`` asks for; ``None`` for the whole.

    :raises BatchError: the header is no range, or one beyond the file's end.
    """
    if header is None:
        return None
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        raise BatchError("InvalidHeaderValue", (("HeaderName", "ocp-range"), ("HeaderValue", header)))
    start = int(match[1])
    end = int(match[2]) if match[2] else size - 1
    if start >= size or end < start:
        raise BatchError("InvalidRange")
    return ByteRange(start, min(end, size - 1))
