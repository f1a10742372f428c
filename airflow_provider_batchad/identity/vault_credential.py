"""As whom Key Vault is read: the azure-identity credential that the connection chooses."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NoReturn, assert_never

from airflow_provider_batchad.connection_form import VaultSignIn
from airflow_provider_batchad.errors import VaultError
from airflow_provider_batchad.identity.transports import bounded_transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
    from azure.identity import DefaultAzureCredential

    from airflow_provider_batchad.clouds import AzureCloud
    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.unreachable import AnswerWatch

AZURE_CLI_SECONDS = 10

# azure-core's own are 300 s each.
_TIMEOUTS: Final = {"connection_timeout": 10, "read_timeout": 30}


def make_vault_credential(
    connection: BatchConnection, *, on_secret: Callable[[str], None], retries: int, watch: AnswerWatch
) -> VaultCredential:
    """The credential to read the connection's vault with; none of the kinds ever opens a browser.

    :param retries: how often the endpoint that gives the tokens is asked again.
    :param watch: sees whether it answered.
    :raises ValueError: azure-identity misses what the environment should say.
    """
    from azure.identity import (
        AzureCliCredential,
        EnvironmentCredential,
        ManagedIdentityCredential,
        WorkloadIdentityCredential,
    )

    settings = credential_settings(connection.cloud, retries, watch)
    identity_id = connection.managed_identity_client_id
    credential: Any
    match connection.vault_sign_in:
        case VaultSignIn.MANAGED_IDENTITY:
            credential = ManagedIdentityCredential(client_id=identity_id, **settings)
        case VaultSignIn.WORKLOAD_IDENTITY:
            credential = WorkloadIdentityCredential(authority=connection.cloud.authority, **settings)
        case VaultSignIn.ENVIRONMENT:
            credential = EnvironmentCredential(authority=connection.cloud.authority, **settings)
        case VaultSignIn.AZURE_CLI:
            credential = AzureCliCredential(process_timeout=AZURE_CLI_SECONDS)
        case VaultSignIn.DEFAULT:
            credential = make_default_credential(
                connection.cloud, managed_identity_client_id=identity_id, retries=retries, watch=watch
            )
        case VaultSignIn.CONNECTION:
            raise TypeError("another connection signs in by make_connection_credential")
        case _ as never:
            assert_never(never)
    return VaultCredential(credential, resource=connection.cloud.vault_resource, on_secret=on_secret)


def make_default_credential(
    cloud: AzureCloud,
    *,
    managed_identity_client_id: str | None,
    workload_identity_tenant_id: str | None = None,
    retries: int,
    watch: AnswerWatch,
) -> DefaultAzureCredential:
    """azure-identity's default chain, less whatever would open a browser.

    :param workload_identity_tenant_id: in place of the one that the environment names.
    :raises ValueError: ``AZURE_TOKEN_CREDENTIALS`` leaves nothing of the chain.
    """
    from azure.identity import DefaultAzureCredential

    tenant: dict[str, Any] = {}
    if workload_identity_tenant_id is not None:
        tenant["workload_identity_tenant_id"] = workload_identity_tenant_id
        tenant["additionally_allowed_tenants"] = [workload_identity_tenant_id]
    return DefaultAzureCredential(
        authority=cloud.authority,
        **tenant,
        managed_identity_client_id=managed_identity_client_id or os.environ.get("AZURE_CLIENT_ID"),
        # AZURE_TOKEN_CREDENTIALS may ask for these two: only a word against them here keeps them out.
        exclude_interactive_browser_credential=True,
        exclude_broker_credential=True,
        **credential_settings(cloud, retries, watch),
    )


def credential_settings(cloud: AzureCloud, retries: int, watch: AnswerWatch) -> dict[str, Any]:
    """What every credential of azure-identity is given for a cloud."""
    verify = {"connection_verify": cloud.ca_file} if cloud.ca_file is not None else {}
    settings: dict[str, Any] = {
        "retry_total": retries,
        "transport": bounded_transport(**_TIMEOUTS, **verify),
        **watch.hooks(),
    }
    if cloud.custom:
        # It asks login.microsoftonline.com whether it knows the authority, which it cannot.
        settings["disable_instance_discovery"] = True
    return settings


class VaultCredential:
    """Gives tokens for Key Vault and for nothing else, each registered as a secret before it is used.

    The vault itself says for which resource it wants a token; in a custom cloud its client cannot check that
    against the vault's host, and a false vault could ask for one that opens something else.
    """

    def __init__(self, credential: Any, *, resource: str, on_secret: Callable[[str], None]) -> None:
        self._credential = credential
        self._resource = resource.rstrip("/")
        self._on_secret = on_secret

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        self._check(scopes)
        token: AccessToken = self._credential.get_token(*scopes, **options)
        self._on_secret(token.token)
        return token

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        self._check(scopes)
        token: AccessTokenInfo = self._credential.get_token_info(*scopes, options=options)
        self._on_secret(token.token)
        return token

    def close(self) -> None:
        """Close the connections of the credential's client; the Azure CLI's has none."""
        close = getattr(self._credential, "close", None)
        if close is not None:
            close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a credential is not pickled: make it where it is needed")

    def _check(self, scopes: tuple[str, ...]) -> None:
        if [scope.removesuffix("/.default").rstrip("/") for scope in scopes] != [self._resource]:
            raise VaultError(
                "The vault asked for a token for another resource than Key Vault's.",
                step="vault",
                remedy="Check the vault's URL; for a cloud of your own, its 'vault_resource' as well.",
            )
