"""Tells Airflow's secrets masker, from a worker's process and from the triggerer's, and asks it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_provider_batchad.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS_TO_TELL = 30.0


def masker() -> Callable[[str], None]:
    """Registers a value from the thread that runs the task."""
    from airflow.providers.common.compat.sdk import mask_secret

    return mask_secret


def holds_masked_value(text: str) -> bool:
    """Whether ``text`` holds a value that Airflow's masker knows in this process; what it is stays there."""
    from airflow.providers.common.compat.sdk import redact

    return bool(redact(text) != text)


def masker_on_loop(loop: asyncio.AbstractEventLoop) -> Callable[[str], None]:
    """Registers a value from a thread beside an event loop, such as the triggerer's; returns when it is done.

    The masker's word to the supervisor goes through the loop: sent from another thread, it would be read
    out of order in Airflow 3.2, which ends the triggerer.

    :raises Unreachable: by what it returns: the loop did not get to it within 30 s. What is not registered
        is not used.
    """

    def register(value: str) -> None:
        telling = asyncio.run_coroutine_threadsafe(_mask(value), loop)
        try:
            telling.result(timeout=_SECONDS_TO_TELL)
        except TimeoutError:
            telling.cancel()
            raise Unreachable(
                f"Airflow's masker was not told of a secret within {_SECONDS_TO_TELL:.0f} s, and so the "
                "secret is not used: the event loop is busy.",
                step="token",
                remedy="Nothing is wrong with the connection; look at what blocks the triggerer.",
            ) from None

    return register


async def _mask(value: str) -> None:
    try:
        from airflow.sdk.log import amask_secret
    except ImportError:
        # Airflow 3.2 has none; asgiref brings the message of the thread back to this loop.
        from airflow.providers.common.compat.sdk import mask_secret
        from asgiref.sync import sync_to_async

        await sync_to_async(mask_secret)(value)
    else:
        await amask_secret(value)
