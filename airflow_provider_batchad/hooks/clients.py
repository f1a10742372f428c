"""azure-batch's clients, sync and async, with our authentication policy in their pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import azure.batch
    import azure.batch.aio

    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.tokens import TokenCallback

# azure-core's own are ten tries of up to two minutes, and 300 s for a connection: a worker would hang for
# half an hour on a host that does not answer.
_OPTIONS: dict[str, Any] = {
    "retry_total": 5,
    "retry_backoff_factor": 0.8,
    "retry_backoff_max": 30,
    "connection_timeout": 20,
    "read_timeout": 120,
}


def batch_client(connection: BatchConnection, callback: TokenCallback) -> azure.batch.BatchClient:
    """The sync client of the connection's account."""
    from azure.batch import BatchClient

    from airflow_provider_batchad.identity.credential import CallbackCredential, TokenPolicy

    return BatchClient(
        connection.account_url,
        CallbackCredential(callback),
        authentication_policy=TokenPolicy(callback, connection.account_url),
        **_options(connection),
    )


def async_batch_client(connection: BatchConnection, callback: TokenCallback) -> azure.batch.aio.BatchClient:
    """The async client of the connection's account."""
    from azure.batch.aio import BatchClient

    from airflow_provider_batchad.identity.credential import AsyncCallbackCredential, AsyncTokenPolicy

    return BatchClient(
        connection.account_url,
        AsyncCallbackCredential(callback),
        authentication_policy=AsyncTokenPolicy(callback, connection.account_url),
        **_options(connection),
    )


def _options(connection: BatchConnection) -> dict[str, Any]:
    ca_file = connection.cloud.ca_file
    # Our steps follow pages themselves; a redirect would take the token with it.
    return {**_OPTIONS, "permit_redirects": False, **({"connection_verify": ca_file} if ca_file else {})}
