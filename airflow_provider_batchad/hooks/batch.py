"""``AzureBatchAdHook``: an Airflow connection made into a Batch client that stays valid for days."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_batchad.access.declaration import declaration_of
from airflow_provider_batchad.connection_form import (
    CONNECTION_TYPE,
    CONNECTION_TYPE_NAME,
    DEFAULT_CONNECTION_ID,
)
from airflow_provider_batchad.jobs.rest import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from azure.batch import BatchClient

    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.tokens import TokenCallback
    from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, Several, Steps

T = TypeVar("T")


class AzureBatchAdHook(BaseHook):
    """Signs in to Azure Batch as the connection says, and talks to the Batch service.

    Source: `Batch service REST API <https://learn.microsoft.com/rest/api/batchservice/>`__.

    :param batchad_conn_id: id of an Airflow connection of type ``azure_batch_ad``.
    :param actions: the actions and data actions that the code needs which uses this hook, such as
        ``["jobs/read", "jobs/write"]``. Where the connection's ``least_privilege`` is ``enforce``, any other
        request is refused before it is sent; without ``actions``, jobs may be read, with a warning.
        An operator's own requests go by what the operator declares.
    :raises ValueError: one of ``actions`` is no action of the Batch service.
    """

    conn_name_attr = "batchad_conn_id"
    default_conn_name = DEFAULT_CONNECTION_ID
    conn_type = CONNECTION_TYPE
    hook_name = CONNECTION_TYPE_NAME

    def __init__(
        self, batchad_conn_id: str = default_conn_name, *, actions: Iterable[str] | None = None
    ) -> None:
        super().__init__()
        self._declaration = declaration_of(type(self).__name__, actions)
        self.batchad_conn_id = batchad_conn_id
        self._client: BatchClient | None = None
        self._impatient = False

    @cached_property
    def connection(self) -> BatchConnection:
        """The Airflow connection, parsed and checked, with the one that its vault is reached as.

        :raises ConnectionFieldError: names the field that is wrong.
        """
        return self._look_up()

    def _look_up(self) -> BatchConnection:
        from airflow_provider_batchad.hooks.resolve import resolve_connection
        from airflow_provider_batchad.hooks.vault_connection import with_vault_connection

        connection = resolve_connection(self.get_connection(self.batchad_conn_id))
        return with_vault_connection(connection, self.get_connection, resolve_connection)

    @cached_property
    def token_callback(self) -> TokenCallback:
        """What every request asks for its token."""
        from airflow_provider_batchad.hooks.masking import masker
        from airflow_provider_batchad.hooks.resolve import token_callback

        if self._impatient:
            return token_callback(self.connection, on_secret=masker(), retries=0, share=False)
        return token_callback(self.connection, on_secret=masker(), reload=self._look_up)

    def callback_for(self, scope: str) -> TokenCallback:
        """What requests to another service of the connection's cloud ask for their tokens.

        :param scope: of that service, such as the cloud's ``storage_scope``.
        """
        from airflow_provider_batchad.hooks.masking import masker
        from airflow_provider_batchad.hooks.resolve import token_callback

        return token_callback(self.connection, on_secret=masker(), reload=self._look_up, scope=scope)

    def get_conn(self) -> BatchClient:
        """azure-batch's client; each of its requests asks for a token that is valid then.

        :raises ConnectionFieldError: names the field that is wrong. Nothing is sent before a first request.
        """
        if self._client is None:
            from airflow_provider_batchad.hooks.clients import batch_client

            self._client = batch_client(
                self.connection,
                self.token_callback,
                declaration=self._declaration,
                impatient=self._impatient,
            )
        return self._client

    def send(self, request: BatchRequest) -> BatchResponse:
        """Send one request and return its answer.

        :raises BatchServiceError: the service's refusal, by kind.
        :raises SignInError: no token could be had.
        :raises Unreachable: nothing answered, or nothing that makes sense.
        """
        from azure.core.exceptions import AzureError

        from airflow_provider_batchad.hooks.answers import batch_response, http_request, translate

        bounded = request.max_bytes is not None
        try:
            response = self.get_conn().send_request(http_request(request), stream=bounded)
            with response:
                content = first_bytes(response, request.max_bytes)
                return batch_response(request, response.status_code, response.headers, content)
        except AzureError as error:
            raise translate(
                error, request, self.connection.account_url, self.principal
            ) from None  # the SDKs' own texts repeat what was sent or read

    def run(self, steps: Steps[T], pause: Callable[[float], object] = time.sleep) -> T:
        """Run steps of :mod:`~airflow_provider_batchad.jobs` to their end.

        :param pause: waits so many seconds between two requests; may raise to stop.
        """

        def send_several(several: Several) -> None:
            from airflow_provider_batchad.hooks.several import send_at_once

            self.get_conn()  # made once, before the threads share it
            send_at_once(several, self.send, pause)

        return run(steps, self.send, pause, send_several)

    @property
    def principal(self) -> str:
        """Who asks, for messages: the application, or the managed identity."""
        from airflow_provider_batchad.hooks.resolve import describe_principal

        return describe_principal(self.connection, self.token_callback)

    def test_connection(self) -> tuple[bool, str]:
        """What the connection can do, or what failed at which step and how to mend it.

        Reads at most one job and asks for the end of a job that does not exist: nothing is changed.
        """
        from airflow_provider_batchad.hooks.check import check_connection

        # The web page waits for the answer: nothing is asked twice, and nobody is waited for long.
        asking = AzureBatchAdHook(self.batchad_conn_id, actions=("jobs/read", "jobs/write"))
        asking._impatient = True
        return check_connection(asking)

    def close(self) -> None:
        """Close the client's connections; the next request opens them anew."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def first_bytes(response: Any, max_bytes: int | None) -> bytes:
    """What an answer begins with, as far as it is wanted.

    :param max_bytes: ``None`` for all of an answer that was not streamed.
    """
    if max_bytes is None:
        return bytes(response.content)
    content = bytearray()
    for block in response.iter_bytes():
        content += block
        if len(content) >= max_bytes:
            break
    return bytes(content[:max_bytes])
