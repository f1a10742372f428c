"""A lock on an open file, which nobody can redirect: no name is looked up again."""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from contextlib import suppress
from typing import Final, Self

_TRY_EVERY_SECONDS: Final = 0.1

_alive: weakref.WeakSet[FileLock] = weakref.WeakSet()


class FileLock:
    """``flock``: the system takes it back when its holder dies. For one thread at a time.

    :param descriptor: of the file, which is closed with the lock.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        _alive.add(self)

    def acquire(self, timeout_seconds: float) -> bool:
        """Take it, waiting so long at most; whether it was got.

        :raises OSError: the file system knows no locks.
        """
        if self._descriptor is None:
            raise ValueError("the lock is closed")
        give_up = time.monotonic() + timeout_seconds
        while True:
            # NFS says EACCES where others say EAGAIN.
            with suppress(BlockingIOError, PermissionError):
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            left = give_up - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(_TRY_EVERY_SECONDS, left))

    def close(self) -> None:
        """Let go of it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        try:
            # Said, and not left to the closing: a process that was forked meanwhile may have the file open.
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def forget(self) -> None:
        """In a forked process: it is its parent's, and must not outlive that."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _forget_the_parents_locks() -> None:
    for lock in list(_alive):
        lock.forget()


os.register_at_fork(after_in_child=_forget_the_parents_locks)
