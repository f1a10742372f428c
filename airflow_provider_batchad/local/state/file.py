"""The file of the state: lines of JSON between one that says in what form and one that proves them whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

_FORMAT: Final = "local Azure state"
_VERSION: Final = 1
_BEGIN_ANEW: Final = "or move the file away to begin anew"


class StateRefused(ValueError):
    """A state that is not read, or a directory that another local Azure uses; the text says what to do."""


class StateWriter:
    """Writes the file beside the one that is there, and takes its place once it is whole and on the disk.

    Its methods wait for the disk, and are to be called in a thread.
    """

    def __init__(self, path: Path, form: str) -> None:
        self._path = path
        self._beside = path.with_name(f".{path.name}.new")
        self._beside.unlink(missing_ok=True)
        descriptor = os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._digest = hashlib.sha256()
        self._lines = 0
        self.write([json.dumps({"format": _FORMAT, "version": _VERSION, "form": form, "by": _own_version()})])

    def write(self, lines: Iterable[str]) -> None:
        """Add lines."""
        for line in lines:
            content = line.encode() + b"\n"
            self._digest.update(content)
            self._file.write(content)
            self._lines += 1

    def commit(self) -> None:
        """Put it in place."""
        end = {"end": self._lines, "sha256": self._digest.hexdigest()}
        self._file.write(json.dumps(end).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._beside.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def abandon(self) -> None:
        """Leave the one that is there."""
        # On a full disk closing fails as writing did.
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._beside.unlink(missing_ok=True)


class StateReader:
    """Reads the file of an earlier run.

    :raises StateRefused: it is damaged, or another version's.
    """

    def __init__(self, path: Path, form: str) -> None:
        self._path = path
        self._check_form(form)
        self.lines, self.last = self._check_whole()

    def __iter__(self) -> Iterator[Any]:
        """The lines between the first and the last, as data."""
        with self._path.open("rb") as file:
            next(file)
            for number in range(2, self.lines + 1):
                yield self.parse(next(file), number)

    def parse(self, line: bytes, number: int) -> Any:
        """One line as data.

        :raises StateRefused: it is none.
        """
        try:
            return json.loads(line)
        except ValueError:
            raise self.damaged(f"line {number} is no JSON") from None

    def damaged(self, why: str) -> StateRefused:
        """To be raised where the file is not what was written."""
        return StateRefused(f"{self._path} is damaged ({why}): put back a copy of it, {_BEGIN_ANEW}")

    def _check_form(self, form: str) -> None:
        with self._path.open("rb") as file:
            header = self.parse(file.readline(), 1)
        if not isinstance(header, dict) or header.get("format") != _FORMAT:
            raise self.damaged("it does not begin as a state of local Azure does")
        if (header.get("version"), header.get("form")) != (_VERSION, form):
            raise StateRefused(
                f"{self._path} was written by another version of local Azure ({header.get('by')}; this is "
                f"{_own_version()}): start that version, {_BEGIN_ANEW}"
            )

    def _check_whole(self) -> tuple[int, bytes]:
        digest = hashlib.sha256()
        lines, before, last = 0, b"", b""
        with self._path.open("rb") as file:
            for line in file:
                if last:
                    digest.update(last)
                    lines += 1
                before, last = last, line
        end = self.parse(last, lines + 1)
        if not isinstance(end, dict) or "sha256" not in end:
            raise self.damaged("its end is missing")
        if (end.get("end"), end["sha256"]) != (lines, digest.hexdigest()):
            raise self.damaged("it is not what was written")
        return lines, before


def _own_version() -> str:
    try:
        return version("airflow-provider-batchad")
    except PackageNotFoundError:
        return "unknown"
