"""The callback that every request to Batch asks for its token."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NoReturn

from airflow_provider_batchad.errors import BatchAdError, Unreachable

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.cache_entry import Cipher
    from airflow_provider_batchad.identity.surroundings import Surroundings

_log = logging.getLogger(__name__)

# A token is renewed in the last 10 to 20 % of its life: spread, so that processes do not ask all at once.
_MARGIN_AT_LEAST: Final = 0.10
_MARGIN_SPREAD: Final = 0.10
_LONGEST_WAIT_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token with its times, in seconds since the epoch.

    :param obtained_at: when it was asked for; not a number where nobody has said so yet.
    """

    token: str = field(repr=False)
    expires_on: float
    obtained_at: float = math.nan

    def dated(self, asked_at: float) -> AccessToken:
        """The same token, asked for at that time if nothing else is known."""
        return replace(self, obtained_at=asked_at) if math.isnan(self.obtained_at) else self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled: ask the callback where it is needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalFacts:
    """Who signs in, for messages; what stands in Key Vault is known after the first token only."""

    sign_in: str
    tenant_id: str | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    token: AccessToken
    claims: str | None
    refresh_at: float


class TokenCallback:
    """Answers from its own copy, and asks for a new token only near the old one's end or when told to.

    Threads that need a token at once share one request. A token that is still valid is used when a new one
    cannot be had.

    :param request: asks for a token, with the claims of a challenge and the token that was refused or nears
        its end, where there are such.
    :param facts: who signs in.
    :param clock: the time in seconds since the epoch.
    :param spread: a number from 0 to 1, drawn anew for each token.
    """

    def __init__(
        self,
        request: Callable[[str | None, str | None], AccessToken],
        *,
        facts: Callable[[], PrincipalFacts] | None = None,
        clock: Callable[[], float] = time.time,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._request = request
        self._facts = facts
        self._clock = clock
        self._spread = spread
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._flights: dict[str | None, Future[AccessToken]] = {}
        self._asked_to_wait: tuple[float, Unreachable] | None = None

    @classmethod
    def for_connection(
        cls,
        connection: BatchConnection,
        *,
        on_secret: Callable[[str], None],
        retries: int = 3,
        clock: Callable[[], float] = time.time,
        cipher: Cipher | None = None,
        cache_dir: Path | None = None,
        surroundings: Surroundings | None = None,
    ) -> TokenCallback:
        """The callback for the Batch resource of the connection's cloud. Nothing is asked of anyone yet.

        :param on_secret: called with every secret and token as soon as it is read, before its use.
        :param retries: how often Key Vault and the managed identity's endpoint are asked again when they do
            not answer; 0 for a quick test.
        :param cipher: encrypts the tokens that the machine's processes share; without one, none is shared.
        :param cache_dir: where those are; a directory of the user's own by default.
        :param surroundings: what the machine and the Airflow configuration say about signing in.
        :raises ConnectionFieldError: the connection wants a person where nobody is there, or another
            connection to reach its vault that was not looked up.
        """
        from airflow_provider_batchad.connection import SignIn
        from airflow_provider_batchad.identity.cache import CachedTokenRequest
        from airflow_provider_batchad.identity.sign_in import BatchSignIn

        sign_in = BatchSignIn(
            connection, on_secret=on_secret, retries=retries, clock=clock, surroundings=surroundings
        )
        # A person's tokens are kept where they signed in.
        if cipher is None or connection.sign_in is SignIn.INTEGRATED:
            return cls(sign_in.request_token, facts=sign_in.facts, clock=clock)
        shared = CachedTokenRequest.for_connection(
            connection,
            sign_in.request_token,
            facts=sign_in.facts,
            cipher=cipher,
            directory=cache_dir,
            on_secret=on_secret,
            clock=clock,
        )
        return cls(shared, facts=shared.facts, clock=clock)

    @property
    def principal(self) -> PrincipalFacts:
        """Who signs in, as far as it is known."""
        return self._facts() if self._facts is not None else PrincipalFacts(sign_in="unknown")

    def __call__(self, *, claims: str | None = None, rejected: str | None = None) -> AccessToken:
        """A token to send.

        :param claims: of a challenge, decoded; the token answers it.
        :param rejected: a token that the service refused; another one is returned.
        :raises SignInError: no token could be had.
        :raises Unreachable: nobody could be asked.
        """
        held = self._held
        if held is not None and self._serves(held, claims, rejected):
            now = self._clock()
            if now < held.refresh_at:
                return held.token
            if now < held.token.expires_on:
                return self._renew_ahead(held, claims)
        return self._get(claims, rejected)

    def ready(self, *, claims: str | None = None, rejected: str | None = None) -> AccessToken | None:
        """The token that a call would answer without asking anyone, so that an event loop need not wait."""
        held = self._held
        if held is None or not self._serves(held, claims, rejected):
            return None
        now = self._clock()
        renewing = claims in self._flights and now < held.token.expires_on
        return held.token if now < held.refresh_at or renewing else None

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token callback holds secrets and is not pickled: make it where it is needed")

    @staticmethod
    def _serves(held: _Held, claims: str | None, rejected: str | None) -> bool:
        if held.token.token == rejected:
            return False
        # A challenge that names no token asks for a new one; one that does may already have been answered.
        return claims is None or (held.claims == claims and rejected is not None)

    def _renew_ahead(self, held: _Held, claims: str | None) -> AccessToken:
        if claims in self._flights:
            return held.token
        try:
            return self._get(claims, held.token.token)
        except BatchAdError as error:
            now = self._clock()
            left = held.token.expires_on - now
            if left <= 0:
                raise
            wait = min(left, max(left / 4, getattr(error, "retry_after_seconds", None) or 0.0))
            with self._lock:
                if self._held is held:
                    self._held = _Held(token=held.token, claims=held.claims, refresh_at=now + wait)
            _log.warning(
                "No new token for Batch; the present one is good for another %.0f s and is used on: %s",
                left,
                error,
            )
            return held.token

    def _get(self, claims: str | None, rejected: str | None) -> AccessToken:
        while True:
            with self._lock:
                held = self._held
                landed = held is not None and self._serves(held, claims, rejected)
                if held is not None and landed and self._clock() < held.refresh_at:
                    return held.token
                flight = self._flights.get(claims)
                leads = flight is None
                if flight is None:
                    self._refuse_to_hurry()
                    flight = self._flights[claims] = Future()
            if leads:
                return self._lead(flight, claims, rejected)
            try:
                return flight.result()
            except CancelledError:
                continue

    def _lead(self, flight: Future[AccessToken], claims: str | None, rejected: str | None) -> AccessToken:
        asked_at = self._clock()
        try:
            token = self._request(claims, rejected).dated(asked_at)
        except BaseException as error:
            with self._lock:
                del self._flights[claims]
                if isinstance(error, Unreachable) and error.retry_after_seconds:
                    wait = min(error.retry_after_seconds, _LONGEST_WAIT_SECONDS)
                    self._asked_to_wait = (self._clock() + wait, error)
            if isinstance(error, Exception):
                flight.set_exception(error)
            else:
                # A timeout or the end of this thread says nothing to the others: one of them asks anew.
                flight.cancel()
            raise
        margin = (token.expires_on - token.obtained_at) * (_MARGIN_AT_LEAST + _MARGIN_SPREAD * self._spread())
        with self._lock:
            del self._flights[claims]
            self._asked_to_wait = None
            self._held = _Held(token=token, claims=claims, refresh_at=token.expires_on - margin)
        flight.set_result(token)
        return token

    def _refuse_to_hurry(self) -> None:
        """While a throttled service's Retry-After lasts, say what it said, without asking it."""
        if self._asked_to_wait is None:
            return
        until, error = self._asked_to_wait
        left = until - self._clock()
        if left > 0:
            raise Unreachable(error.message, step=error.step, retry_after_seconds=left, remedy=error.remedy)
