"""Operations on nodes and their users."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_provider_batchad.local.batch.bodies import read_model
from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.handlers.pools import pick
from airflow_provider_batchad.local.batch.listing import NODE_FILTER, NODE_MEMBERS
from airflow_provider_batchad.local.batch.paging import take_page
from airflow_provider_batchad.local.batch.pool_view import PUBLIC_ADDRESS, show_node, ssh_port
from airflow_provider_batchad.local.batch.wire.nodes import (
    NodeDeallocate,
    NodeDisableScheduling,
    NodeReboot,
    NodeReimage,
    NodeUserCreate,
    NodeUserReplace,
)

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.batch.exchange import Exchange
    from airflow_provider_batchad.local.batch.node import Node


async def list_nodes(exchange: Exchange) -> web.StreamResponse:
    """``GET /pools/{poolId}/nodes``."""
    query = exchange.query
    selected = query.select(NODE_MEMBERS)
    predicate = query.compile_filter(NODE_FILTER)
    pool = exchange.pool()
    page = take_page(pool.nodes.walk, query, predicate)
    shown = [pick(show_node(node, pool, exchange.base_url), selected) for node in page.entities]
    return exchange.listing("nodes", ",".join(map(json.dumps, shown)), page)


async def get_node(exchange: Exchange) -> web.StreamResponse:
    """``GET /pools/{poolId}/nodes/{nodeId}``."""
    selected = exchange.query.select(NODE_MEMBERS)
    shown = show_node(exchange.node(), exchange.pool(), exchange.base_url)
    return exchange.element("nodes", pick(shown, selected))


async def reboot_node(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/nodes/{nodeId}/reboot``."""
    body = await read_model(exchange.request, NodeReboot, or_empty=True)
    node = exchange.node()
    exchange.account.node_flow.reboot(exchange.pool(), node, body.node_reboot_option)
    return _accept(exchange, node, "reboot")


async def reimage_node(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/nodes/{nodeId}/reimage``."""
    body = await read_model(exchange.request, NodeReimage, or_empty=True)
    node = exchange.node()
    exchange.account.node_flow.reimage(exchange.pool(), node, body.node_reimage_option)
    return _accept(exchange, node, "reimage")


async def start_node(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/nodes/{nodeId}/start``."""
    node = exchange.node()
    exchange.account.node_flow.start(exchange.pool(), node)
    return _accept(exchange, node, "start")


async def deallocate_node(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/nodes/{nodeId}/deallocate``."""
    body = await read_model(exchange.request, NodeDeallocate, or_empty=True)
    node = exchange.node()
    exchange.account.node_flow.deallocate(node, body.node_deallocate_option)
    return _accept(exchange, node, "deallocate")


async def disable_scheduling(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/nodes/{nodeId}/disablescheduling``."""
    body = await read_model(exchange.request, NodeDisableScheduling, or_empty=True)
    node = exchange.node()
    exchange.account.node_flow.disable_scheduling(node, body.node_disable_scheduling_option)
    return _accept(exchange, node, "disablescheduling", status=200)


async def enable_scheduling(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/nodes/{nodeId}/enablescheduling``."""
    node = exchange.node()
    exchange.account.node_flow.enable_scheduling(exchange.pool(), node)
    return _accept(exchange, node, "enablescheduling", status=200)


async def create_user(exchange: Exchange) -> web.StreamResponse:
    """``POST /pools/{poolId}/nodes/{nodeId}/users``: the name is kept; there is nothing to log in to."""
    body = await read_model(exchange.request, NodeUserCreate)
    node = exchange.node()
    name = body.name.lower()
    if name in node.users:
        raise BatchError("NodeUserExists")
    node.users.add(name)
    return exchange.empty(201, about=f"{_path(node)}/users/{body.name}", location=True)


async def replace_user(exchange: Exchange) -> web.StreamResponse:
    """``PUT /pools/{poolId}/nodes/{nodeId}/users/{userName}``."""
    await read_model(exchange.request, NodeUserReplace)
    node, name = _find_user(exchange)
    return exchange.empty(200, about=f"{_path(node)}/users/{name}")


async def delete_user(exchange: Exchange) -> web.StreamResponse:
    """``DELETE /pools/{poolId}/nodes/{nodeId}/users/{userName}``."""
    node, name = _find_user(exchange)
    node.users.remove(name.lower())
    return exchange.empty(200)


async def get_login_settings(exchange: Exchange) -> web.StreamResponse:
    """``GET /pools/{poolId}/nodes/{nodeId}/remoteloginsettings``: the address that the node itself shows."""
    node = exchange.node()
    shown = {"remoteLoginIPAddress": PUBLIC_ADDRESS, "remoteLoginPort": ssh_port(node)}
    return exchange.result("ComputeNodeGetRemoteLoginSettingsResult", shown)


def _accept(exchange: Exchange, node: Node, verb: str, *, status: int = 202) -> web.Response:
    return exchange.empty(status, about=f"{_path(node)}/{verb}")


def _path(node: Node) -> str:
    return f"/pools/{node.pool_id}/nodes/{node.id}"


def _find_user(exchange: Exchange) -> tuple[Node, str]:
    node = exchange.node()
    name = exchange.request.match_info["user_name"]
    if name.lower() not in node.users:
        raise BatchError("NodeUserNotFound")
    return node, name
