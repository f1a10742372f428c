"""Key Vault: reads a secret, with its version and what it says about its own validity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from airflow_provider_batchad.errors import BatchAdError
from airflow_provider_batchad.identity.proxies import usable_proxy
from airflow_provider_batchad.identity.transports import bounded_transport
from airflow_provider_batchad.identity.unreachable import AnswerWatch
from airflow_provider_batchad.identity.validity import Validity, ValidityWatch
from airflow_provider_batchad.identity.vault_errors import explain_vault_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from azure.core.credentials import TokenCredential
    from azure.keyvault.secrets import KeyVaultSecret, SecretClient

_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class VaultSecret:
    """One version of a secret."""

    name: str
    version: str
    value: str = field(repr=False)
    expires_on: datetime | None
    not_before: datetime | None
    content_type: str | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: read it where it is needed")


class KeyVault:
    """Reads secrets by Get Secret (``GET {vault}/secrets/{name}/{version}``), the one right that it needs.

    :param credential_factory: makes the credential when the vault is first asked; closed with the vault.
    :param ca_file: certificates to trust instead of the machine's own.
    :param verify_challenge_resource: whether the vault's host must lie below the host of its resource.
    :param on_secret: called with every value before anything else happens to it.
    :param retries: how often the vault is asked again when it does not answer.
    :param validity: is told when each secret ends.
    """

    def __init__(
        self,
        *,
        vault_url: str,
        credential_factory: Callable[[AnswerWatch], TokenCredential],
        ca_file: str | None,
        verify_challenge_resource: bool,
        on_secret: Callable[[str], None],
        retries: int,
        validity: ValidityWatch,
    ) -> None:
        self._vault_url = vault_url
        self._credential_factory = credential_factory
        self._ca_file = ca_file
        self._verify_challenge_resource = verify_challenge_resource
        self._on_secret = on_secret
        self._retries = retries
        self.validity = validity
        self._credential: TokenCredential | None = None
        self._client: SecretClient | None = None
        self._sign_in_watch = AnswerWatch()
        self._vault_watch = AnswerWatch()

    def get_secret(self, name: str, *, field: str = "extra.vault_credential_name") -> VaultSecret:
        """One secret.

        :param name: ``name`` for the current version, or ``name/version``.
        :param field: the connection's field that holds the name, for messages.
        :raises VaultError: Key Vault refused, or does not hold it, or nobody could be signed in to it.
        :raises Unreachable: Key Vault, or what signs in to it, did not answer.
        :raises ProxyConfigurationError: the environment's proxy cannot be used.
        """
        usable_proxy(self._vault_url)
        wanted, _, version = name.partition("/")
        self._sign_in_watch.forget()
        self._vault_watch.forget()
        try:
            secret = self._read(self._open().get_secret(wanted, version or None))
        except BatchAdError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told in our own words
            raise self._sign_in_watch.refused or explain_vault_error(
                error,
                vault_url=self._vault_url,
                field=field,
                sign_in=self._sign_in_watch,
                vault=self._vault_watch,
            ) from None  # the SDKs' own texts repeat what was sent or read
        self.validity.look_at(
            Validity(
                kind="secret",
                name=secret.name,
                version=secret.version,
                field=field,
                not_before=secret.not_before,
                expires_on=secret.expires_on,
            )
        )
        return secret

    def close(self) -> None:
        """Close the connections; the next secret opens new ones."""
        client, self._client = self._client, None
        credential, self._credential = self._credential, None
        if client is not None:
            client.close()
        if credential is not None:
            credential.close()  # type: ignore[attr-defined]  # azure-core's protocol does not name it

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key vault's client is not pickled: make it where it is needed")

    def _open(self) -> SecretClient:
        if self._client is None:
            from azure.keyvault.secrets import SecretClient

            self._credential = self._credential_factory(self._sign_in_watch)
            options = {"connection_verify": self._ca_file} if self._ca_file is not None else {}
            self._client = SecretClient(
                self._vault_url,
                self._credential,
                verify_challenge_resource=self._verify_challenge_resource,
                retry_total=self._retries,
                transport=bounded_transport(
                    connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, **options
                ),
                # What answers elsewhere is not this vault, whatever it says.
                permit_redirects=False,
                **self._vault_watch.hooks(),
            )
        return self._client

    def _read(self, found: KeyVaultSecret) -> VaultSecret:
        value = found.value
        if not isinstance(value, str):
            raise TypeError("the answer holds no text as the secret's value")
        self._on_secret(value)
        properties = found.properties
        return VaultSecret(
            name=properties.name or "",
            version=properties.version or "",
            value=value,
            expires_on=properties.expires_on,
            not_before=properties.not_before,
            content_type=properties.content_type,
        )
