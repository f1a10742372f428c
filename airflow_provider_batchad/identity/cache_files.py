"""A directory of the user's own, and small files in it that nobody else can read, plant or redirect."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from airflow_provider_batchad.identity.file_lock import FileLock

_LARGEST_BYTES: Final = 64 * 1024
# No token lives longer than 28 hours (one that a client renews by claims challenges); a file that says more
# was written by a clock that was wrong.
_LONGEST_LIFE_SECONDS: Final = 48 * 3600.0
_WRITING_SECONDS: Final = 600.0
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
TOKENS: Final = "token"
LOGINS: Final = "login"


class NotPrivate(OSError):
    """The directory cannot be one that only this user may use; says why."""


def default_directory() -> Path:
    """Below ``XDG_RUNTIME_DIR``, else below ``XDG_CACHE_HOME``, else below ``~/.cache``.

    Source: `XDG Base Directory Specification <https://specifications.freedesktop.org/basedir-spec/latest/>`__.

    :raises NotPrivate: the user has no home.
    """
    for variable in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        base = os.environ.get(variable, "")
        if Path(base).is_absolute() and Path(base).is_dir():
            return Path(base) / "batchad"
    try:
        return Path.home() / ".cache" / "batchad"
    except RuntimeError:
        raise NotPrivate("the user has no home directory") from None


class PrivateDirectory:
    """Opened anew for each use; every name is resolved below what was opened and checked.

    :param path: made if it is not there, of mode 0700; :func:`default_directory` by default.
    :param kind: of the files in it; those of another kind may lie beside them, and are left alone.
    """

    def __init__(self, path: Path | None, kind: str = TOKENS) -> None:
        self.path = path
        self._kind = kind

    @contextmanager
    def opened(self) -> Iterator[OpenDirectory]:
        """The directory, once it is known to be this user's alone.

        :raises NotPrivate: it is a link, somebody else's, or open to others.
        :raises OSError: it cannot be made or opened.
        """
        path = self.path or default_directory()
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise NotPrivate("it is a link, or no directory") from error
            raise
        try:
            found = os.fstat(descriptor)
            if found.st_uid != os.geteuid():
                raise NotPrivate("it belongs to another user")
            if found.st_mode & _OTHERS:
                raise NotPrivate(f"its mode is {stat.S_IMODE(found.st_mode):04o} and not 0700")
            yield OpenDirectory(descriptor, self._kind)
        finally:
            os.close(descriptor)


class OpenDirectory:
    """The files of a directory that was checked, each known by a key of 64 hexadecimal digits."""

    def __init__(self, descriptor: int, kind: str = TOKENS) -> None:
        self._descriptor = descriptor
        self._kind = kind
        self._written = re.compile(rf"[0-9a-f]{{64}}\.{kind}(?P<temporary>\.[0-9a-f]{{16}})?", re.ASCII)

    def lock(self, key: str) -> FileLock:
        """The lock of the key, not yet taken; good after the directory is closed.

        One of 256, so that none need ever be removed under a holder: two keys may share one, and then wait
        for each other as long as for their own.

        :raises OSError: its file cannot be opened.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return FileLock(os.open(f"{key[:2]}.lock", flags, 0o600, dir_fd=self._descriptor))

    def _name(self, key: str) -> str:
        return f"{key}.{self._kind}"

    def read(self, key: str) -> bytes | None:
        """What the file holds; nothing where there is none, or one that others could have written."""
        # Not blocking: a planted pipe would wait for its writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(self._name(key), flags, dir_fd=self._descriptor)
        except OSError:
            return None
        try:
            found = os.fstat(descriptor)
            own = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
            if not own or found.st_mode & _OTHERS or found.st_size > _LARGEST_BYTES:
                return None
            return os.read(descriptor, _LARGEST_BYTES)
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def write(self, key: str, content: bytes, *, expires_on: float) -> None:
        """Put the file in place whole, over whatever has its name; a reader sees the old or the new one.

        :param expires_on: kept as the file's time, so that anybody can remove it afterwards without its key.
        :raises OSError: it cannot be written.
        """
        temporary = f"{self._name(key)}.{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=self._descriptor)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.utime(file.fileno(), (expires_on, expires_on))
            os.rename(temporary, self._name(key), src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=self._descriptor)
            raise

    def remove_expired(self, now: float) -> None:
        """Remove what has served its time, and what a process that was killed left half written."""
        with os.scandir(self._descriptor) as files:
            names = [file.name for file in files]
        for written in filter(None, map(self._written.fullmatch, names)):
            life = _WRITING_SECONDS if written["temporary"] else 0.0
            with suppress(OSError):
                found = os.stat(written[0], dir_fd=self._descriptor, follow_symlinks=False)
                if not now <= found.st_mtime + life <= now + _LONGEST_LIFE_SECONDS:
                    os.unlink(written[0], dir_fd=self._descriptor)
