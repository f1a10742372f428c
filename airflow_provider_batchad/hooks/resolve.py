"""From Airflow's connection to the typed one, and from that to the callback that signs in."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, assert_never

from airflow_provider_batchad.connection import BatchConnection, SignIn
from airflow_provider_batchad.hooks.configuration import custom_clouds, shares_tokens, token_cache_dir
from airflow_provider_batchad.identity.patience import DEFAULT_RETRIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_batchad.identity.tokens import TokenCallback

_SDK_LOGGERS = ("azure", "msal")
# They write whole answers, tokens included, when they cannot parse them; what failed is in our own errors.
_LEAKING_LOGGERS = ("azure.identity", "msal")


def resolve_connection(airflow_connection: Any) -> BatchConnection:
    """Parse and check an Airflow connection of type ``azure_batch_ad``, and that one alone.

    :raises ConnectionFieldError: names the field that is wrong.
    :raises CloudConfigurationError: the Airflow configuration defines a cloud wrongly.
    """
    return BatchConnection.parse(
        conn_id=airflow_connection.conn_id,
        host=airflow_connection.host,
        login=airflow_connection.login,
        password=airflow_connection.password,
        extra=airflow_connection.extra,
        port=airflow_connection.port,
        schema=airflow_connection.schema,
        clouds=custom_clouds(),
    )


def token_callback(
    connection: BatchConnection,
    *,
    on_secret: Callable[[str], None],
    retries: int = DEFAULT_RETRIES,
    share: bool = True,
    reload: Callable[[], BatchConnection] | None = None,
    scope: str | None = None,
) -> TokenCallback:
    """What signs in as the connection says.

    :param on_secret: tells Airflow's masker of every secret and token that is read.
    :param retries: how often who does not answer is asked again.
    :param share: whether the machine's other processes may have got the token, as the configuration says; a
        test of the connection signs in by itself.
    :param reload: reads the connection again, where the credential is refused.
    :param scope: of another resource of the cloud, in place of Batch.
    """
    from airflow_provider_batchad.hooks.cipher import airflow_cipher
    from airflow_provider_batchad.hooks.metrics import report_days_left
    from airflow_provider_batchad.hooks.surroundings import find_surroundings
    from airflow_provider_batchad.identity.tokens import TokenCallback

    quieten_sdks()
    return TokenCallback.for_connection(
        connection,
        on_secret=on_secret,
        retries=retries,
        cipher=airflow_cipher() if share and shares_tokens() else None,
        cache_dir=token_cache_dir(),
        surroundings=find_surroundings(),
        reload=reload,
        on_validity=report_days_left(connection.conn_id),
        scope=scope,
    )


def quieten_sdks() -> None:
    """Let Microsoft's clients write warnings alone, and nothing that repeats an answer of Entra ID."""
    # They write a dozen lines at INFO for each request, which would bury the task's own log. Whoever gave
    # these loggers a level (``[logging] namespace_levels``) keeps it.
    for name in _SDK_LOGGERS:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)
    for name in _LEAKING_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
        # Those below it that were given a level of their own would still write.
        below = [found for found in tuple(logging.root.manager.loggerDict) if found.startswith(f"{name}.")]
        for child in below:
            logging.getLogger(child).setLevel(logging.CRITICAL)


def describe_principal(connection: BatchConnection, callback: TokenCallback | None) -> str:
    """Who asks Batch, for messages; ids are no secrets."""
    client_id = (callback.principal.client_id if callback else None) or connection.client_id
    match connection.sign_in:
        case SignIn.SERVICE_PRINCIPAL:
            return f"application {client_id}" if client_id else "the application"
        case SignIn.MANAGED_IDENTITY:
            own = connection.managed_identity_client_id
            return f"managed identity {own}" if own else "the system-assigned managed identity"
        case SignIn.WORKLOAD_IDENTITY:
            return f"workload identity {client_id}" if client_id else "the workload identity"
        case SignIn.INTEGRATED:
            return "the person who signed in"
    assert_never(connection.sign_in)
