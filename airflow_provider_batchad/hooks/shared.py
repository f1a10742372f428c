"""One client for all who talk to the same account as the same principal in one event loop."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.batch.aio import BatchClient

    from airflow_provider_batchad.access.declaration import Declaration
    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.tokens import TokenCallback

    _Key = tuple[asyncio.AbstractEventLoop, BatchConnection, Declaration | None]

T = TypeVar("T")

_CLIENTS: Final = "airflow_provider_batchad.hooks.clients"
_SECONDS_TO_LOOK_UP: Final = 30.0
_shared: dict[_Key, SharedClient] = {}


@dataclass(slots=True, kw_only=True, eq=False)
class SharedClient:
    """A client, the callback that it asks for tokens, and how many use them.

    :param companions: what its users share besides it, such as a poll, by kind; forgotten with the client.
    """

    client: BatchClient
    callback: TokenCallback
    key: _Key
    users: int = 0
    companions: dict[type[Any], Any] = field(default_factory=dict)

    def companion(self, kind: type[T], make: Callable[[], T]) -> T:
        """The one of that kind; made for the first who asks."""
        found: T | None = self.companions.get(kind)
        if found is None:
            found = self.companions[kind] = make()
        return found


async def borrow_client(connection: BatchConnection, declaration: Declaration | None = None) -> SharedClient:
    """The client of this loop for what the connection resolves to; to be given back once.

    Connections that differ in nothing but their ids share one.

    :param declaration: what its users may ask for, where the context declares nothing.
    """
    if _CLIENTS not in sys.modules:
        # It takes most of a second, in which the loop would answer nobody.
        await asyncio.to_thread(__import__, _CLIENTS)
    for key in [key for key in _shared if key[0].is_closed()]:
        del _shared[key]
    key = (asyncio.get_running_loop(), replace(connection, conn_id=""), declaration)
    found = _shared.get(key)
    if found is None:
        found = _shared[key] = _make(connection, key)
    found.users += 1
    return found


async def give_back(borrowed: SharedClient) -> None:
    """Say that it is no longer used; the last one to do so closes it."""
    borrowed.users -= 1
    if borrowed.users:
        return
    if _shared.get(borrowed.key) is borrowed:
        del _shared[borrowed.key]
    # Whoever gives it back may be cancelled meanwhile; its connections are closed all the same.
    await asyncio.shield(asyncio.ensure_future(borrowed.client.close()))


def _make(connection: BatchConnection, key: _Key) -> SharedClient:
    from airflow_provider_batchad.hooks.clients import async_batch_client
    from airflow_provider_batchad.hooks.masking import masker_on_loop
    from airflow_provider_batchad.hooks.resolve import token_callback
    from airflow_provider_batchad.hooks.shared_lookup import look_up_again

    loop = key[0]

    def reload() -> BatchConnection:
        # Called in a thread beside the loop.
        again = asyncio.run_coroutine_threadsafe(look_up_again(connection.conn_id), loop)
        return again.result(timeout=_SECONDS_TO_LOOK_UP)

    callback = token_callback(connection, on_secret=masker_on_loop(loop), reload=reload)
    client = async_batch_client(connection, callback, declaration=key[2])
    return SharedClient(client=client, callback=callback, key=key)
