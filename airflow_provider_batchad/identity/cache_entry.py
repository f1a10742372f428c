"""One token in the shared directory: encrypted, bound to its key, and believed only if it makes sense."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from airflow_provider_batchad.identity.cache_files import PrivateDirectory
from airflow_provider_batchad.identity.tokens import AccessToken

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_batchad.identity.file_lock import FileLock

_log = logging.getLogger(__name__)

# A token in the last tenth of its life is renewed by whoever comes first.
_MARGIN: Final = 0.10
_LONGEST_LIFE_SECONDS: Final = 48 * 3600.0
_CLOCK_SKEW_SECONDS: Final = 60.0


class Cipher(Protocol):
    """Encrypts what is written; Airflow's Fernet is one."""

    @property
    def key_id(self) -> str:
        """Tells keys apart, and gives nothing away of them."""

    def encrypt(self, content: bytes, /) -> bytes: ...

    def decrypt(self, content: bytes, /) -> bytes:
        """Raises where this key did not encrypt the content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """A token as it is kept, with the claims that it answers, and whose it is, for messages."""

    token: AccessToken
    claims: str | None = field(default=None, repr=False)
    tenant_id: str | None = None
    client_id: str | None = None

    def serves(self, claims: str | None, rejected: str | None) -> bool:
        """Whether it answers the question; a challenge that names no refused token wants a new one."""
        if self.token.token == rejected:
            return False
        return claims is None or (self.claims == claims and rejected is not None)

    def ends_soon(self, now: float) -> bool:
        """Whether it is time to ask for the next one."""
        life = self.token.expires_on - self.token.obtained_at
        return now >= self.token.expires_on - life * _MARGIN

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled: ask the callback where it is needed")


class TokenFile:
    """The file of one key. What cannot be used is as good as absent, and is written over.

    :param directory: where it is; a directory of the user's own by default.
    :param on_secret: called with every token that is read, before anything else happens to it.
    :param clock: the time in seconds since the epoch.
    """

    def __init__(
        self,
        directory: Path | None,
        key: str,
        *,
        cipher: Cipher,
        on_secret: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._directory = PrivateDirectory(directory)
        self._key = key
        self._cipher = cipher
        self._on_secret = on_secret
        self._clock = clock

    def lock(self) -> FileLock | None:
        """The lock around look-up and request; nothing where the directory cannot be used."""
        try:
            with self._directory.opened() as files:
                return files.lock(self._key)
        except OSError as error:
            self._warn(error)
            return None

    def read(self) -> CacheEntry | None:
        """The entry, if it is whole, of this key, and valid."""
        try:
            with self._directory.opened() as files:
                content = files.read(self._key)
        except OSError as error:
            self._warn(error)
            return None
        return self._parse(content) if content else None

    def write(self, entry: CacheEntry) -> None:
        """Keep the entry until its token ends, and remove what others left that has ended."""
        token = entry.token
        fields = {
            "key": self._key,
            "token": token.token,
            "expires_on": token.expires_on,
            "obtained_at": token.obtained_at,
            "claims": entry.claims,
            "tenant_id": entry.tenant_id,
            "client_id": entry.client_id,
        }
        content = self._cipher.encrypt(json.dumps(fields).encode())
        try:
            with self._directory.opened() as files:
                files.write(self._key, content, expires_on=token.expires_on)
                files.remove_expired(self._clock())
        except OSError as error:
            self._warn(error)

    def _parse(self, content: bytes) -> CacheEntry | None:
        try:
            fields = json.loads(self._cipher.decrypt(content))
            token = str(fields["token"])
            self._on_secret(token)
            entry = CacheEntry(
                token=AccessToken(
                    token=token,
                    expires_on=_number(fields["expires_on"]),
                    obtained_at=_number(fields["obtained_at"]),
                ),
                claims=fields["claims"],
                tenant_id=fields["tenant_id"],
                client_id=fields["client_id"],
            )
        except Exception:  # noqa: BLE001 - cut short, of another key, of another version: whatever it is
            _log.debug("The token cache holds what cannot be read; it is replaced.")
            return None
        # Encrypted with the right key all the same: a file under another's name is another's token.
        return entry if fields["key"] == self._key and self._is_valid(entry.token) else None

    def _is_valid(self, token: AccessToken) -> bool:
        now = self._clock()
        return (
            token.obtained_at <= now + _CLOCK_SKEW_SECONDS
            and now < token.expires_on <= token.obtained_at + _LONGEST_LIFE_SECONDS
        )

    def _warn(self, error: OSError) -> None:
        _warn_once(
            f"No token cache in {self._directory.path or 'a directory of the user'}: "
            f"{error.strerror or error}. Each process asks for a token of its own."
        )


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a time")
    return number


@cache
def _warn_once(message: str) -> None:
    _log.warning("%s", message)
