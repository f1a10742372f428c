"""One look-up of an Airflow connection for all who want it in one event loop at about the same time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection

    _Key = tuple[asyncio.AbstractEventLoop, str]

_FRESH_SECONDS: Final = 10.0
_lookups: dict[_Key, _LookUp] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _LookUp:
    task: asyncio.Task[BatchConnection]
    stale_at: float


async def look_up_connection(conn_id: str) -> BatchConnection:
    """The Airflow connection, parsed and checked, with the one that its vault is reached as.

    What was found is good for ten seconds: hundreds of triggers that start at once put one question to
    Airflow's supervisor, which answers one after the other, and reads nothing while an answer finds no room.

    :raises ConnectionFieldError: names the field that is wrong.
    """
    loop = asyncio.get_running_loop()
    now = loop.time()
    for key in [key for key, found in _lookups.items() if key[0].is_closed() or _is_over(key, found)]:
        del _lookups[key]
    found = _lookups.get((loop, conn_id))
    if found is None:
        task = loop.create_task(look_up_again(conn_id))
        task.add_done_callback(lambda done: _forget_failure((loop, conn_id), done))
        found = _lookups[loop, conn_id] = _LookUp(task=task, stale_at=now + _FRESH_SECONDS)
    # One who waits may be cancelled; the others still want the answer.
    return await asyncio.shield(found.task)


def _is_over(key: _Key, found: _LookUp) -> bool:
    return found.task.done() and key[0].time() >= found.stale_at


def _forget_failure(key: _Key, done: asyncio.Task[BatchConnection]) -> None:
    if done.cancelled() or done.exception() is not None:
        found = _lookups.get(key)
        if found is not None and found.task is done:
            del _lookups[key]


async def look_up_again(conn_id: str) -> BatchConnection:
    """The same as Airflow has it at this moment."""
    from airflow.providers.common.compat.connection import get_async_connection

    from airflow_provider_batchad.hooks.resolve import resolve_connection
    from airflow_provider_batchad.hooks.vault_connection import with_vault_connection_async

    return await with_vault_connection_async(
        resolve_connection(await get_async_connection(conn_id)), get_async_connection, resolve_connection
    )
