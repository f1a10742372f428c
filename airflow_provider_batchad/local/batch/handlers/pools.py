"""Operations on pools."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.batch.bodies import read_model
from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.listing import NODE_COUNT_FILTER, POOL_FILTER, POOL_MEMBERS
from airflow_provider_batchad.local.batch.paging import take_page
from airflow_provider_batchad.local.batch.pool_factory import (
    ALWAYS_UPDATABLE,
    build_pool,
    check_formula,
    show_members,
    show_start_task,
)
from airflow_provider_batchad.local.batch.pool_flow import refuse_deleting
from airflow_provider_batchad.local.batch.pool_view import show_autoscale_run, show_node_counts, show_pool
from airflow_provider_batchad.local.batch.wire.pools import (
    AutoScaleEnable,
    AutoScaleEvaluate,
    NodeRemove,
    PoolCreate,
    PoolReplace,
    PoolResize,
    PoolUpdate,
)

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.batch.exchange import Exchange
    from airflow_provider_batchad.local.batch.pool import Pool
    from airflow_provider_batchad.local.batch.wire.node_files import PackageReference


async def create_pool(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools``."""
    body = await read_model(exchange.request, PoolCreate)
    _check_packages(exchange, body.application_package_references)
    pool = exchange.account.pool_flow.create(body.id, build_pool(body))
    return exchange.empty(201, modified=pool.modified, about=f"/pools/{pool.id}", location=True)


async def list_pools(exchange: Exchange) -> web.StreamResponse:
    """``GET /pools``."""
    query = exchange.query
    query.check_expand()
    selected = query.select(POOL_MEMBERS)
    page = take_page(exchange.account.pools.walk, query, query.compile_filter(POOL_FILTER))
    shown = [pick(show_pool(pool, exchange.base_url), selected) for pool in page.entities]
    return exchange.listing("pools", ",".join(map(json.dumps, shown)), page)


async def get_pool(exchange: Exchange) -> web.StreamResponse:
    """``GET /pools/{poolId}``."""
    exchange.query.check_expand()
    selected = exchange.query.select(POOL_MEMBERS)
    pool = exchange.pool()
    exchange.check_conditions(pool, is_read=True)
    return exchange.element(
        "pools", pick(show_pool(pool, exchange.base_url), selected), modified=pool.modified
    )


async def check_pool_exists(exchange: Exchange) -> web.StreamResponse:
    """``HEAD /pools/{poolId}``."""
    pool = exchange.pool()
    exchange.check_conditions(pool, is_read=True)
    return exchange.empty(200, modified=pool.modified)


async def update_pool(exchange: Exchange) -> web.StreamResponse:
    """``PATCH /pools/{poolId}``: only what the body holds changes; most of it only in an empty pool."""
    body = await read_model(exchange.request, PoolUpdate)
    pool = _find_active(exchange)
    _check_packages(exchange, body.application_package_references)
    changes = show_members(body)
    if len(pool.nodes) and not set(changes) <= ALWAYS_UPDATABLE:
        raise BatchError("OperationInvalidForCurrentState")
    pool.properties = _without_empty(pool.properties | changes)
    pool.modified = exchange.account.ticks.now()
    return exchange.empty(200, modified=pool.modified, about=f"/pools/{pool.id}")


async def replace_properties(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/updateproperties``: a start task that the body leaves out goes."""
    body = await read_model(exchange.request, PoolReplace)
    pool = _find_active(exchange)
    _check_packages(exchange, body.application_package_references)
    start_task = None if body.start_task is None else show_start_task(body.start_task)
    metadata = [item.to_wire() for item in body.metadata]
    packages = [item.to_wire() for item in body.application_package_references]
    replaced = {"startTask": start_task, "metadata": metadata, "applicationPackageReferences": packages}
    pool.properties = _without_empty(pool.properties | replaced)
    pool.modified = exchange.account.ticks.now()
    return exchange.empty(204, modified=pool.modified, about=f"/pools/{pool.id}/updateproperties")


async def delete_pool(exchange: Exchange) -> web.StreamResponse:
    """``DELETE /pools/{poolId}``."""
    pool = exchange.pool()
    exchange.check_conditions(pool)
    exchange.account.pool_flow.delete(pool)
    return exchange.empty(202)


async def resize_pool(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/resize``."""
    body = await read_model(exchange.request, PoolResize)
    if body.target_dedicated_nodes is None and body.target_low_priority_nodes is None:
        name = "targetDedicatedNodes and/or targetLowPriorityNodes"
        raise BatchError("MissingRequiredProperty", (("PropertyName", name),))
    pool = exchange.pool()
    exchange.check_conditions(pool)
    exchange.account.pool_flow.resize(
        pool,
        body.target_dedicated_nodes,
        body.target_low_priority_nodes,
        body.resize_timeout,
        body.node_deallocation_option or "requeue",
    )
    return exchange.empty(202, modified=pool.modified, about=f"/pools/{pool.id}/resize")


async def stop_resize(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/stopresize``."""
    pool = exchange.pool()
    exchange.check_conditions(pool)
    exchange.account.pool_flow.stop_resize(pool)
    return exchange.empty(202, modified=pool.modified, about=f"/pools/{pool.id}/stopresize")


async def enable_autoscale(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/enableautoscale``."""
    body = await read_model(exchange.request, AutoScaleEnable)
    pool = exchange.pool()
    exchange.check_conditions(pool)
    exchange.account.autoscaling.enable(pool, body.auto_scale_formula, body.auto_scale_evaluation_interval)
    return exchange.empty(200, modified=pool.modified, about=f"/pools/{pool.id}/enableautoscale")


async def disable_autoscale(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/disableautoscale``."""
    pool = exchange.pool()
    exchange.account.autoscaling.disable(pool)
    pool.modified = exchange.account.ticks.now()
    return exchange.empty(200, modified=pool.modified, about=f"/pools/{pool.id}/disableautoscale")


async def evaluate_autoscale(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/evaluateautoscale``: what the formula would come to; nothing changes."""
    body = await read_model(exchange.request, AutoScaleEvaluate)
    pool = exchange.pool()
    check_formula(body.auto_scale_formula)
    run = exchange.account.autoscaling.evaluate(pool, body.auto_scale_formula)
    return exchange.result(
        "AutoScaleRun", show_autoscale_run(run), about=f"/pools/{pool.id}/evaluateautoscale"
    )


async def remove_nodes(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/removenodes``."""
    body = await read_model(exchange.request, NodeRemove)
    pool = exchange.pool()
    exchange.check_conditions(pool)
    nodes = {}
    for node_id in body.node_list:
        node = pool.nodes.get(node_id)
        if node is None:
            raise BatchError("NodeNotFound")
        nodes[node.id] = node
    exchange.account.pool_flow.remove_nodes(
        pool, tuple(nodes.values()), body.resize_timeout, body.node_deallocation_option or "requeue"
    )
    return exchange.empty(202, modified=pool.modified, about=f"/pools/{pool.id}/removenodes")


async def list_node_counts(exchange: Exchange) -> web.StreamResponse:
    """``GET /nodecounts``."""
    query = exchange.query
    page = take_page(exchange.account.pools.walk, query, query.compile_filter(NODE_COUNT_FILTER))
    values = ",".join(json.dumps(show_node_counts(pool)) for pool in page.entities)
    return exchange.listing("poolnodecounts", values, page)


def pick(shown: dict[str, Any], selected: Collection[str] | None) -> dict[str, Any]:
    """What ``$select`` leaves of an entity."""
    if selected is None:
        return shown
    return {name: value for name, value in shown.items() if name in selected}


def _find_active(exchange: Exchange) -> Pool:
    pool = exchange.pool()
    exchange.check_conditions(pool)
    refuse_deleting(pool)
    return pool


def _check_packages(exchange: Exchange, references: list[PackageReference] | None) -> None:
    exchange.account.packages.check_of_pool(one.to_wire() for one in references or ())


def _without_empty(members: dict[str, Any]) -> dict[str, Any]:
    # "If you specify an empty collection, any metadata is removed from the pool."
    return {name: value for name, value in members.items() if value not in (None, [])}
