"""azure-batch's clients, sync and async, with our policies in their pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import azure.batch
import azure.batch.aio
from azure.core.pipeline.policies import AsyncRetryPolicy, RetryPolicy, SansIOHTTPPolicy

from airflow_provider_batchad.access.declaration import current_declaration
from airflow_provider_batchad.access.guard import Guard
from airflow_provider_batchad.connection_form import LeastPrivilege
from airflow_provider_batchad.identity.credential import (
    AsyncCallbackCredential,
    AsyncTokenPolicy,
    CallbackCredential,
    TokenPolicy,
)
from airflow_provider_batchad.identity.proxies import usable_proxy
from airflow_provider_batchad.identity.transports import plain_transport

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest, PipelineResponse

    from airflow_provider_batchad.access.declaration import Declaration
    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.tokens import TokenCallback

# azure-core's own is 300 s: a worker would hang for half an hour on a host that does not answer.
_PATIENT: dict[str, Any] = {"connection_timeout": 20, "read_timeout": 120}
_IMPATIENT: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 10}
_TRANSPORTS = ("connection_timeout", "read_timeout", "connection_verify")

# azure-core's own are ten tries of up to two minutes.
_RETRIES: dict[str, Any] = {"retry_total": 5, "retry_backoff_factor": 0.8, "retry_backoff_max": 30}
_NO_RETRIES: dict[str, Any] = {"retry_total": 0}
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_LONGEST_SLEEP_SECONDS = 30.0


class _ShortRetries:
    """Leaves long waits to the caller: azure-core sleeps out any ``Retry-After``, and after any error."""

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        """The seconds that the answer asks for; ``None`` for nonsense, which azure-core would raise."""
        try:
            seconds: float | None = super().get_retry_after(response)  # type: ignore[misc]
        except ValueError:
            return None
        return seconds

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Whether this answer is asked for again."""
        wait = self.get_retry_after(response)
        if response.http_response.status_code not in _TRANSIENT or (wait or 0.0) > _LONGEST_SLEEP_SECONDS:
            return False
        return bool(super().is_retry(settings, response))  # type: ignore[misc]


class ShortRetryPolicy(_ShortRetries, RetryPolicy[Any, Any]):
    """azure-core's retries, without its long sleeps."""


class AsyncShortRetryPolicy(_ShortRetries, AsyncRetryPolicy[Any, Any]):
    """The same for an asynchronous client."""


class ReadErrorBody(SansIOHTTPPolicy[Any, Any]):
    """Reads the body of an error that answers a streamed request, before azure-batch parses it."""

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> Any:
        """Read it; an awaitable in an async pipeline, which azure-core awaits."""
        if response.http_response.status_code >= 400 and request.context.options.get("stream"):
            return response.http_response.read()
        return None


def batch_client(
    connection: BatchConnection,
    callback: TokenCallback,
    *,
    declaration: Declaration | None = None,
    impatient: bool = False,
) -> azure.batch.BatchClient:
    """The sync client of the connection's account.

    :param declaration: what its one user may ask for, where the context declares nothing; unless given, what
        is declared here. So do the threads of azure-batch's own pollers, which inherit no context, ask for
        no more than the operator that made the client.
    :param impatient: asks once, and gives up within seconds.
    :raises ProxyConfigurationError: the environment's proxy cannot be used.
    """
    usable_proxy(connection.account_url)
    own = declaration or current_declaration()
    options = {**_options(connection, own), **(_IMPATIENT if impatient else _PATIENT)}
    return azure.batch.BatchClient(
        connection.account_url,
        CallbackCredential(callback),
        authentication_policy=TokenPolicy(callback, connection.account_url),
        retry_policy=ShortRetryPolicy(**(_NO_RETRIES if impatient else _RETRIES)),
        transport=plain_transport(**{name: options.pop(name) for name in _TRANSPORTS if name in options}),
        **options,
    )


def async_batch_client(
    connection: BatchConnection, callback: TokenCallback, *, declaration: Declaration | None = None
) -> azure.batch.aio.BatchClient:
    """The async client of the connection's account.

    :param declaration: what all of its users may ask for, where the context declares nothing.
    :raises ProxyConfigurationError: the environment's proxy cannot be used.
    """
    proxy = usable_proxy(connection.account_url, asynchronous=True)
    return azure.batch.aio.BatchClient(
        connection.account_url,
        AsyncCallbackCredential(callback),
        authentication_policy=AsyncTokenPolicy(callback, connection.account_url),
        retry_policy=AsyncShortRetryPolicy(**_RETRIES),
        # Left to read the environment, aiohttp puts a password of ~/.netrc beside the token, reads ALL_PROXY
        # not at all, and takes two of the loop's threads for each request to do so.
        use_env_settings=False,
        proxies={"https": proxy} if proxy else None,
        **_options(connection, declaration),
        **_PATIENT,
    )


def _options(connection: BatchConnection, declaration: Declaration | None) -> dict[str, Any]:
    ca_file = connection.cloud.ca_file
    mode = connection.least_privilege
    guard = Guard(enforce=mode is LeastPrivilege.ENFORCE, own=declaration)
    return {
        "per_call_policies": [] if mode is LeastPrivilege.OFF else [guard],
        # A redirect would take the request to a host that the connection does not name.
        "permit_redirects": False,
        "custom_hook_policy": ReadErrorBody(),
        **({"connection_verify": ca_file} if ca_file else {}),
    }
