"""Where ``batchad login`` keeps what a person got: a file that only its owner can read."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.errors import SignInError
from airflow_provider_batchad.identity.cache_files import LOGINS, NotPrivate, OpenDirectory, PrivateDirectory

if TYPE_CHECKING:
    from airflow_provider_batchad.clouds import AzureCloud
    from airflow_provider_batchad.identity.principal import Person

_log = logging.getLogger(__name__)

_LOCK_SECONDS: Final = 10.0
# A refresh token that nobody uses ends after 90 days.
_KEPT_SECONDS: Final = 90 * 24 * 3600.0


def default_login_dir() -> Path:
    """Below ``XDG_STATE_HOME``, else below ``~/.local/state``.

    :raises NotPrivate: the user has no home.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    if Path(base).is_absolute():
        return Path(base) / "batchad" / "logins"
    try:
        return Path.home() / ".local" / "state" / "batchad" / "logins"
    except RuntimeError:
        raise NotPrivate("the user has no home directory") from None


class LoginFile:
    """MSAL's cache of one person, tenant and application: mode 0600 in a directory of mode 0700.

    Not by msal-extensions: where a process is killed that holds its lock, all later ones fail.

    :param directory: the user's own by default.
    """

    def __init__(self, cloud: AzureCloud, person: Person, *, directory: Path | None) -> None:
        question = json.dumps([cloud.authority, person.tenant_id, person.client_id])
        self._key = hashlib.sha256(question.encode()).hexdigest()
        self._wanted = directory

    @contextmanager
    def opened(self) -> Iterator[OpenLogin]:
        """The file, while no other process reads and writes it.

        :raises SignInError: it cannot be kept where only this user could read it.
        """
        with ExitStack() as held:
            try:
                files = self._open(held)
            except OSError as error:
                raise SignInError(
                    f"The directory of logins{self._place()} cannot be used: {error}.",
                    step="token",
                    remedy="Make it a directory of your own with mode 0700.",
                ) from None
            yield OpenLogin(files, self._key)

    def _open(self, held: ExitStack) -> OpenDirectory:
        files = held.enter_context(PrivateDirectory(self._wanted or default_login_dir(), LOGINS).opened())
        lock = held.enter_context(files.lock(self._key))
        if not lock.acquire(_LOCK_SECONDS):
            # It is written whole or not at all: going around a lock costs a token request at worst.
            _log.info("Another process has held the login file for too long; it is not waited for.")
        return files

    def _place(self) -> str:
        try:
            return f" {self._wanted or default_login_dir()}"
        except NotPrivate:
            return ""


class OpenLogin:
    """The file while it is locked."""

    def __init__(self, files: OpenDirectory, key: str) -> None:
        self._files = files
        self._key = key

    def read(self) -> str | None:
        """What was written; nothing where nobody has signed in, or where others could have written it."""
        content = self._files.read(self._key)
        try:
            return None if content is None else content.decode()
        except UnicodeDecodeError:
            return None

    def write(self, state: str) -> None:
        """Put it in place of what was there."""
        self._files.write(self._key, state.encode(), expires_on=time.time() + _KEPT_SECONDS)
