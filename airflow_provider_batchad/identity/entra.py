"""Asks Entra ID for a token of an application, by MSAL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.errors import BatchAdError, Unreachable
from airflow_provider_batchad.identity.entra_errors import explain_entra_error
from airflow_provider_batchad.identity.tokens import AccessToken
from airflow_provider_batchad.identity.unreachable import is_outage, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from airflow_provider_batchad.clouds import AzureCloud
    from airflow_provider_batchad.identity.principal import ClientSecret

_TIMEOUT_SECONDS: Final = (10, 30)
_AADSTS: Final = re.compile(r"AADSTS(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """The last answer of Entra ID, kept because MSAL's exceptions do not carry it."""

    status: int
    retry_after_seconds: float | None
    text: str


class EntraId:
    """The token endpoint of one cloud.

    :param retries: above 0, a request whose connection broke is sent once more.
    :param clock: the time in seconds since the epoch.
    """

    def __init__(
        self,
        cloud: AzureCloud,
        *,
        on_secret: Callable[[str], None],
        retries: int,
        clock: Callable[[], float],
    ) -> None:
        self._cloud = cloud
        self._retries = retries
        self._on_secret = on_secret
        self._clock = clock
        # MSAL keeps discovery documents here for a day, and errors too: emptied after each failure, since a
        # remembered error would be answered in place of a service that has recovered.
        self._http_cache: dict[str, Any] = {}

    def request_token(self, principal: ClientSecret, scope: str, claims: str | None) -> AccessToken:
        """One token, by the client credentials grant.

        :raises CredentialRefused: the secret is wrong or has expired.
        :raises PrincipalNotFound: the tenant or the application is not known.
        :raises SignInError: any other refusal.
        :raises Unreachable: no answer, or one that says to try again.
        """
        http = _HttpClient(self._cloud.ca_file, retries=self._retries)
        asked_at = self._clock()
        try:
            found = self._ask(http, principal, scope, claims)
            token = _read_token(found, asked_at)
            if token is not None:
                self._on_secret(token.token)
                return token
            failure = self._explain(http.last, found, principal)
        except BatchAdError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told in our own words
            failure = self._explain(http.last, error, principal)
            self._http_cache.clear()
            raise failure from None  # the SDKs' own texts repeat what was sent or read
        finally:
            http.close()
        self._http_cache.clear()
        raise failure

    def _ask(self, http: _HttpClient, principal: ClientSecret, scope: str, claims: str | None) -> Any:
        import msal

        # A client of its own for each token: MSAL's cache would answer a refused token again, and does not
        # answer one of less than five minutes at all. Making it reads the tenant's discovery document.
        application = msal.ConfidentialClientApplication(
            principal.client_id,
            client_credential=principal.secret,
            authority=f"{self._cloud.authority}/{principal.tenant_id}",
            instance_discovery=False if self._cloud.custom else None,
            azure_region=False if self._cloud.custom else None,
            http_client=http,
            http_cache=self._http_cache,
        )
        return application.acquire_token_for_client(scopes=[scope], claims_challenge=claims)

    def _explain(self, last: _Answer | None, found: Any, principal: ClientSecret) -> BatchAdError:
        text = _text_of(found, last).replace(principal.secret, "***")
        if last is None:
            return Unreachable(
                f"Entra ID at {self._cloud.authority} did not answer: {text}",
                step="token",
                remedy="Check the network and the proxy; for a cloud of your own, 'authority' and 'ca_file'.",
            )
        number = _AADSTS.search(text)
        if number is not None:
            return explain_entra_error(
                int(number[1]), text, principal, retry_after_seconds=last.retry_after_seconds
            )
        if is_outage(last.status):
            return Unreachable(
                f"Entra ID at {self._cloud.authority} answered {last.status}.",
                step="token",
                retry_after_seconds=last.retry_after_seconds,
                remedy="Nothing is wrong with the connection by that; try again.",
            )
        return Unreachable(
            f"What answered at {self._cloud.authority} ({last.status}) is not Entra ID's answer: {text}",
            step="token",
            remedy="Look for a proxy or a sign-in page in between; for a cloud of your own, at 'authority'.",
        )


class _HttpClient:
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
        self.last: _Answer | None = None

    def get(self, url: str, **options: Any) -> requests.Response:
        return self._send("GET", url, options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self._send("POST", url, options)

    def close(self) -> None:
        self._session.close()

    def _send(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        self.last = None
        settings = {"timeout": _TIMEOUT_SECONDS, **options, **self._verify, "allow_redirects": False}
        response = self._request(method, url, settings)
        self.last = _Answer(
            status=response.status_code,
            retry_after_seconds=parse_retry_after(response.headers),
            text=response.text if response.status_code >= 400 else "",
        )
        return response

    def _request(self, method: str, url: str, settings: dict[str, Any]) -> requests.Response:
        from requests import ConnectionError as BrokenConnection

        for _ in range(self._attempts - 1):
            try:
                return self._session.request(method, url, **settings)
            except BrokenConnection:
                continue
        return self._session.request(method, url, **settings)


def _read_token(found: Any, asked_at: float) -> AccessToken | None:
    token = found.get("access_token") if isinstance(found, dict) else None
    if not isinstance(token, str) or not token:
        return None
    return AccessToken(token=token, expires_on=asked_at + float(found["expires_in"]))


def _text_of(found: Any, last: _Answer | None) -> str:
    """Entra ID's own words: from MSAL's answer, from the last answer's body, or from the exception."""
    if isinstance(found, dict):
        return str(found.get("error_description") or found.get("error") or "no token and no error in it")
    if last is not None and last.text and _AADSTS.search(last.text):
        description = re.search(r'"error_description"\s*:\s*"([^"]*)"', last.text)
        return description[1] if description else last.text
    return f"{type(found).__name__}: {found}" if last is None else type(found).__name__
