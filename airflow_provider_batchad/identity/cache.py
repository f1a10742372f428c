"""The token cache that the processes of one machine share."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, Self

from airflow_provider_batchad.errors import BatchAdError, Unreachable
from airflow_provider_batchad.identity.cache_entry import CacheEntry, Cipher, TokenFile
from airflow_provider_batchad.identity.cache_key import cache_key
from airflow_provider_batchad.identity.cache_wait import WaitNote

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.file_lock import FileLock
    from airflow_provider_batchad.identity.tokens import AccessToken, PrincipalFacts

_log = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS: Final = 1.0


class CachedTokenRequest:
    """Answers from the file that the machine's processes share, or asks and writes it for the others.

    While one of them asks, the others wait for what it finds. One that takes longer than half a minute is not
    waited for; one that was killed holds nobody up, since the system takes its lock from it. Where the file
    cannot be used, each process asks for itself, and one warning says why. Of errors, one alone is kept: that
    Azure said to wait so long.

    :param request: asks for a token, with the claims of a challenge and the token that was refused.
    :param facts: who signs in, as far as ``request`` knows it.
    :param wait: where it is noted that Azure said to wait.
    :param clock: the time in seconds since the epoch.
    :param spread: a number from 0 to 1, drawn anew for each wait, so that not all give up at once.
    """

    patience_seconds: ClassVar[float] = 30.0

    def __init__(
        self,
        request: Callable[[str | None, str | None], AccessToken],
        *,
        facts: Callable[[], PrincipalFacts],
        file: TokenFile,
        wait: WaitNote,
        clock: Callable[[], float] = time.time,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._request = request
        self._facts = facts
        self._file = file
        self._wait_note = wait
        self._clock = clock
        self._spread = spread
        self._used: CacheEntry | None = None

    @classmethod
    def for_connection(
        cls,
        connection: BatchConnection,
        request: Callable[[str | None, str | None], AccessToken],
        *,
        facts: Callable[[], PrincipalFacts],
        cipher: Cipher,
        directory: Path | None,
        on_secret: Callable[[str], None],
        clock: Callable[[], float] = time.time,
        scope: str | None = None,
    ) -> Self:
        """The cache for what the connection resolves to.

        :param cipher: encrypts the file.
        :param directory: where it is; a directory of the user's own by default.
        :param on_secret: called with every token that is read from the file, before its use.
        :param scope: what the tokens are for, where that is not Batch.
        """
        key = cache_key(connection, os.environ, encrypted_with=cipher.key_id, scope=scope)
        file = TokenFile(directory, key, cipher=cipher, on_secret=on_secret, clock=clock)
        wait = WaitNote(directory, key, cipher=cipher, clock=clock)
        return cls(request, facts=facts, file=file, wait=wait, clock=clock)

    def __call__(self, claims: str | None, rejected: str | None) -> AccessToken:
        """A token, the same for all who ask before its end.

        :param claims: of a challenge; only a token that answers them will do.
        :param rejected: a token that was refused or nears its end; it is replaced, in the file as well.
        :raises SignInError: no token could be had.
        :raises Unreachable: nobody could be asked.
        """
        found = self._find(claims, rejected)
        if found is not None and not found.ends_soon(self._clock()):
            return self._use(found)
        with self._turn(claims, rejected) as landed:
            return self._use(landed) if landed is not None else self._ask(claims, rejected, found)

    def facts(self) -> PrincipalFacts:
        """Who signs in, as far as it is known; the file remembers what Key Vault said."""
        facts, used = self._facts(), self._used
        return facts if used is None else replace(facts, tenant_id=used.tenant_id, client_id=used.client_id)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token cache is not pickled: make it where it is needed")

    def _find(self, claims: str | None, rejected: str | None) -> CacheEntry | None:
        entry = self._file.read()
        return entry if entry is not None and entry.serves(claims, rejected) else None

    def _find_lasting(self, claims: str | None, rejected: str | None) -> CacheEntry | None:
        entry = self._find(claims, rejected)
        return entry if entry is not None and not entry.ends_soon(self._clock()) else None

    def _use(self, entry: CacheEntry) -> AccessToken:
        self._used = entry
        return entry.token

    def _ask(self, claims: str | None, rejected: str | None, valid: CacheEntry | None) -> AccessToken:
        asked_at = self._clock()
        try:
            token = self._ask_anew(claims, rejected).dated(asked_at)
        except BatchAdError as error:
            if valid is None or self._clock() >= valid.token.expires_on:
                raise
            _log.warning("No new token; the one that this machine has is used on: %s", error)
            return self._use(valid)
        self._used = None
        facts = self._facts()
        self._file.write(
            CacheEntry(token=token, claims=claims, tenant_id=facts.tenant_id, client_id=facts.client_id)
        )
        return token

    def _ask_anew(self, claims: str | None, rejected: str | None) -> AccessToken:
        self._wait_note.check()
        try:
            return self._request(claims, rejected)
        except Unreachable as error:
            self._wait_note.keep(error)
            raise

    @contextmanager
    def _turn(self, claims: str | None, rejected: str | None) -> Iterator[CacheEntry | None]:
        """Wait for this process's turn to ask; gives what another one found meanwhile."""
        with self._file.lock() or nullcontext() as lock:
            if lock is not None:
                self._wait(lock, claims, rejected)
            yield self._find_lasting(claims, rejected)

    def _wait(self, lock: FileLock, claims: str | None, rejected: str | None) -> None:
        """Take the lock, or go on without it: there is a token by now, or no use in waiting."""
        give_up = time.monotonic() + self.patience_seconds * (1 + self._spread())
        while True:
            moment = max(0.0, min(_LOOK_EVERY_SECONDS, give_up - time.monotonic()))
            try:
                if lock.acquire(moment):
                    return
            except OSError:
                # The file system knows no locks: each process asks for itself, the last one's token stays.
                return
            if self._find_lasting(claims, rejected) is not None:
                return
            if time.monotonic() >= give_up:
                _log.info("Another process has been asking for a token for Batch for too long.")
                return
