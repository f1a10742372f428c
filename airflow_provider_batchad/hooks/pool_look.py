"""The look at a pool, where the principal's role allows it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_batchad.access.actions import Action
from airflow_provider_batchad.access.optional import optionally
from airflow_provider_batchad.jobs.pool_look import why_unable

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.jobs.rest import Steps


T = TypeVar("T")


def if_pools_may_be_read(connection: BatchConnection, steps: Steps[T]) -> Steps[T | None]:
    """``steps``, which read pools; ``None`` where the principal's role does not allow it.

    A refusal is remembered for the life of the process: nothing is sent after it.
    """
    return optionally(steps, Action.POOLS_READ, principal=replace(connection, conn_id=""))


def look_at_pool(connection: BatchConnection, pool_id: str) -> Steps[str | None]:
    """Why the pool can run nothing; ``None`` where it can, or where the role does not allow a look."""
    return if_pools_may_be_read(connection, why_unable(pool_id))
