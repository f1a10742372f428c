"""A note beside the shared token: until when nobody of this machine asks again, because Azure said so."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.errors import Unreachable
from airflow_provider_batchad.identity.cache_files import PrivateDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_batchad.identity.cache_entry import Cipher

_log = logging.getLogger(__name__)

# As a process does for itself: nobody keeps away for longer, whatever was said.
_LONGEST_WAIT_SECONDS: Final = 300.0
_CLOCK_SKEW_SECONDS: Final = 60.0
_WAITS: Final = "wait"


class WaitNote:
    """The note of one key, encrypted as the token is. What cannot be used is as good as absent.

    :param directory: where it is; a directory of the user's own by default.
    :param clock: the time in seconds since the epoch.
    """

    def __init__(
        self, directory: Path | None, key: str, *, cipher: Cipher, clock: Callable[[], float]
    ) -> None:
        self._directory = PrivateDirectory(directory, _WAITS)
        self._key = key
        self._cipher = cipher
        self._clock = clock

    def check(self) -> None:
        """Repeat what was said, while it lasts.

        :raises Unreachable: with the time that is left.
        """
        fields = self._read()
        if fields is None:
            return
        now, noted_at, until = self._clock(), float(fields["noted_at"]), float(fields["until"])
        # A clock that was set back, or was wrong, keeps nobody waiting.
        if noted_at > now + _CLOCK_SKEW_SECONDS or not now < until <= noted_at + _LONGEST_WAIT_SECONDS:
            return
        raise Unreachable(
            fields["message"], step=fields["step"], retry_after_seconds=until - now, remedy=fields["remedy"]
        )

    def keep(self, error: Unreachable) -> None:
        """Note how long the service asked to wait, where it did."""
        if not error.retry_after_seconds:
            return
        now = self._clock()
        until = now + min(error.retry_after_seconds, _LONGEST_WAIT_SECONDS)
        fields = {
            "key": self._key,
            "noted_at": now,
            "until": until,
            "message": error.message,
            "step": error.step,
            "remedy": error.remedy,
        }
        content = self._cipher.encrypt(json.dumps(fields).encode())
        try:
            with self._directory.opened() as files:
                files.write(self._key, content, expires_on=until)
                files.remove_expired(now)
        except OSError as problem:
            # The token's file has warned of the directory already.
            _log.debug("The wait could not be noted: %s", problem)

    def _read(self) -> dict[str, Any] | None:
        try:
            with self._directory.opened() as files:
                content = files.read(self._key)
            fields = json.loads(self._cipher.decrypt(content)) if content else None
            if fields is None or fields["key"] != self._key:
                return None
            texts = [fields["message"], fields["step"], fields["remedy"] or ""]
            times = [fields["noted_at"], fields["until"]]
        except Exception:  # noqa: BLE001 - cut short, of another key, of another version: whatever it is
            return None
        sound = all(isinstance(text, str) for text in texts) and all(
            isinstance(time, int | float) for time in times
        )
        return fields if sound else None
