"""The key vault of a connection, and who reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_batchad.connection import VaultSignIn
from airflow_provider_batchad.errors import ConnectionFieldError
from airflow_provider_batchad.identity.vault import KeyVault
from airflow_provider_batchad.identity.vault_connection import make_connection_credential
from airflow_provider_batchad.identity.vault_credential import VaultCredential, make_vault_credential

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.surroundings import Surroundings
    from airflow_provider_batchad.identity.unreachable import AnswerWatch
    from airflow_provider_batchad.identity.validity import ValidityWatch


def open_vault(
    connection: BatchConnection,
    *,
    on_secret: Callable[[str], None],
    retries: int,
    clock: Callable[[], float],
    surroundings: Surroundings,
    validity: ValidityWatch,
) -> KeyVault | None:
    """The connection's vault; none where it names none. Nobody is asked yet.

    :param validity: is told when what is read ends.
    :raises ConnectionFieldError: another connection is to reach it, and was not looked up.
    """
    if connection.vault_url is None:
        return None
    other = connection.vault_connection
    if connection.vault_sign_in is VaultSignIn.CONNECTION and other is None:
        raise ConnectionFieldError(
            "names a connection that was not looked up.",
            conn_id=connection.conn_id,
            field="extra.vault_conn_id",
            remedy="Use the hooks of this package: they look it up.",
        )

    def make_credential(watch: AnswerWatch) -> VaultCredential:
        if other is None:
            return make_vault_credential(connection, on_secret=on_secret, retries=retries, watch=watch)
        return make_connection_credential(
            other, on_secret=on_secret, retries=retries, clock=clock, surroundings=surroundings, watch=watch
        )

    return KeyVault(
        vault_url=connection.vault_url,
        credential_factory=make_credential,
        ca_file=connection.cloud.ca_file,
        verify_challenge_resource=connection.cloud.verify_challenge_resource,
        on_secret=on_secret,
        retries=retries,
        validity=validity,
    )
