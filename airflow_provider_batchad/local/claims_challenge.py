"""Continuous access evaluation: a service that demands claims of tokens that are good otherwise."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from aiohttp import web

from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.entra.tokens import TokenFacts, TokenRejected, token_of
from airflow_provider_batchad.local.service import Handler, Routes, operation

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.entra.tokens import Principal, TokenAuthority

ChallengingService = Literal["batch", "keyvault", "storage", "management"]
_REASON: Final = (
    "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: "
    "TokenIssuedBeforeRevocationTimestamp"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsDemand:
    """Tokens from before a moment are refused, with a challenge that says from when they must be.

    :param principal: by name; ``None`` for everybody.
    :param since: the moment, in seconds since 1970.
    :param capable_only: whether only clients that announced ``CP1`` are challenged, as Azure does it: the
        tokens of others stay good until they end.
    """

    service: ChallengingService
    principal: str | None
    since: float
    capable_only: bool
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    def concerns(self, facts: TokenFacts, service: str) -> bool:
        """Whether a request with this token is challenged."""
        return (
            self.service == service
            and self.principal in (None, facts.principal.name)
            and facts.not_before < int(self.since)
            and (facts.answers_challenges or not self.capable_only)
        )

    def header(self, authority: str) -> str:
        """The ``WWW-Authenticate`` of the challenge."""
        claims = {"access_token": {"nbf": {"essential": True, "value": str(int(self.since))}}}
        encoded = base64.b64encode(json.dumps(claims, separators=(",", ":")).encode()).decode()
        return (
            f'Bearer realm="", authorization_uri="{authority}/common/oauth2/authorize", '
            f'error_description="{_REASON}", error="insufficient_claims", claims="{encoded}"'
        )


class ClaimsDemands:
    """What services demand at the moment."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._demands: dict[str, ClaimsDemand] = {}
        self._lock = threading.Lock()

    def demand(
        self, service: ChallengingService, *, principal: str | None = None, capable_only: bool = True
    ) -> ClaimsDemand:
        """Let a service refuse every token that was issued until now."""
        added = ClaimsDemand(
            service=service, principal=principal, since=self._clock.time(), capable_only=capable_only
        )
        with self._lock:
            self._demands[added.id] = added
        return added

    def withdraw(self, demand_id: str) -> bool:
        """Demand it no longer; ``False`` where nothing has this id."""
        with self._lock:
            return self._demands.pop(demand_id, None) is not None

    def demands(self) -> tuple[ClaimsDemand, ...]:
        """All of them."""
        with self._lock:
            return tuple(self._demands.values())


class ClaimsChallenge:
    """A service behind the demands: what is not challenged reaches it unchanged.

    :param audiences: what the service accepts: a token for another resource is its own matter to refuse.
    """

    def __init__(
        self,
        name: ChallengingService,
        part: Routes,
        *,
        audiences: tuple[str, ...],
        authority: str,
        demands: ClaimsDemands,
        tokens: TokenAuthority,
        clock: Clock,
    ) -> None:
        self._name = name
        self._part = part
        self._audiences = audiences
        self._authority = authority
        self._demands = demands
        self._tokens = tokens
        self._clock = clock

    def routes(self) -> list[web.AbstractRouteDef]:
        """The service's routes."""
        return [
            web.RouteDef(route.method, route.path, self._challenging(route.handler), route.kwargs)
            if isinstance(route, web.RouteDef)
            else route
            for route in self._part.routes()
        ]

    async def find_principal(self, request: web.Request) -> Principal | None:
        """Who makes a request."""
        return await self._part.find_principal(request)

    def render_error(self, request: web.Request, status: int, code: str | None) -> web.Response:
        """An error in the service's shape."""
        return self._part.render_error(request, status, code)

    def _challenging(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            facts = self._read_token(request) if self._demands.demands() else None
            for demand in self._demands.demands():
                if facts is not None and demand.concerns(facts, self._name):
                    current_call().principal = facts.principal
                    response = self._part.render_error(request, 401, None)
                    response.headers["WWW-Authenticate"] = demand.header(self._authority)
                    return response
            return await handler(request)

        return operation(getattr(handler, "operation", ""))(answer)

    def _read_token(self, request: web.Request) -> TokenFacts | None:
        token = token_of(request.headers.get("Authorization"))
        try:
            facts = None if token is None else self._tokens.read(token)
        except TokenRejected:
            return None
        if facts is None or facts.audience not in self._audiences:
            return None
        return facts if self._clock.time() < facts.expires_on else None
