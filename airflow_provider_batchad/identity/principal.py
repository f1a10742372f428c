"""From a connection to what signs in: read from the form and from Key Vault."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_batchad.connection import SignIn, is_guid, is_tenant_id
from airflow_provider_batchad.errors import ConnectionFieldError, VaultError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.vault import KeyVault


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """An application with a client secret.

    :param version: of the secret in Key Vault; nothing where it stands in the connection.
    :param tenant_field: the connection's field that says the tenant, or names it in Key Vault; the other two
        likewise, for messages.
    """

    tenant_id: str
    client_id: str
    secret: str = field(repr=False)
    version: str | None = None
    tenant_field: str = "extra.tenant_id"
    client_field: str = "login"
    secret_field: str = "password"  # noqa: S105  # the name of a field

    def __reduce__(self) -> NoReturn:
        raise TypeError("a principal with its secret is not pickled: read it where it is needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedIdentity:
    """The identity of the machine.

    :param client_id: of a user-assigned one; nothing for the system-assigned one.
    """

    client_id: str | None


Principal = ClientSecret | ManagedIdentity


class PrincipalReader:
    """Finds out what signs in; asks Key Vault for what the connection only names.

    :raises ConnectionFieldError: this version does not support what the connection chooses.
    """

    def __init__(
        self, connection: BatchConnection, *, vault: KeyVault | None, on_secret: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._vault = vault
        self._on_secret = on_secret
        self._refuse_unsupported()

    def read(self) -> Principal:
        """The principal; up to three secrets of the vault are read for it.

        :raises VaultError: Key Vault refused, or does not hold, what the connection names.
        :raises Unreachable: Key Vault could not be asked.
        """
        connection = self._connection
        if connection.sign_in is SignIn.MANAGED_IDENTITY:
            return ManagedIdentity(client_id=connection.managed_identity_client_id)
        try:
            tenant_id, tenant_field = self._tenant_id()
            client_id, client_field = self._client_id()
            secret, version, secret_field = self._secret()
        finally:
            if self._vault is not None:
                self._vault.close()
        return ClientSecret(
            tenant_id=tenant_id,
            client_id=client_id,
            secret=secret,
            version=version,
            tenant_field=tenant_field,
            client_field=client_field,
            secret_field=secret_field,
        )

    def read_secret_again(self, principal: ClientSecret) -> ClientSecret:
        """The same principal with the secret that Key Vault holds now."""
        if principal.version is None:
            return principal
        try:
            secret, version, _ = self._secret()
        finally:
            if self._vault is not None:
                self._vault.close()
        return replace(principal, secret=secret, version=version)

    def _tenant_id(self) -> tuple[str, str]:
        field_name = "extra.vault_tenant_id_name"
        name = self._connection.vault_tenant_id_name
        if name is None:
            return self._connection.tenant_id or "", "extra.tenant_id"
        value = self._read(name, field_name)[0]
        if not is_tenant_id(value):
            raise self._useless(field_name, "a tenant's ID or verified domain")
        return value, field_name

    def _client_id(self) -> tuple[str, str]:
        field_name = "extra.vault_client_id_name"
        name = self._connection.vault_client_id_name
        if name is None:
            return self._connection.client_id or "", "login"
        value = self._read(name, field_name)[0]
        if not is_guid(value):
            raise self._useless(field_name, "an application's (client) ID, which is a GUID")
        return value, field_name

    def _secret(self) -> tuple[str, str | None, str]:
        secret = self._connection.client_secret
        if secret is not None:
            self._on_secret(secret)
            return secret, None, "password"
        field_name = "extra.vault_credential_name"
        value, version = self._read(self._connection.vault_credential_name or "", field_name)
        if not value:
            raise self._useless(field_name, "a client secret")
        return value, version, field_name

    def _read(self, name: str, field_name: str) -> tuple[str, str]:
        if self._vault is None:
            raise TypeError("a connection that names something in Key Vault needs a vault to read it from")
        found = self._vault.get_secret(name, field=field_name)
        # `az keyvault secret set --file` stores the file's last line end; no ID and no secret of Entra ID
        # holds white space.
        value = found.value.strip()
        if value != found.value:
            self._on_secret(value)
        return value, found.version

    def _useless(self, field_name: str, wanted: str) -> VaultError:
        return VaultError(
            f"What Key Vault holds under the name in the field {field_name!r} is not {wanted}.",
            step="vault",
            remedy="Store the right value under that name, or name another secret in that field.",
        )

    def _refuse_unsupported(self) -> None:
        connection = self._connection
        if connection.sign_in in (SignIn.WORKLOAD_IDENTITY, SignIn.INTEGRATED):
            raise ConnectionFieldError(
                f"this version does not sign in to Batch as {connection.sign_in.value!r}.",
                conn_id=connection.conn_id,
                field="extra.sign_in",
                remedy="Choose 'service_principal' or 'managed_identity'.",
            )
        if connection.vault_certificate_name is not None:
            raise ConnectionFieldError(
                "this version does not sign in with a certificate.",
                conn_id=connection.conn_id,
                field="extra.vault_certificate_name",
                remedy="Name a client secret in 'vault_credential_name'.",
            )
