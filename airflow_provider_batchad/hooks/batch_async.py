"""``AzureBatchAdAsyncHook``: the same for the triggerer's event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow_provider_batchad.access.declaration import declaration_of
from airflow_provider_batchad.hooks.batch import AzureBatchAdHook
from airflow_provider_batchad.jobs.rest import BatchRequest, Pause

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from azure.batch.aio import BatchClient

    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.hooks.shared import SharedClient
    from airflow_provider_batchad.jobs.rest import BatchResponse, Steps

T = TypeVar("T")


class AzureBatchAdAsyncHook:
    """Signs in to Azure Batch as the connection says, and talks to the Batch service, without blocking.

    All hooks of one event loop whose connections say the same share one client and one token callback; the
    last one to close closes it.

    Source: `Batch service REST API <https://learn.microsoft.com/rest/api/batchservice/>`__.

    :param batchad_conn_id: id of an Airflow connection of type ``azure_batch_ad``.
    :param actions: what the code needs which uses this hook, as for :class:`AzureBatchAdHook`.
    :raises ValueError: one of ``actions`` is no action of the Batch service.
    """

    def __init__(
        self,
        batchad_conn_id: str = AzureBatchAdHook.default_conn_name,
        *,
        actions: Iterable[str] | None = None,
    ) -> None:
        self._declaration = declaration_of(type(self).__name__, actions)
        self.batchad_conn_id = batchad_conn_id
        self._connection: BatchConnection | None = None
        self._borrowed: list[SharedClient] = []

    @classmethod
    def for_connection(cls, connection: BatchConnection) -> Self:
        """A hook for a connection that was looked up before, whatever Airflow has for its id by now."""
        hook = cls(connection.conn_id)
        hook._connection = connection
        return hook

    async def get_connection(self) -> BatchConnection:
        """The Airflow connection, parsed and checked, with the one that its vault is reached as.

        :raises ConnectionFieldError: names the field that is wrong.
        """
        if self._connection is None:
            from airflow_provider_batchad.hooks.shared_lookup import look_up_connection

            self._connection = await look_up_connection(self.batchad_conn_id)
        return self._connection

    async def get_conn(self) -> BatchClient:
        """azure-batch's async client; each of its requests asks for a token that is valid then.

        Others may use it too: close the hook and not the client.
        """
        return (await self.borrow()).client

    async def borrow(self) -> SharedClient:
        """The client that all such hooks share, and what they share besides; given back by closing."""
        if not self._borrowed:
            from airflow_provider_batchad.hooks.shared import borrow_client

            # Two who ask this hook at once borrow twice; closing gives all of it back.
            self._borrowed.append(await borrow_client(await self.get_connection(), self._declaration))
        return self._borrowed[0]

    async def send(self, request: BatchRequest) -> BatchResponse:
        """Send one request and return its answer.

        :raises BatchServiceError: the service's refusal, by kind.
        :raises SignInError: no token could be had.
        :raises Unreachable: nothing answered, or nothing that makes sense.
        """
        from azure.core.exceptions import AzureError

        from airflow_provider_batchad.hooks.answers import batch_response, http_request, translate
        from airflow_provider_batchad.hooks.resolve import describe_principal

        borrowed = await self.borrow()
        connection = await self.get_connection()
        bounded = request.max_bytes is not None
        try:
            response = await borrowed.client.send_request(http_request(request), stream=bounded)
            async with response:
                content = await _first_bytes(response, request.max_bytes)
                return batch_response(request, response.status_code, response.headers, content)
        except AzureError as error:
            principal = describe_principal(connection, borrowed.callback)
            raise translate(
                error, request, connection.account_url, principal
            ) from None  # the SDKs' own texts repeat what was sent or read

    async def run(self, steps: Steps[T], pause: Callable[[float], Awaitable[object]] = asyncio.sleep) -> T:
        """Run steps of :mod:`~airflow_provider_batchad.jobs` to their end.

        :param pause: waits so many seconds between two requests; may raise to stop.
        """
        answer: BatchResponse | None = None
        error: Exception | None = None
        while True:
            try:
                step = steps.throw(error) if error is not None else steps.send(answer)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            answer = error = None
            try:
                if isinstance(step, Pause):
                    await pause(step.seconds)
                elif isinstance(step, BatchRequest):
                    answer = await self.send(step)
                else:
                    from airflow_provider_batchad.hooks.several import send_at_once_on_loop

                    await send_at_once_on_loop(step, self.send)
            except Exception as exc:  # noqa: BLE001 - thrown back in: the steps decide what it means
                error = exc

    async def close(self) -> None:
        """Give the client back; the next request borrows it anew."""
        while self._borrowed:
            from airflow_provider_batchad.hooks.shared import give_back

            await give_back(self._borrowed.pop())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _first_bytes(response: Any, max_bytes: int | None) -> bytes:
    if max_bytes is None:
        return bytes(response.content)
    content = bytearray()
    async for block in response.iter_bytes():
        content += block
        if len(content) >= max_bytes:
            break
    return bytes(content[:max_bytes])
