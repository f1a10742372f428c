"""Airflow's Fernet key, as what encrypts the tokens that processes share."""

from __future__ import annotations

import hashlib
import logging
from functools import cache
from typing import Any

_log = logging.getLogger(__name__)


class AirflowCipher:
    """Encrypts with Airflow's first Fernet key, and decrypts with any of them.

    :param fernet: Airflow's own, a ``MultiFernet``.
    :param keys: ``[core] fernet_key``; nothing of it is kept.
    """

    def __init__(self, fernet: Any, keys: str) -> None:
        self._fernet = fernet
        self.key_id = hashlib.sha256(keys.encode()).hexdigest()

    def encrypt(self, content: bytes, /) -> bytes:
        return bytes(self._fernet.encrypt(content))

    def decrypt(self, content: bytes, /) -> bytes:
        """The content as it was.

        :raises cryptography.fernet.InvalidToken: none of the keys has encrypted it.
        """
        return bytes(self._fernet.decrypt(content))


@cache
def airflow_cipher() -> AirflowCipher | None:
    """What this process may encrypt with; ``None`` without a key, which is warned of once.

    A worker has the key only if its own configuration says it: Airflow does not hand it to tasks.
    """
    from airflow.providers.common.compat.sdk import conf

    try:
        from airflow.sdk.crypto import get_fernet

        fernet = get_fernet()
        keys = conf.get("core", "fernet_key", fallback="") or ""
    except Exception as error:  # noqa: BLE001 - a key that is none, or a command for it that fails
        _log.warning("No token cache: [core] fernet_key cannot be used (%s).", type(error).__name__)
        return None
    if not getattr(fernet, "is_encrypted", False):
        _log.warning(
            "No token cache: Airflow has no [core] fernet_key here. Each process asks for its own token, "
            "and [batchad] token_cache = False says that this is meant."
        )
        return None
    return AirflowCipher(fernet, keys)
