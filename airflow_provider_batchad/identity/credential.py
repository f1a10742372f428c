"""The callback as an azure-core credential and as the policy of a Batch client's pipeline."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken as AzureAccessToken
from azure.core.credentials import AccessTokenInfo
from azure.core.pipeline.policies import AsyncHTTPPolicy, HTTPPolicy

from airflow_provider_batchad.errors import ForeignHostRefused
from airflow_provider_batchad.identity.loop_threads import ask_in_thread

if TYPE_CHECKING:
    from azure.core.credentials import TokenRequestOptions
    from azure.core.pipeline import PipelineRequest, PipelineResponse

    from airflow_provider_batchad.identity.tokens import AccessToken, TokenCallback

_NOT_PICKLED: Final = "a credential is not pickled: make it where it is needed"
_CLAIMS: Final = re.compile(r'\bclaims="([A-Za-z0-9+/_=-]+)"')
_CLAIMS_ANSWERED: Final = "batchad_claims_answered"
_REFUSAL_ANSWERED: Final = "batchad_refusal_answered"
_RAN_OUT: Final = "batchad_tokens_that_ran_out"
_RAN_OUT_AT_MOST: Final = 5


class CallbackCredential:
    """The callback as azure-core's ``TokenCredential``; it keeps no token of its own."""

    def __init__(self, callback: TokenCallback) -> None:
        self._callback = callback

    def get_token(self, *_scopes: str, claims: str | None = None, **_options: Any) -> AzureAccessToken:
        token = self._callback(claims=claims)
        return AzureAccessToken(token.token, int(token.expires_on))

    def get_token_info(self, *_scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        token = self._callback(claims=(options or {}).get("claims"))
        return AccessTokenInfo(token.token, int(token.expires_on))

    def close(self) -> None:
        """Nothing is open."""

    def __reduce__(self) -> NoReturn:
        raise TypeError(_NOT_PICKLED)


class AsyncTokenCallback:
    """The callback for an event loop: a thread asks, while all who wait share the one question."""

    def __init__(self, callback: TokenCallback) -> None:
        self._callback = callback
        self._asking: dict[tuple[int, str | None, str | None], asyncio.Task[AccessToken]] = {}

    async def __call__(self, *, claims: str | None = None, rejected: str | None = None) -> AccessToken:
        ready = self._callback.ready(claims=claims, rejected=rejected)
        if ready is not None:
            return ready
        key = (id(asyncio.get_running_loop()), claims, rejected)
        task = self._asking.get(key)
        if task is None or task.done():
            task = asyncio.create_task(
                ask_in_thread(lambda: self._callback(claims=claims, rejected=rejected))
            )
            self._asking[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        # One who waits may be cancelled; the others still want the answer.
        return await asyncio.shield(task)

    def _forget(self, key: tuple[int, str | None, str | None], done: asyncio.Task[AccessToken]) -> None:
        if self._asking.get(key) is done:
            del self._asking[key]
        if not done.cancelled():
            done.exception()  # seen, even where all who waited were cancelled

    def __reduce__(self) -> NoReturn:
        raise TypeError(_NOT_PICKLED)


class AsyncCallbackCredential:
    """The callback as azure-core's ``AsyncTokenCredential``; it keeps no token of its own."""

    def __init__(self, callback: TokenCallback) -> None:
        self._callback = AsyncTokenCallback(callback)

    async def get_token(self, *_scopes: str, claims: str | None = None, **_options: Any) -> AzureAccessToken:
        token = await self._callback(claims=claims)
        return AzureAccessToken(token.token, int(token.expires_on))

    async def get_token_info(
        self, *_scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        token = await self._callback(claims=(options or {}).get("claims"))
        return AccessTokenInfo(token.token, int(token.expires_on))

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(_NOT_PICKLED)


class _AccountOnly:
    """What both policies know: to which host a token may go, and which refusals are answered."""

    def __init__(self, account_url: str) -> None:
        self._account = _origin(account_url)

    def guard(self, request: PipelineRequest[Any]) -> None:
        """Take away any token, and refuse any host and port but the account's.

        :raises ForeignHostRefused: the request goes elsewhere, by a paging link or a redirect.
        """
        request.http_request.headers.pop("Authorization", None)
        if _origin(request.http_request.url) != self._account:
            _, host, port = self._account
            raise ForeignHostRefused(
                f"A request with a token was about to go to another host than {host}:{port}, the account's; "
                "it was not sent."
            )

    @staticmethod
    def authorize(request: PipelineRequest[Any], token: AccessToken) -> None:
        request.http_request.headers["Authorization"] = f"Bearer {token.token}"

    @staticmethod
    def next_question(
        request: PipelineRequest[Any], response: PipelineResponse[Any, Any], token: AccessToken
    ) -> dict[str, str] | None:
        """What to ask the callback after this answer; nothing where the answer stands.

        Each kind of 401 is answered once for a request, its retries included; one for a token that ran out on
        the way, where a busy process lets requests wait, a few times more.
        """
        if response.http_response.status_code != 401:
            return None
        claims = _claims_of(response.http_response.headers.get("WWW-Authenticate"))
        answered = _CLAIMS_ANSWERED if claims is not None else _REFUSAL_ANSWERED
        if claims is None and time.time() >= token.expires_on:
            ran_out = request.context.get(_RAN_OUT, 0)
            if ran_out < _RAN_OUT_AT_MOST:
                request.context[_RAN_OUT] = ran_out + 1
                return {"rejected": token.token}
        if request.context.get(answered):
            return None
        request.context[answered] = True
        question = {"rejected": token.token}
        if claims is not None:
            question["claims"] = claims
        return question


class TokenPolicy(HTTPPolicy[Any, Any]):
    """Asks the callback for each attempt of each request; goes where azure-core's bearer policy would.

    :param account_url: no other host is sent a token.
    """

    def __init__(self, callback: TokenCallback, account_url: str) -> None:
        super().__init__()
        self._callback = callback
        self._account = _AccountOnly(account_url)

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send with a token; answer a claims challenge once and any other 401 once with a fresh token."""
        self._account.guard(request)
        token = self._callback()
        while True:
            self._account.authorize(request, token)
            response = self.next.send(request)
            question = self._account.next_question(request, response, token)
            if question is None:
                return response
            response.http_response.close()
            token = self._callback(**question)

    def __reduce__(self) -> NoReturn:
        raise TypeError(_NOT_PICKLED)


class AsyncTokenPolicy(AsyncHTTPPolicy[Any, Any]):
    """The same for an asynchronous client.

    :param account_url: no other host is sent a token.
    """

    def __init__(self, callback: TokenCallback, account_url: str) -> None:
        super().__init__()
        self._callback = AsyncTokenCallback(callback)
        self._account = _AccountOnly(account_url)

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send with a token; answer a claims challenge once and any other 401 once with a fresh token."""
        self._account.guard(request)
        token = await self._callback()
        while True:
            self._account.authorize(request, token)
            response = await self.next.send(request)
            question = self._account.next_question(request, response, token)
            if question is None:
                return response
            await response.http_response.close()
            token = await self._callback(**question)

    def __reduce__(self) -> NoReturn:
        raise TypeError(_NOT_PICKLED)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 0)


def _claims_of(challenge: str | None) -> str | None:
    """The claims of an ``insufficient_claims`` challenge, decoded.

    learn.microsoft.com/entra/identity-platform/claims-challenge
    """
    if not challenge or 'error="insufficient_claims"' not in challenge:
        return None
    found = _CLAIMS.search(challenge)
    if found is None:
        return None
    encoded = found[1].replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
