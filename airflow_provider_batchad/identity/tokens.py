"""The callback that every request to Batch asks for its token."""

from __future__ import annotations

import logging
import math
import os
import random
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NoReturn

from airflow_provider_batchad.errors import BatchAdError, Unreachable
from airflow_provider_batchad.identity.patience import DEFAULT_RETRIES, IMPATIENT, Patience

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.cache_entry import Cipher
    from airflow_provider_batchad.identity.surroundings import Surroundings
    from airflow_provider_batchad.identity.validity import Validity

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
    """Who signs in, for messages; what stands in Key Vault is known after the first token only.

    :param warnings: of secrets and certificates that have ended or end soon, a sentence each.
    """

    sign_in: str
    tenant_id: str | None = None
    client_id: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    token: AccessToken
    claims: str | None
    refresh_at: float


_alive: weakref.WeakSet[TokenCallback] = weakref.WeakSet()


class TokenCallback:
    """Answers from its own copy, and asks for a new token only near the old one's end or when told to.

    Threads that need a token at once share one request. A token that is still valid is used when a new one
    cannot be had, and nobody is waited for then; without one, who does not answer is asked again.

    :param request: asks for a token, with the claims of a challenge and the token that was refused or nears
        its end, where there are such.
    :param facts: who signs in.
    :param patience: how long it asks again without a valid token; by default it does not.
    :param clock: the time in seconds since the epoch.
    :param spread: a number from 0 to 1, drawn anew for each token.
    """

    def __init__(
        self,
        request: Callable[[str | None, str | None], AccessToken],
        *,
        facts: Callable[[], PrincipalFacts] | None = None,
        patience: Patience = IMPATIENT,
        clock: Callable[[], float] = time.time,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._request = request
        self._facts = facts
        self._patience = patience
        self._clock = clock
        self._spread = spread
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._flights: dict[str | None, Future[AccessToken]] = {}
        self._asked_to_wait: tuple[float, Unreachable] | None = None
        _alive.add(self)

    @classmethod
    def for_connection(
        cls,
        connection: BatchConnection,
        *,
        on_secret: Callable[[str], None],
        retries: int = DEFAULT_RETRIES,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
        cipher: Cipher | None = None,
        cache_dir: Path | None = None,
        surroundings: Surroundings | None = None,
        reload: Callable[[], BatchConnection] | None = None,
        on_validity: Callable[[Validity, float], None] | None = None,
        scope: str | None = None,
    ) -> TokenCallback:
        """The callback for the Batch resource of the connection's cloud. Nothing is asked of anyone yet.

        :param on_secret: called with every secret and token as soon as it is read, before its use.
        :param retries: how often who does not answer is asked again, where no valid token is left; 0 for a
            quick test.
        :param patience: when and how long it asks again, in place of ``retries``.
        :param cipher: encrypts the tokens that the machine's processes share; without one, none is shared.
        :param cache_dir: where those are; a directory of the user's own by default.
        :param surroundings: what the machine and the Airflow configuration say about signing in.
        :param reload: reads the connection again, when what it says is refused; it may have been edited.
        :param on_validity: called with each secret and certificate that has an end, and its days left,
            whenever it is read.
        :param scope: of another resource of the cloud, in place of Batch.
        :raises ConnectionFieldError: the connection wants a person where nobody is there, or another
            connection to reach its vault that was not looked up.
        """
        from airflow_provider_batchad.connection import SignIn
        from airflow_provider_batchad.identity.cache import CachedTokenRequest
        from airflow_provider_batchad.identity.reload import ReloadingTokenRequest, TokenSource
        from airflow_provider_batchad.identity.sign_in import BatchSignIn

        def make(connection: BatchConnection) -> TokenSource:
            # It asks once: the cache lets go of its lock before anybody is asked again.
            sign_in = BatchSignIn(
                connection,
                on_secret=on_secret,
                retries=0,
                clock=clock,
                surroundings=surroundings,
                on_validity=on_validity,
                scope=scope,
            )
            # A person's tokens are kept where they signed in.
            if cipher is None or connection.sign_in is SignIn.INTEGRATED:
                return TokenSource(request=sign_in.request_token, facts=sign_in.facts)
            shared = CachedTokenRequest.for_connection(
                connection,
                sign_in.request_token,
                facts=sign_in.facts,
                cipher=cipher,
                directory=cache_dir,
                on_secret=on_secret,
                clock=clock,
                scope=scope,
            )
            return TokenSource(request=shared, facts=shared.facts)

        patience = patience or Patience(retries=retries)
        if reload is None:
            source = make(connection)
            return cls(source.request, facts=source.facts, patience=patience, clock=clock)
        reloading = ReloadingTokenRequest(connection, make=make, reload=reload)
        return cls(reloading, facts=reloading.facts, patience=patience, clock=clock)

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
        return self._get(claims, rejected, self._patience)

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
            return self._get(claims, held.token.token, IMPATIENT)
        except BatchAdError as error:
            now = self._clock()
            left = held.token.expires_on - now
            if left <= 0:
                if isinstance(error, Unreachable):
                    return self._get(claims, held.token.token, self._patience)
                raise
            wait = min(left, max(left / 4, getattr(error, "retry_after_seconds", None) or 0.0))
            with self._lock:
                if self._held is held:
                    self._held = _Held(token=held.token, claims=held.claims, refresh_at=now + wait)
            _log.warning(
                "No new token; the present one is good for another %.0f s and is used on: %s",
                left,
                error,
            )
            return held.token

    def _get(self, claims: str | None, rejected: str | None, patience: Patience) -> AccessToken:
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
                return self._lead(flight, claims, rejected, patience)
            try:
                return flight.result()
            except CancelledError:
                continue

    def _lead(
        self, flight: Future[AccessToken], claims: str | None, rejected: str | None, patience: Patience
    ) -> AccessToken:
        def ask() -> AccessToken:
            asked_at = self._clock()
            return self._request(claims, rejected).dated(asked_at)

        try:
            token = patience.ask(ask)
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

    def forget_other_threads(self) -> None:
        """In a forked process: begin anew with what other threads of its parent were doing."""
        self._lock = threading.Lock()
        self._flights = {}


def _forget_other_threads() -> None:
    """A forked process has none of the threads that held a lock or were asking: nobody would ever answer."""
    for callback in list(_alive):
        callback.forget_other_threads()


os.register_at_fork(after_in_child=_forget_other_threads)
