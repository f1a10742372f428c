"""Gathers every secret, token, key and certificate of every local Azure of a session, as it comes to be."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

from airflow_provider_batchad.local.cli.arguments import SECRETS_FILE_VARIABLE
from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.secrets_file import SecretsFile
from airflow_provider_batchad.local.state.keeper import STATE_FILE

_STATES = (STATE_FILE, "ca-key.pem", "azure-identity-token")


class Births:
    """The values of one session, from all of its processes, in one file.

    :param folder: of the session, the same for all processes.
    :ivar kept_secret: files and folders in which local Azure keeps secrets because it was told to.
    :ivar fernet_keys: what the Airflows of this process encrypt with.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "values"
        self._file = SecretsFile(self._path)
        self.kept_secret: set[Path] = set()
        self.fernet_keys: set[str] = set()

    def watch(self) -> None:
        """Take note of what local Azure makes, in this process and in those that it starts."""
        # For those that tests start in a process of their own.
        os.environ[SECRETS_FILE_VARIABLE] = str(self._path)
        add, configure = SecretsFile.add, LocalAzureConfig.__post_init__

        def noted_add(kept: SecretsFile, value: str) -> None:
            if kept is not self._file:
                add(self._file, value)
            add(kept, value)

        @functools.wraps(configure)
        def noted_configure(config: LocalAzureConfig, *args: Any) -> None:
            configure(config, *args)
            if config.secrets_file is not None:
                self.kept_secret.add(config.secrets_file)
            if config.state_dir is not None:
                # Not the whole directory: tests keep other things there.
                self.kept_secret |= {config.state_dir / name for name in _STATES}

        SecretsFile.add = noted_add  # type: ignore[method-assign]
        LocalAzureConfig.__post_init__ = noted_configure  # type: ignore[method-assign]

    def plant(self, value: str) -> None:
        """Declare a value that no local Azure made."""
        self._file.add(value)

    def values(self) -> list[str]:
        """All there are so far."""
        return self._path.read_text(encoding="utf-8", errors="replace").splitlines()
