"""The look at a pool, where the principal's role allows it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_batchad.access.actions import Action
from airflow_provider_batchad.access.optional import optionally
from airflow_provider_batchad.jobs.pool_look import why_unable

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.jobs.rest import Steps


def look_at_pool(connection: BatchConnection, pool_id: str) -> Steps[str | None]:
    """Why the pool can run nothing; ``None`` where it can, or where the role does not allow a look.

    A refusal is remembered for the life of the process: nothing is sent after it.
    """
    principal = replace(connection, conn_id="")
    return optionally(why_unable(pool_id), Action.POOLS_READ, principal=principal)
