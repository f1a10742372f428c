"""What MSAL is given to send its requests with, and what Entra ID's answers mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.errors import BatchAdError, Unreachable
from airflow_provider_batchad.identity.entra_errors import explain_entra_error
from airflow_provider_batchad.identity.proxies import strike_proxy_passwords, usable_proxy
from airflow_provider_batchad.identity.tokens import AccessToken
from airflow_provider_batchad.identity.transports import ignore_netrc
from airflow_provider_batchad.identity.unreachable import is_outage, parse_retry_after
from airflow_provider_batchad.identity.whole_answer import bounded

if TYPE_CHECKING:
    import requests

    from airflow_provider_batchad.clouds import AzureCloud
    from airflow_provider_batchad.identity.principal import Application, Person

_TIMEOUT_SECONDS: Final = (10, 30)
# Entra ID's longest is 28 hours.
_LONGEST_LIFE_SECONDS: Final = 30 * 24 * 3600.0
# The beginning of an error_description: elsewhere a number may be anybody's words.
_AADSTS: Final = re.compile(r"AADSTS(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The last answer of Entra ID, kept because MSAL's exceptions do not carry it."""

    status: int
    retry_after_seconds: float | None
    text: str


class EntraHttp:
    """What MSAL sends its requests with.

    Not a bare ``requests.Session``: that prefers ``REQUESTS_CA_BUNDLE`` to its own ``verify``, and follows a
    redirect with the client secret in the body.
    """

    def __init__(self, ca_file: str | None, *, retries: int) -> None:
        import requests

        self._verify = {"verify": ca_file} if ca_file is not None else {}
        self._attempts = 2 if retries else 1
        # Its own adapter is left as it is: one that may try again (MSAL's may) sleeps out any Retry-After.
        self._session = requests.Session()
        ignore_netrc(self._session)
        self.last: Answer | None = None

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._send("GET", url, options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._send("POST", url, options)

    def close(self) -> None:
        self._session.close()

    def _send(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        self.last = None
        usable_proxy(url)
        settings = {"timeout": _TIMEOUT_SECONDS, **options, **self._verify, "allow_redirects": False}
        response = self._request(method, url, settings)
        self.last = Answer(
            status=response.status_code,
            retry_after_seconds=parse_retry_after(response.headers),
            text=response.text if response.status_code >= 400 else "",
        )
        return response

    def _request(self, method: str, url: str, settings: dict[str, Any]) -> requests.Response:
        from requests import ConnectionError as BrokenConnection

        for _ in range(self._attempts - 1):
            try:
                return bounded(lambda: self._session.request(method, url, **settings))
            except BrokenConnection:
                continue
        return bounded(lambda: self._session.request(method, url, **settings))


def read_token(found: Any, asked_at: float) -> AccessToken | None:
    """The token of MSAL's answer; nothing where it holds none.

    :raises ValueError: its life is not what Entra ID gives a token.
    """
    token = found.get("access_token") if isinstance(found, dict) else None
    if not isinstance(token, str) or not token:
        return None
    seconds = float(found["expires_in"])
    if not 0 < seconds < _LONGEST_LIFE_SECONDS:
        raise ValueError("the token's life is no length of time")
    return AccessToken(token=token, expires_on=asked_at + seconds)


def explain_failure(
    cloud: AzureCloud,
    last: Answer | None,
    found: Any,
    principal: Application | Person,
    *,
    struck: Iterable[str] = (),
) -> BatchAdError:
    """The failure in the words of the connection.

    :param last: Entra ID's last answer, if there was one.
    :param found: MSAL's answer, or what it raised.
    :param struck: what was sent and must not be repeated.
    """
    number, told = _said(found, last)
    text = strike_proxy_passwords(told)
    for secret in struck:
        text = text.replace(secret, "***")
    if last is None:
        return Unreachable(
            f"Entra ID at {cloud.authority} did not answer: {text}",
            step="token",
            remedy="Check the network and the proxy; for a cloud of your own, 'authority' and 'ca_file'.",
        )
    # The status goes first: a throttled tenant and a service in trouble have numbers too.
    if is_outage(last.status):
        return Unreachable(
            f"Entra ID at {cloud.authority} answered {last.status}{f' (AADSTS{number})' if number else ''}.",
            step="token",
            retry_after_seconds=last.retry_after_seconds,
            remedy="Nothing is wrong with the connection by that; try again.",
        )
    if number is not None:
        return explain_entra_error(number, text, principal, retry_after_seconds=last.retry_after_seconds)
    return Unreachable(
        f"What answered at {cloud.authority} ({last.status}) is not Entra ID's answer: {text}",
        step="token",
        remedy="Look for a proxy or a sign-in page in between; for a cloud of your own, at 'authority'.",
    )


def _said(found: Any, last: Answer | None) -> tuple[int | None, str]:
    """Entra ID's number and its own words: from MSAL's answer, from the last answer's body, or neither.

    learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow (Error response)
    """
    body = found if isinstance(found, dict) else _json_object(last.text) if last is not None else {}
    description, codes = body.get("error_description"), body.get("error_codes")
    begins = _AADSTS.match(description) if isinstance(description, str) else None
    if begins is not None:
        number: int | None = int(begins[1])
    else:
        number = codes[0] if isinstance(codes, list) and codes and type(codes[0]) is int else None
    if number is not None or isinstance(found, dict):
        return number, str(description or body.get("error") or "no token and no error in it")
    return None, f"{type(found).__name__}: {found}" if last is None else type(found).__name__


def _json_object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
