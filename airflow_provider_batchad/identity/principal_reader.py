"""From a connection to what signs in: read from the form, from Key Vault and from the machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from airflow_provider_batchad.connection import SignIn
from airflow_provider_batchad.identity.named_secrets import NamedSecrets, is_pinned
from airflow_provider_batchad.identity.principal import (
    ClientCertificate,
    ClientSecret,
    FederatedToken,
    ManagedIdentity,
    Person,
    Principal,
)
from airflow_provider_batchad.identity.principal_ids import read_ids
from airflow_provider_batchad.identity.proofs import (
    CERTIFICATE_FIELD,
    SECRET_FIELD,
    TOKEN_FILE_FIELD,
    Proofs,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.surroundings import Surroundings
    from airflow_provider_batchad.identity.vault import KeyVault


class PrincipalReader:
    """Finds out what signs in; asks Key Vault for what the connection only names."""

    def __init__(
        self,
        connection: BatchConnection,
        *,
        vault: KeyVault | None,
        surroundings: Surroundings,
        on_secret: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._vault = NamedSecrets(vault, on_secret=on_secret)
        self._proofs = Proofs(connection, self._vault, surroundings=surroundings, on_secret=on_secret)

    def read(self) -> Principal:
        """The principal; up to three secrets of the vault are read for it.

        :raises ConnectionFieldError: the connection leaves to the environment what that does not say.
        :raises SignInError: the federated token's file is of no use.
        :raises VaultError: Key Vault refused, or does not hold, what the connection names.
        :raises Unreachable: Key Vault could not be asked.
        """
        try:
            return self._read()
        finally:
            self._vault.close()

    def read_again(self, principal: Principal) -> Principal:
        """The same principal with the proof that its place holds now.

        What stands in the connection, and a pinned version in Key Vault, stay what they are: nobody is asked.

        :raises: as :meth:`read`.
        """
        try:
            return self._read_again(principal)
        finally:
            self._vault.close()

    def _read(self) -> Principal:
        connection, proofs = self._connection, self._proofs
        if connection.sign_in is SignIn.MANAGED_IDENTITY:
            return ManagedIdentity(client_id=connection.managed_identity_client_id)
        ids = read_ids(connection, self._vault)
        match connection.sign_in:
            case SignIn.INTEGRATED:
                return Person(**ids)
            case SignIn.WORKLOAD_IDENTITY:
                token, digest = proofs.assertion()
                field = TOKEN_FILE_FIELD if connection.federated_file else "extra.sign_in"
                return FederatedToken(**ids, assertion=token, version=digest, credential_field=field)
            case SignIn.SERVICE_PRINCIPAL if connection.vault_certificate_name is not None:
                certificate, version = proofs.certificate()
                return ClientCertificate(
                    **ids, certificate=certificate, version=version, credential_field=CERTIFICATE_FIELD
                )
            case SignIn.SERVICE_PRINCIPAL:
                secret, secret_version = proofs.secret()
                field = SECRET_FIELD if connection.client_secret is None else "password"
                return ClientSecret(**ids, secret=secret, version=secret_version, credential_field=field)
            case _ as never:
                assert_never(never)

    def _read_again(self, principal: Principal) -> Principal:
        match principal:
            case FederatedToken():
                token, digest = self._proofs.assertion()
                return replace(principal, assertion=token, version=digest)
            case ClientCertificate() if not is_pinned(self._connection.vault_certificate_name):
                certificate, version = self._proofs.certificate()
                return replace(principal, certificate=certificate, version=version)
            case ClientSecret(version=str()) if not is_pinned(self._connection.vault_credential_name):
                secret, secret_version = self._proofs.secret()
                return replace(principal, secret=secret, version=secret_version)
        return principal
