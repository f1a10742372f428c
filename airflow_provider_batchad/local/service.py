"""A service of local Azure as a web application: routes, with faults and the ledger around them."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeVar

from aiohttp import web
from aiohttp.typedefs import Middleware

from airflow_provider_batchad.local.access import NOTHING, Requirement
from airflow_provider_batchad.local.tokens import Principal

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.config import ServiceName
    from airflow_provider_batchad.local.faults import FaultRule, FaultRules
    from airflow_provider_batchad.local.ledger import Ledger

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_H = TypeVar("_H", bound=Callable[..., Awaitable[web.StreamResponse]])

# Batch's limit of a request is 1 MiB, which its own routes refuse with its own error; aiohttp's must be higher.
_MAX_BODY_BYTES: Final = 8 * 1024 * 1024
_HOLD_STEP_SECONDS: Final = 0.02


def operation(name: str) -> Callable[[_H], _H]:
    """Name a handler's REST operation, so that faults can match it before it runs."""

    def mark(handler: _H) -> _H:
        handler.operation = name  # type: ignore[attr-defined]
        return handler

    return mark


class Service:
    """One service on a listener of its own.

    A handler may set ``request["operation"]`` (or carry :func:`operation`), ``request["principal"]``,
    ``request["requirement"]`` and ``request["error_code"]``: the ledger writes them down.

    :param find_principal: who makes a request, without refusing it; asked only where a fault rule needs it.
    :param render_error: the service's own shape of an error, from status and code (``None``: the usual one).
    """

    def __init__(
        self,
        name: ServiceName,
        routes: Iterable[web.AbstractRouteDef],
        *,
        clock: Clock,
        ledger: Ledger,
        faults: FaultRules,
        find_principal: Callable[[web.Request], Awaitable[Principal | None]],
        render_error: Callable[[web.Request, int, str | None], web.Response],
    ) -> None:
        self.name = name
        self._routes = tuple(routes)
        self._clock = clock
        self._ledger = ledger
        self._faults = faults
        self._find_principal = find_principal
        self._render_error = render_error

    def application(self) -> web.Application:
        """The aiohttp application that serves it."""
        application = web.Application(middlewares=[self._middleware()], client_max_size=_MAX_BODY_BYTES)
        application.add_routes(self._routes)
        return application

    def _middleware(self) -> Middleware:
        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            started = time.perf_counter()
            request["operation"] = getattr(request.match_info.handler, "operation", "")
            fault: FaultRule | None = None
            status = 500
            size = 0
            try:
                if self._faults:
                    response, fault = await self._answer_with_faults(request, handler)
                else:
                    response = await _run(request, handler)
                status = response.status
                size = _body_length(response)
                return response
            finally:
                self._record(request, status, size, time.perf_counter() - started, fault)

        return answer

    def _record(
        self, request: web.Request, status: int, size: int, seconds: float, fault: FaultRule | None
    ) -> None:
        principal: Principal | None = request.get("principal")
        requirement: Requirement = request.get("requirement", NOTHING)
        self._ledger.record(
            time=self._clock.time(),
            service=self.name,
            operation=request["operation"],
            method=request.method,
            path=request.rel_url.raw_path,
            principal=principal.name if principal is not None else None,
            actions=requirement.actions + requirement.data_actions,
            status=status,
            code=request.get("error_code"),
            request_bytes=request.content_length or 0,
            response_bytes=size,
            seconds=seconds,
            fault=fault.id if fault is not None else None,
        )

    async def _answer_with_faults(
        self, request: web.Request, handler: Handler
    ) -> tuple[web.StreamResponse, FaultRule | None]:
        principal = await self._find_principal(request) if self._faults.need_principal else None
        name = request["operation"]
        rule = self._faults.take(when="before", service=self.name, operation=name, principal=principal)
        if rule is not None:
            await self._wait(rule)
            if rule.status is not None or rule.broken == "reset":
                return await self._break(request, rule, None), rule
        response = await _run(request, handler)
        if rule is None:
            name, principal = request["operation"], request.get("principal", principal)
            rule = self._faults.take(when="after", service=self.name, operation=name, principal=principal)
            if rule is not None:
                await self._wait(rule)
        if rule is not None:
            response = await self._break(request, rule, response)
        return response, rule

    async def _wait(self, rule: FaultRule) -> None:
        if rule.delay_seconds:
            await asyncio.sleep(rule.delay_seconds)
        while rule.hold and self._faults.is_active(rule.id):
            await asyncio.sleep(_HOLD_STEP_SECONDS)

    async def _break(
        self, request: web.Request, rule: FaultRule, response: web.StreamResponse | None
    ) -> web.StreamResponse:
        if rule.broken == "reset":
            _reset(request)
            return web.Response(status=500)
        if rule.status is not None:
            response = self._render_error(request, rule.status, rule.code)
            if rule.body is not None:
                response.text = rule.body
            response.headers.update(rule.headers)
        if response is None or response.prepared or not isinstance(response, web.Response):
            return response or web.Response(status=500)
        body = response.body if isinstance(response.body, bytes | bytearray) else b""
        if rule.broken == "garble":
            response.body = bytes(byte ^ 0x80 for byte in body)
        elif rule.broken == "truncate":
            return await _send_half(request, response, bytes(body))
        return response


async def _run(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as answer:
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


async def _send_half(request: web.Request, response: web.Response, body: bytes) -> web.StreamResponse:
    partial = web.StreamResponse(status=response.status, headers=response.headers)
    partial.content_length = len(body)
    await partial.prepare(request)
    await partial.write(body[: len(body) // 2])
    _close(request)
    return partial


def _reset(request: web.Request) -> None:
    """End the connection with a TCP reset, so that the client sees one and not an orderly end."""
    transport = request.transport
    if transport is None:
        return
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def _body_length(response: web.StreamResponse) -> int:
    if isinstance(response, web.Response) and isinstance(response.body, bytes | bytearray):
        return len(response.body)
    return response.body_length if response.prepared else 0
