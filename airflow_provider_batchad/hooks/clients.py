"""azure-batch's clients, sync and async, with our policies in their pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import azure.batch
import azure.batch.aio
from azure.core.pipeline.policies import SansIOHTTPPolicy

from airflow_provider_batchad.identity.credential import (
    AsyncCallbackCredential,
    AsyncTokenPolicy,
    CallbackCredential,
    TokenPolicy,
)

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest, PipelineResponse

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
    # A redirect would take the request to a host that the connection does not name.
    "permit_redirects": False,
}


class ReadErrorBody(SansIOHTTPPolicy[Any, Any]):
    """Reads the body of an error that answers a streamed request, before azure-batch parses it."""

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> Any:
        """Read it; an awaitable in an async pipeline, which azure-core awaits."""
        if response.http_response.status_code >= 400 and request.context.options.get("stream"):
            return response.http_response.read()
        return None


def batch_client(connection: BatchConnection, callback: TokenCallback) -> azure.batch.BatchClient:
    """The sync client of the connection's account."""
    return azure.batch.BatchClient(
        connection.account_url,
        CallbackCredential(callback),
        authentication_policy=TokenPolicy(callback, connection.account_url),
        **_options(connection),
    )


def async_batch_client(connection: BatchConnection, callback: TokenCallback) -> azure.batch.aio.BatchClient:
    """The async client of the connection's account."""
    return azure.batch.aio.BatchClient(
        connection.account_url,
        AsyncCallbackCredential(callback),
        authentication_policy=AsyncTokenPolicy(callback, connection.account_url),
        **_options(connection),
    )


def _options(connection: BatchConnection) -> dict[str, Any]:
    ca_file = connection.cloud.ca_file
    return {
        **_OPTIONS,
        "custom_hook_policy": ReadErrorBody(),
        **({"connection_verify": ca_file} if ca_file else {}),
    }
