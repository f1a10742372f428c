"""The Batch service's REST API over HTTP: who asks, whether they may, the answer, the errors."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from airflow_provider_batchad.local.batch.errors import BatchError, NotModified
from airflow_provider_batchad.local.batch.exchange import Exchange
from airflow_provider_batchad.local.batch.operations import OPERATIONS, Operation
from airflow_provider_batchad.local.batch.permissions import REQUIREMENTS
from airflow_provider_batchad.local.batch.query import Query
from airflow_provider_batchad.local.batch.refusals import refuse_principal, refuse_token
from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.entra.tokens import Principal, TokenRejected

if TYPE_CHECKING:
    from airflow_provider_batchad.local.access import Requirement
    from airflow_provider_batchad.local.batch.account import BatchAccount

_log = logging.getLogger(__name__)

_USUAL_CODES: Final = {
    400: "InvalidRequestBody",
    401: "AuthenticationFailed",
    403: "AuthorizationFailure",
    404: "JobNotFound",
    408: "OperationTimedOut",
    409: "OperationInvalidForCurrentState",
    412: "ConditionNotMet",
    413: "RequestBodyTooLarge",
    429: "TooManyRequests",
    503: "ServerBusy",
}
_PLACEHOLDER: Final = re.compile(r"\{\w+(?::(.*?))?\}")


class Roles(Protocol):
    """Who may do what at the account."""

    def missing(self, principal_id: str, requirement: Requirement) -> tuple[str, ...]:
        """What the principal lacks."""
        ...


class BatchApi:
    """The routes of one account.

    :param identify: who makes a request; raises ``TokenRejected``, or ``BatchError`` for a signature.
    :param tenant_id: the tenant that the account trusts, for the challenge of a 401.
    """

    def __init__(
        self,
        account: BatchAccount,
        *,
        identify: Callable[[web.Request], Principal],
        roles: Roles,
        tenant_id: str,
    ) -> None:
        self._account = account
        self._identify = identify
        self._roles = roles
        self._tenant_id = tenant_id
        self._known_paths = tuple({_to_pattern(operation.path) for operation in OPERATIONS})

    def routes(self) -> list[web.AbstractRouteDef]:
        """A route for each operation, and one for everything else."""
        routes: list[web.AbstractRouteDef] = [
            web.RouteDef(
                operation.method,
                operation.path,
                self._make_handler(operation),
                {"allow_head": False} if operation.method == "GET" else {},
            )
            for operation in OPERATIONS
        ]
        return [*routes, web.RouteDef("*", "/{path:.*}", self._refuse_unknown, {})]

    async def find_principal(self, request: web.Request) -> Principal | None:
        """Who makes a request, without refusing it."""
        try:
            return self._identify(request)
        except (TokenRejected, BatchError):
            return None

    def render_error(self, request: web.Request, status: int, code: str | None) -> web.Response:
        """An error in the service's shape."""
        exchange = self._open(request)
        usual = _USUAL_CODES.get(status, "InternalError")
        return self._fail(exchange, BatchError(code or usual, status=status))

    def _make_handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        requirement = REQUIREMENTS[operation.name]

        async def handle(request: web.Request) -> web.StreamResponse:
            exchange = self._open(request)
            try:
                self._authenticate(request)
                exchange.version = exchange.query.check_version()
                self._require(requirement)
                return await operation.handler(exchange)
            except NotModified:
                return web.Response(status=304, headers=exchange.headers())
            except BatchError as error:
                return self._fail(exchange, error)
            except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer in the service's shape
                _log.exception("%s failed", operation.name)
                return self._fail(exchange, BatchError("InternalError"))

        handle.operation = operation.name  # type: ignore[attr-defined]
        return handle

    async def _refuse_unknown(self, request: web.Request) -> web.StreamResponse:
        exchange = self._open(request)
        try:
            self._authenticate(request)
        except BatchError as error:
            return self._fail(exchange, error)
        path = request.rel_url.raw_path
        is_known = any(pattern.fullmatch(path) for pattern in self._known_paths)
        return self._fail(exchange, BatchError("UnsupportedHttpVerb" if is_known else "InvalidUri"))

    def _open(self, request: web.Request) -> Exchange:
        return Exchange(self._account, request, Query.parse(request.rel_url.raw_query_string), self._require)

    def _authenticate(self, request: web.Request) -> None:
        try:
            current_call().principal = self._identify(request)
        except TokenRejected as rejected:
            raise refuse_token(rejected, tenant_id=self._tenant_id) from None

    def _require(self, requirement: Requirement) -> None:
        call = current_call()
        call.requirement = requirement
        if call.principal is None:
            raise BatchError("InternalError")
        missing = self._roles.missing(call.principal.object_id, requirement)
        if missing:
            raise refuse_principal(missing)

    def _fail(self, exchange: Exchange, error: BatchError) -> web.Response:
        current_call().error_code = error.code
        return exchange.error(error)


def _to_pattern(path: str) -> re.Pattern[str]:
    parts = _PLACEHOLDER.split(path)
    # Of each placeholder, split leaves its own pattern between two literals, or None.
    pieces = [
        re.escape(part or "") if position % 2 == 0 else (part or "[^/]+")
        for position, part in enumerate(parts)
    ]
    return re.compile("".join(pieces))
