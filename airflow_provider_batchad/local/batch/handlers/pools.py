"""Operations on pools and nodes: all of them exist from the start, so they are looked at only."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.listing import (
    NODE_COUNT_FILTER,
    NODE_FILTER,
    NODE_MEMBERS,
    POOL_FILTER,
    POOL_MEMBERS,
)
from airflow_provider_batchad.local.batch.paging import take_page
from airflow_provider_batchad.local.batch.views import show_node, show_node_counts, show_pool

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.batch.exchange import Exchange


async def list_pools(exchange: Exchange) -> web.StreamResponse:
    """``GET /pools``."""
    query = exchange.query
    query.check_expand()
    selected = query.select(POOL_MEMBERS)
    page = take_page(exchange.account.pools.walk, query, query.compile_filter(POOL_FILTER))
    shown = [_pick(show_pool(pool, exchange.base_url), selected) for pool in page.entities]
    return exchange.listing("pools", ",".join(map(json.dumps, shown)), page)


async def get_pool(exchange: Exchange) -> web.StreamResponse:
    """``GET /pools/{poolId}``."""
    exchange.query.check_expand()
    selected = exchange.query.select(POOL_MEMBERS)
    pool = exchange.pool()
    exchange.check_conditions(pool, is_read=True)
    return exchange.element(
        "pools", _pick(show_pool(pool, exchange.base_url), selected), modified=pool.modified
    )


async def check_pool_exists(exchange: Exchange) -> web.StreamResponse:
    """``HEAD /pools/{poolId}``."""
    pool = exchange.pool()
    exchange.check_conditions(pool, is_read=True)
    return exchange.empty(200, modified=pool.modified)


async def list_node_counts(exchange: Exchange) -> web.StreamResponse:
    """``GET /nodecounts``."""
    query = exchange.query
    page = take_page(exchange.account.pools.walk, query, query.compile_filter(NODE_COUNT_FILTER))
    values = ",".join(json.dumps(show_node_counts(pool)) for pool in page.entities)
    return exchange.listing("poolnodecounts", values, page)


async def list_nodes(exchange: Exchange) -> web.StreamResponse:
    """``GET /pools/{poolId}/nodes``."""
    query = exchange.query
    selected = query.select(NODE_MEMBERS)
    predicate = query.compile_filter(NODE_FILTER)
    page = take_page(exchange.pool().nodes.walk, query, predicate)
    shown = [_pick(show_node(node, exchange.base_url), selected) for node in page.entities]
    return exchange.listing("nodes", ",".join(map(json.dumps, shown)), page)


async def get_node(exchange: Exchange) -> web.StreamResponse:
    """``GET /pools/{poolId}/nodes/{nodeId}``."""
    selected = exchange.query.select(NODE_MEMBERS)
    return exchange.element("nodes", _pick(show_node(exchange.node(), exchange.base_url), selected))


def _pick(shown: dict[str, Any], selected: Collection[str] | None) -> dict[str, Any]:
    if selected is None:
        return shown
    return {name: value for name, value in shown.items() if name in selected}
