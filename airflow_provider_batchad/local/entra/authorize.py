"""The authorization endpoint: an application sends a person here and gets a code back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from aiohttp import web

from airflow_provider_batchad.local.entra import errors
from airflow_provider_batchad.local.entra import grant_errors as refused
from airflow_provider_batchad.local.entra.client_credentials import require
from airflow_provider_batchad.local.entra.delegation import Delegation
from airflow_provider_batchad.local.entra.errors import SignInRefused
from airflow_provider_batchad.local.entra.scopes import DelegatedScopes
from airflow_provider_batchad.local.entra.sign_in_pages import send_back

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.config import TenantConfig
    from airflow_provider_batchad.local.entra.application import Application
    from airflow_provider_batchad.local.entra.directory import Directory, Person
    from airflow_provider_batchad.local.entra.sign_ins import SignIns

_MODES: Final = ("query", "fragment", "form_post")
_DECLINED: Final = {
    "error": "access_denied",
    "error_subcode": "cancel",
    "error_description": "AADSTS65004: User declined to consent to access the app.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What the application asks for, once it is known that it may be answered at its address."""

    application: Application
    tenant: TenantConfig | None
    redirect_uri: str
    response_mode: str
    scopes: DelegatedScopes
    state: str | None
    nonce: str | None
    prompt: str
    challenge: str | None
    challenge_method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirection:
    """What goes back to the application, and how."""

    uri: str
    mode: str
    parameters: Mapping[str, str]

    def render(self) -> web.Response:
        """As the answer to the browser."""
        if self.mode == "form_post":
            return send_back(self.uri, self.parameters)
        joint = "#" if self.mode == "fragment" else "&" if "?" in self.uri else "?"
        location = f"{self.uri}{joint}{urlencode(self.parameters)}"
        return web.Response(status=302, headers={"Location": location, **errors.NO_STORE})


class AuthorizationEndpoint:
    """From a request to the code that goes back."""

    def __init__(self, *, directory: Directory, sign_ins: SignIns, clock: Clock) -> None:
        self._directory = directory
        self._sign_ins = sign_ins
        self._clock = clock

    def read(
        self, tenant: TenantConfig | None, query: Mapping[str, str], *, v1: bool
    ) -> AuthorizationRequest:
        """The request, checked.

        :raises SignInRefused: it is shown to the person: no address is known that could be trusted with it.
        """
        client_id = require(query, "client_id")
        application = self._directory.application(client_id)
        home = tenant or self._directory.home_of(client_id)
        if application is None or not application.is_known_in(home.id):
            raise SignInRefused(errors.APPLICATION_NOT_FOUND, client_id=client_id, tenant=home.display_name)
        redirect_uri = require(query, "redirect_uri")
        if not application.allows_redirect_to(redirect_uri):
            raise SignInRefused(refused.REDIRECT_MISMATCH, redirect_uri=redirect_uri, client_id=client_id)
        response_type = require(query, "response_type")
        if response_type != "code":
            raise SignInRefused(refused.RESPONSE_UNSUPPORTED, response_type=response_type)
        mode = query.get("response_mode", "query")
        scopes = (
            DelegatedScopes.of_resource(require(query, "resource"))
            if v1
            else DelegatedScopes.parse(require(query, "scope"))
        )
        return AuthorizationRequest(
            application=application,
            tenant=tenant,
            redirect_uri=redirect_uri,
            response_mode=mode if mode in _MODES else "query",
            scopes=scopes,
            state=query.get("state"),
            nonce=query.get("nonce"),
            prompt=query.get("prompt", ""),
            challenge=query.get("code_challenge"),
            challenge_method=query.get("code_challenge_method", "plain"),
        )

    def people(self, request: AuthorizationRequest) -> tuple[Person, ...]:
        """Who may sign in."""
        tenant = request.tenant
        everybody = self._directory.people()
        return tuple(one for one in everybody if tenant is None or one.principal.tenant_id == tenant.id)

    def approve(self, request: AuthorizationRequest, person: Person) -> Redirection:
        """The person agrees.

        :raises SignInRefused: the tenant does not know them.
        """
        if person not in self.people(request):
            assert request.tenant is not None  # noqa: S101 - without a tenant everybody is known
            raise SignInRefused(
                refused.USER_NOT_FOUND, name=person.principal.name, tenant=request.tenant.display_name
            )
        delegation = Delegation(
            person=person,
            client_id=request.application.principal.app_id,
            scopes=request.scopes,
            signed_in=self._clock.time(),
            nonce=request.nonce,
        )
        code = self._sign_ins.codes.issue(
            delegation,
            redirect_uri=request.redirect_uri,
            challenge=request.challenge,
            challenge_method=request.challenge_method,
        )
        return _send_back(request, {"code": code})

    def decline(self, request: AuthorizationRequest) -> Redirection:
        """The person does not agree."""
        return _send_back(request, _DECLINED)

    def refuse_silence(self, request: AuthorizationRequest) -> Redirection:
        """``prompt=none``, and nobody is signed in."""
        kind = refused.NOT_SIGNED_IN
        text = f"AADSTS{kind.number}: {kind.text}"
        return _send_back(request, {"error": kind.error, "error_description": text})


def _send_back(request: AuthorizationRequest, parameters: Mapping[str, str]) -> Redirection:
    state = {} if request.state is None else {"state": request.state}
    return Redirection(
        uri=request.redirect_uri, mode=request.response_mode, parameters={**parameters, **state}
    )
