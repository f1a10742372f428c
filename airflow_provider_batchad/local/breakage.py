"""How an answer is broken on the wire: another status, half a body, a wrong one, or no answer at all."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from airflow_provider_batchad.local.faults import FaultRule

_SECONDS_A_BYTE: Final = 0.1


async def break_answer(
    request: web.Request,
    rule: FaultRule,
    response: web.StreamResponse | None,
    *,
    render_error: Callable[[web.Request, int, str | None], web.Response],
    in_force: Callable[[], bool],
) -> web.StreamResponse:
    """The answer that the rule makes of the service's own.

    :param response: ``None`` where the operation was not to take effect.
    :param in_force: whether the rule is still there.
    """
    if rule.broken == "reset":
        _reset(request)
        return web.Response(status=500)
    if rule.status is not None:
        response = _replace(request, rule, rule.status, render_error)
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes | bytearray):
        return response or web.Response(status=500)
    if rule.broken == "garble":
        response.body = bytes(byte ^ 0x80 for byte in response.body)
    elif rule.broken == "truncate":
        return await _send_half(request, response, bytes(response.body))
    elif rule.broken == "drip":
        return await _send_slowly(request, response, bytes(response.body), in_force)
    return response


def _replace(
    request: web.Request,
    rule: FaultRule,
    status: int,
    render_error: Callable[[web.Request, int, str | None], web.Response],
) -> web.Response:
    response = render_error(request, status, rule.code)
    if rule.body is not None:
        response.text = rule.body
    response.headers.update(rule.headers)
    return response


async def _send_half(request: web.Request, response: web.Response, body: bytes) -> web.StreamResponse:
    partial = web.StreamResponse(status=response.status, headers=response.headers)
    partial.content_length = len(body)
    await partial.prepare(request)
    await partial.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return partial


async def _send_slowly(
    request: web.Request, response: web.Response, body: bytes, in_force: Callable[[], bool]
) -> web.StreamResponse:
    slow = web.StreamResponse(status=response.status, headers=response.headers)
    slow.content_length = len(body)
    await slow.prepare(request)
    sent = 0
    while sent < len(body) and in_force():
        await slow.write(body[sent : sent + 1])
        sent += 1
        await asyncio.sleep(_SECONDS_A_BYTE)
    await slow.write(body[sent:])
    return slow


def _reset(request: web.Request) -> None:
    """End the connection with a TCP reset, so that the client sees one and not an orderly end."""
    transport = request.transport
    if transport is None:
        return
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
