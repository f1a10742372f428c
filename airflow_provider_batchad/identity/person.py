"""A person who has signed in by ``batchad login``: from the refresh token of that login to tokens for Batch.

For development: a person's rights are wide, end with a changed password, and ask for a second factor when
nobody is there. What Airflow runs by itself signs in as an application or a machine.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.errors import BatchAdError, SignInError
from airflow_provider_batchad.identity.entra_answers import EntraHttp, explain_failure, read_token
from airflow_provider_batchad.identity.logins import LoginFile, OpenLogin
from airflow_provider_batchad.identity.unreachable import did_not_answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import msal

    from airflow_provider_batchad.clouds import AzureCloud
    from airflow_provider_batchad.identity.principal import Person
    from airflow_provider_batchad.identity.tokens import AccessToken

_log = logging.getLogger(__name__)

_BROWSER_SECONDS: Final = 300


class PersonSignIn:
    """Entra ID as a person sees it.

    :param login_command: what to run to sign in, for messages.
    :param directory: of the login files; the user's own by default.
    :param clock: the time in seconds since the epoch.
    """

    def __init__(
        self,
        cloud: AzureCloud,
        *,
        login_command: str,
        directory: Path | None,
        on_secret: Callable[[str], None],
        retries: int,
        clock: Callable[[], float],
    ) -> None:
        self._cloud = cloud
        self._login_command = login_command
        self._directory = directory
        self._on_secret = on_secret
        self._retries = retries
        self._clock = clock

    def request_token(self, person: Person, scope: str, claims: str | None) -> AccessToken:
        """One token, by the refresh token of the last login; nobody is asked anything.

        :raises SignInError: nobody has logged in, or that login is no longer good.
        :raises Unreachable: no answer, or one that says to try again.
        """
        with LoginFile(self._cloud, person, directory=self._directory).opened() as login:
            asked_at = self._clock()
            cache = self._read(login)
            found = self._ask(
                person,
                cache,
                lambda application: application.acquire_token_silent_with_error(
                    [scope],
                    account=next(iter(application.get_accounts()), None),
                    force_refresh=True,
                    claims_challenge=claims,
                ),
            )
            token = self._token_of(found, asked_at)
            if cache.has_state_changed:
                self._keep(login, cache)
            return token

    def log_in(self, person: Person, scope: str, *, by_device_code: bool, show: Callable[[str], None]) -> str:
        """Let somebody sign in, in a browser here or with a code elsewhere, and keep the refresh token.

        Whoever had logged in before is forgotten.

        :param show: called with each line that the person must read.
        :return: the name of who has signed in.
        :raises SignInError: it came to no end, or Entra ID refused.
        :raises Unreachable: no answer, or one that says to try again.
        """
        import msal

        cache = msal.SerializableTokenCache()
        way = _with_code if by_device_code else _in_browser
        found = self._ask(person, cache, lambda application: way(application, scope, show))
        self._token_of(found, self._clock())
        with LoginFile(self._cloud, person, directory=self._directory).opened() as login:
            try:
                self._write(login, cache)
            except OSError as error:
                raise SignInError(f"The login cannot be kept: {error}.", step="token") from None
        claims = found.get("id_token_claims") or {}
        return str(claims.get("preferred_username") or claims.get("name") or "somebody without a name")

    def _token_of(self, found: dict[str, Any], asked_at: float) -> AccessToken:
        token = read_token(found, asked_at)
        if token is None:
            raise SignInError("Entra ID's answer holds no token.", step="token", remedy=self._remedy())
        self._on_secret(token.token)
        return token

    def _ask(
        self,
        person: Person,
        cache: msal.SerializableTokenCache,
        question: Callable[[msal.PublicClientApplication], Any],
    ) -> dict[str, Any]:
        import msal

        http = EntraHttp(self._cloud.ca_file, retries=self._retries)
        try:
            application = msal.PublicClientApplication(
                person.client_id,
                authority=f"{self._cloud.authority}/{person.tenant_id}",
                instance_discovery=False if self._cloud.custom else None,
                http_client=http,
                token_cache=cache,
            )
            found = question(application)
            if isinstance(found, dict) and "access_token" in found:
                return found
            failure = self._nobody() if found is None else self._explain(http, found, person)
        except BatchAdError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told in our own words
            failure = self._explain(http, error, person)
            raise failure from None  # the SDKs' own texts repeat what was sent or read
        finally:
            http.close()
        raise failure

    def _explain(self, http: EntraHttp, found: Any, person: Person) -> BatchAdError:
        unfinished = isinstance(found, Exception) and not did_not_answer(found)
        if unfinished and http.last is not None and http.last.status < 400:
            return SignInError(
                f"The sign-in came to no end: {type(found).__name__}.", step="token", remedy=self._remedy()
            )
        failure = explain_failure(self._cloud, http.last, found, person, struck=())
        if isinstance(failure, SignInError) and failure.remedy is None:
            return SignInError(failure.message, step="token", code=failure.code, remedy=self._remedy())
        return failure

    def _nobody(self) -> SignInError:
        return SignInError(
            "Nobody has signed in for this connection as this machine's present user.",
            step="token",
            remedy=self._remedy(),
        )

    def _remedy(self) -> str:
        return f"Sign in with: {self._login_command}."

    def _read(self, login: OpenLogin) -> msal.SerializableTokenCache:
        import msal

        cache = msal.SerializableTokenCache()
        state = login.read()
        if state is None:
            raise self._nobody()
        try:
            for secret in _secrets_of(state):
                self._on_secret(secret)
            cache.deserialize(state)
        except (AttributeError, TypeError, ValueError):
            raise self._nobody() from None  # a login that cannot be read is none
        return cache

    def _keep(self, login: OpenLogin, cache: msal.SerializableTokenCache) -> None:
        try:
            self._write(login, cache)
        except OSError as error:
            # The refresh token of before is good for a while.
            _log.warning("The renewed login could not be kept: %s.", error)

    def _write(self, login: OpenLogin, cache: msal.SerializableTokenCache) -> None:
        state: str = cache.serialize()
        for secret in _secrets_of(state):
            self._on_secret(secret)
        login.write(state)


def _secrets_of(state: str) -> list[str]:
    """Every token in MSAL's cache: its entries hold them under ``secret``."""
    kinds = json.loads(state)
    entries = [entry for kind in kinds.values() for entry in kind.values()]
    return [entry["secret"] for entry in entries if isinstance(entry.get("secret"), str)]


def _in_browser(application: msal.PublicClientApplication, scope: str, show: Callable[[str], None]) -> Any:
    import webbrowser

    try:
        webbrowser.get()
    except webbrowser.Error:
        raise SignInError(
            "This machine has no browser.", step="token", remedy="Sign in with --device-code."
        ) from None
    show("A browser opens: sign in there.")
    return application.acquire_token_interactive([scope], prompt="select_account", timeout=_BROWSER_SECONDS)


def _with_code(application: msal.PublicClientApplication, scope: str, show: Callable[[str], None]) -> Any:
    flow = application.initiate_device_flow([scope])
    if "user_code" not in flow:
        return flow
    show(flow["message"])
    return application.acquire_token_by_device_flow(flow)
