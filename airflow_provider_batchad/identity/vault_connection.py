"""Key Vault reached as another Airflow connection: that connection's principal, with tokens for the vault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_batchad.azure_connection import AzureConnection
from airflow_provider_batchad.errors import BatchAdError, Unreachable, VaultError
from airflow_provider_batchad.identity.entra import EntraId
from airflow_provider_batchad.identity.principal import ClientSecret
from airflow_provider_batchad.identity.vault_credential import VaultCredential, make_default_credential

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.surroundings import Surroundings
    from airflow_provider_batchad.identity.tokens import AccessToken as OwnToken
    from airflow_provider_batchad.identity.unreachable import AnswerWatch


def make_connection_credential(
    other: BatchConnection | AzureConnection,
    *,
    on_secret: Callable[[str], None],
    retries: int,
    clock: Callable[[], float],
    surroundings: Surroundings,
    watch: AnswerWatch,
) -> VaultCredential:
    """The credential to read a vault with as another connection.

    :param other: of this package's type or of Airflow's own type ``azure``; of the vault's cloud.
    :param watch: sees whether the endpoint that gives the tokens answered.
    :raises ConnectionFieldError: that connection cannot sign in here.
    """
    cloud = other.cloud
    credential: Any
    if not isinstance(other, AzureConnection):
        # That module opens vaults by this one.
        from airflow_provider_batchad.identity.sign_in import BatchSignIn

        sign_in = BatchSignIn(
            other,
            on_secret=on_secret,
            retries=retries,
            clock=clock,
            surroundings=surroundings,
            scope=cloud.vault_scope,
        )
        credential = ConnectionCredential(sign_in.request_token, conn_id=other.conn_id)
    elif other.client_secret is not None:
        on_secret(other.client_secret)
        application = ClientSecret(
            tenant_id=other.tenant_id or "",
            client_id=other.client_id or "",
            secret=other.client_secret,
            tenant_field="extra.tenantId",
        )
        entra = EntraId(cloud, on_secret=on_secret, retries=retries, clock=clock)
        credential = ConnectionCredential(
            lambda claims: entra.request_token(application, cloud.vault_scope, claims), conn_id=other.conn_id
        )
    else:
        credential = make_default_credential(
            cloud,
            managed_identity_client_id=other.managed_identity_client_id,
            workload_identity_tenant_id=other.workload_identity_tenant_id,
            retries=retries,
            watch=watch,
        )
    return VaultCredential(credential, resource=cloud.vault_resource, on_secret=on_secret)


class ConnectionCredential:
    """A sign-in as azure-core's ``TokenCredential``.

    :param request: asks for a token for Key Vault, with the claims of a challenge where there is one.
    :param conn_id: of the connection that signs in, for messages.
    """

    def __init__(self, request: Callable[[str | None], OwnToken], *, conn_id: str) -> None:
        self._request = request
        self._conn_id = conn_id

    def get_token(self, *_scopes: str, claims: str | None = None, **_options: Any) -> AccessToken:
        from azure.core.credentials import AccessToken

        token = self._ask(claims)
        return AccessToken(token.token, int(token.expires_on))

    def get_token_info(self, *_scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        from azure.core.credentials import AccessTokenInfo

        token = self._ask((options or {}).get("claims"))
        return AccessTokenInfo(token.token, int(token.expires_on))

    def close(self) -> None:
        """Nothing is open."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("a credential is not pickled: make it where it is needed")

    def _ask(self, claims: str | None) -> OwnToken:
        """The token.

        :raises VaultError: that connection's sign-in was refused; a refusal of its credential says nothing
            about the credential that is to be read.
        :raises Unreachable: somebody did not answer.
        """
        said = f"Connection {self._conn_id!r}, which the field 'extra.vault_conn_id' names, reads no vault"
        try:
            return self._request(claims)
        except Unreachable as error:
            raise Unreachable(
                f"{said}: {error.message}",
                step="vault",
                retry_after_seconds=error.retry_after_seconds,
                remedy=error.remedy,
            ) from None
        except BatchAdError as error:
            raise VaultError(
                f"{said}: {error.message}",
                step="vault",
                code=getattr(error, "code", None),
                remedy=error.remedy,
            ) from None
