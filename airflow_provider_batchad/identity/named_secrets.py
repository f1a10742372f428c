"""What a connection's fields name in Key Vault."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_batchad.errors import VaultError
from airflow_provider_batchad.identity.validity import Validity

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from airflow_provider_batchad.identity.vault import KeyVault, VaultSecret


class NamedSecrets:
    """Reads Key Vault for the connection's fields.

    :param vault: of a connection that names nothing there, none.
    :param on_secret: called with every value, and with what is left of it, before anything else is done.
    """

    def __init__(self, vault: KeyVault | None, *, on_secret: Callable[[str], None]) -> None:
        self._vault = vault
        self._on_secret = on_secret

    def read(self, name: str | None, field: str) -> VaultSecret:
        """What the field names, without white space around it.

        :raises VaultError: Key Vault refused, or does not hold it.
        :raises Unreachable: Key Vault could not be asked.
        """
        if self._vault is None or name is None:
            raise TypeError("a connection that names something in Key Vault needs a vault to read it from")
        found = self._vault.get_secret(name, field=field)
        # `az keyvault secret set --file` stores the file's last line end; no ID, no secret and no certificate
        # begins or ends with white space.
        value = found.value.strip()
        if value != found.value:
            self._on_secret(value)
        return replace(found, value=value)

    def note_certificate(self, found: VaultSecret, field: str, *, begins: datetime, ends: datetime) -> None:
        """Take note of the own dates of a certificate that was read."""
        if self._vault is not None:
            self._vault.validity.look_at(
                Validity(
                    kind="certificate",
                    name=found.name,
                    version=found.version,
                    field=field,
                    not_before=begins,
                    expires_on=ends,
                )
            )

    def close(self) -> None:
        """Close the connections to the vault; the next reading opens new ones."""
        if self._vault is not None:
            self._vault.close()


def is_pinned(name: str | None) -> bool:
    """Whether a name says its version, whose value never changes."""
    return name is not None and "/" in name


def useless(
    field: str,
    what: str,
    remedy: str = "Store the right value under that name, or name another secret there.",
) -> VaultError:
    """The error of a value that is not what the field promises; never repeats it."""
    return VaultError(
        f"What Key Vault holds under the name in the field {field!r} {what}", step="vault", remedy=remedy
    )
