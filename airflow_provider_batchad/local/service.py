"""A service of local Azure as a web application: routes, with faults and the ledger around them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from aiohttp import web

from airflow_provider_batchad.local.breakage import break_answer
from airflow_provider_batchad.local.call import Call, begin_call
from airflow_provider_batchad.local.framing import frame

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.config import ServiceName
    from airflow_provider_batchad.local.entra.tokens import Principal
    from airflow_provider_batchad.local.faults import FaultRule, FaultRules
    from airflow_provider_batchad.local.ledger import Ledger

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_H = TypeVar("_H", bound=Callable[..., Awaitable[web.StreamResponse]])

# Batch refuses more than 1 MiB with an error of its own, so aiohttp's limit must be higher.
_MAX_BODY_BYTES: Final = 8 * 1024 * 1024


def operation(name: str) -> Callable[[_H], _H]:
    """Name a handler's REST operation, so that faults can match it before it runs."""

    def mark(handler: _H) -> _H:
        handler.operation = name  # type: ignore[attr-defined]
        return handler

    return mark


class Routes(Protocol):
    """What a service is made of. Its handlers fill in ``current_call()``."""

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes of the service."""
        ...

    async def find_principal(self, request: web.Request, /) -> Principal | None:
        """Who makes a request, without refusing it; asked only where a fault rule needs it."""
        ...

    def render_error(self, request: web.Request, status: int, code: str | None, /) -> web.Response:
        """The service's own shape of an error; without a code, the usual one of the status."""
        ...


class Service:
    """One service on a listener of its own."""

    def __init__(
        self, name: ServiceName, part: Routes, *, clock: Clock, ledger: Ledger, faults: FaultRules
    ) -> None:
        self.name = name
        self._part = part
        self._clock = clock
        self._ledger = ledger
        self._faults = faults

    def application(self) -> web.Application:
        """The aiohttp application that serves it."""
        application = web.Application(middlewares=[self._middleware()], client_max_size=_MAX_BODY_BYTES)
        application.on_response_prepare.append(frame)
        application.add_routes(self._part.routes())
        return application

    def _middleware(self) -> Middleware:
        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            started = time.perf_counter()
            call = begin_call(getattr(request.match_info.handler, "operation", ""))
            status, size = 500, 0
            try:
                if self._faults:
                    response = await self._answer_with_faults(request, handler, call)
                else:
                    response = await _run(request, handler)
                status, size = response.status, _body_length(response)
                if not (self._clock.is_real or response.prepared):
                    response.headers["Date"] = formatdate(self._clock.time(), usegmt=True)
                return response
            finally:
                seconds = time.perf_counter() - started
                self._record(request, call, status=status, size=size, seconds=seconds)

        return answer

    def _record(
        self,
        request: web.Request,
        call: Call,
        *,
        status: int,
        size: int,
        seconds: float,
    ) -> None:
        self._ledger.record(
            time=self._clock.time(),
            service=self.name,
            operation=call.operation,
            method=request.method,
            path=request.rel_url.raw_path,
            principal=call.principal.name if call.principal is not None else None,
            actions=call.requirement.actions + call.requirement.data_actions,
            status=status,
            code=call.error_code,
            request_bytes=request.content_length or 0,
            response_bytes=size,
            seconds=seconds,
            fault=call.fault_id,
        )

    async def _answer_with_faults(
        self, request: web.Request, handler: Handler, call: Call
    ) -> web.StreamResponse:
        asker = await self._part.find_principal(request) if self._faults.need_principal else None
        rule = self._faults.take(when="before", service=self.name, operation=call.operation, principal=asker)
        response: web.StreamResponse | None = None
        if rule is not None:
            call.fault_id = rule.id
            await self._wait(rule)
        if rule is None or not rule.replaces_answer:
            response = await _run(request, handler)
        if rule is None:
            rule = self._faults.take(
                when="after",
                service=self.name,
                operation=call.operation,
                principal=call.principal or asker,
            )
            if rule is not None:
                call.fault_id = rule.id
                await self._wait(rule)
        if rule is not None:
            rule_id = rule.id
            response = await break_answer(
                request,
                rule,
                response,
                render_error=self._part.render_error,
                in_force=lambda: self._faults.is_in_force(rule_id),
            )
        return response or web.Response(status=500)

    async def _wait(self, rule: FaultRule) -> None:
        if rule.delay_seconds:
            await asyncio.sleep(rule.delay_seconds)
        if rule.hold:
            await self._faults.wait_for_removal(rule.id)


async def _run(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as answer:
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def _body_length(response: web.StreamResponse) -> int:
    if isinstance(response, web.Response) and isinstance(response.body, bytes | bytearray):
        return len(response.body)
    return response.body_length if response.prepared else 0
