"""The whole way from a connection to a token for Batch."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, assert_never

from airflow_provider_batchad.errors import CloudConfigurationError, CredentialRefused
from airflow_provider_batchad.identity.entra import EntraId
from airflow_provider_batchad.identity.managed_identity import MachineIdentity
from airflow_provider_batchad.identity.principal import (
    ClientSecret,
    ManagedIdentity,
    Principal,
    PrincipalReader,
)
from airflow_provider_batchad.identity.tokens import AccessToken, PrincipalFacts
from airflow_provider_batchad.identity.vault import KeyVault
from airflow_provider_batchad.identity.vault_credential import check_vault_sign_in, make_vault_credential

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_batchad.clouds import AzureCloud
    from airflow_provider_batchad.connection import BatchConnection

_log = logging.getLogger(__name__)


class BatchSignIn:
    """Finds the principal once, asks for tokens as it, and reads the secret again when it is refused.

    :raises ConnectionFieldError: this version does not support what the connection chooses.
    :raises CloudConfigurationError: the cloud's CA file is not there.
    """

    def __init__(
        self,
        connection: BatchConnection,
        *,
        on_secret: Callable[[str], None],
        retries: int,
        clock: Callable[[], float],
    ) -> None:
        _check_ca_file(connection.cloud)
        check_vault_sign_in(connection)
        self._connection = connection
        self._reader = PrincipalReader(
            connection,
            vault=_vault_of(connection, on_secret=on_secret, retries=retries, clock=clock),
            on_secret=on_secret,
        )
        self._entra = EntraId(connection.cloud, on_secret=on_secret, retries=retries, clock=clock)
        self._machine = MachineIdentity(connection.cloud, on_secret=on_secret, retries=retries)
        self._principal: Principal | None = None

    def facts(self) -> PrincipalFacts:
        """Who signs in, as far as it is known."""
        connection, principal = self._connection, self._principal
        tenant_id, client_id = connection.tenant_id, connection.client_id
        if isinstance(principal, ClientSecret):
            tenant_id, client_id = principal.tenant_id, principal.client_id
        elif connection.managed_identity_client_id is not None and client_id is None:
            client_id = connection.managed_identity_client_id
        return PrincipalFacts(sign_in=connection.sign_in.value, tenant_id=tenant_id, client_id=client_id)

    def request_token(self, claims: str | None = None) -> AccessToken:
        """One token for Batch, asked for anew.

        :raises SignInError: Key Vault, the machine or Entra ID refused.
        :raises Unreachable: one of them did not answer.
        """
        if self._principal is None:
            self._principal = self._reader.read()
        principal = self._principal
        scope = self._connection.cloud.batch_scope
        match principal:
            case ManagedIdentity():
                return self._machine.request_token(principal, scope, claims)
            case ClientSecret():
                return self._request_with_secret(principal, scope, claims)
            case _ as never:
                assert_never(never)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sign-in holds secrets and is not pickled: make it where it is needed")

    def _request_with_secret(self, principal: ClientSecret, scope: str, claims: str | None) -> AccessToken:
        try:
            return self._entra.request_token(principal, scope, claims)
        except CredentialRefused:
            # It may have been rotated since it was read: what the vault holds now gets one chance.
            self._principal = None
            now = self._reader.read_secret_again(principal)
            if now.version == principal.version:
                raise
            _log.info(
                "Entra ID refused version %s of the client secret; Key Vault holds version %s by now.",
                principal.version,
                now.version,
            )
        token = self._entra.request_token(now, scope, claims)
        self._principal = now
        return token


def _vault_of(
    connection: BatchConnection,
    *,
    on_secret: Callable[[str], None],
    retries: int,
    clock: Callable[[], float],
) -> KeyVault | None:
    if connection.vault_url is None:
        return None
    return KeyVault(
        vault_url=connection.vault_url,
        credential_factory=lambda watch: make_vault_credential(
            connection, on_secret=on_secret, retries=retries, watch=watch
        ),
        ca_file=connection.cloud.ca_file,
        verify_challenge_resource=connection.cloud.verify_challenge_resource,
        on_secret=on_secret,
        retries=retries,
        clock=clock,
    )


def _check_ca_file(cloud: AzureCloud) -> None:
    if cloud.ca_file is not None and not Path(cloud.ca_file).is_file():
        raise CloudConfigurationError(
            f"[batchad] clouds, cloud {cloud.name!r}: 'ca_file' is not a file on this machine.",
            cloud=cloud.name,
            key="ca_file",
            remedy="Put the certificates there, or correct the path; every worker and the triggerer need it.",
        )
