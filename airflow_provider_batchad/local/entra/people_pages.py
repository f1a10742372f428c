"""The part of the simulated Entra ID where people sign in: the authorization page and device codes."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.entra import errors
from airflow_provider_batchad.local.entra.authorize import AuthorizationEndpoint, Redirection
from airflow_provider_batchad.local.entra.client_credentials import require
from airflow_provider_batchad.local.entra.device_codes import LIFETIME_SECONDS, DeviceRequest
from airflow_provider_batchad.local.entra.errors import SignInRefused
from airflow_provider_batchad.local.entra.scopes import DelegatedScopes
from airflow_provider_batchad.local.entra.sign_in_pages import show_choice, show_code_form, show_page
from airflow_provider_batchad.local.json_answer import answer_json
from airflow_provider_batchad.local.request_body import read_form
from airflow_provider_batchad.local.service import operation

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.entra.directory import Directory, Person
    from airflow_provider_batchad.local.entra.sign_ins import SignIns
    from airflow_provider_batchad.local.entra.tenants import TenantNames

_PERSON: Final = "authorization_code"


class PeopleSignIn:
    """Pages, and the start of a device's request.

    :param authority: Entra ID's own address.
    """

    def __init__(
        self, *, authority: str, directory: Directory, tenants: TenantNames, sign_ins: SignIns, clock: Clock
    ) -> None:
        self._authority = authority
        self._directory = directory
        self._tenants = tenants
        self._sign_ins = sign_ins
        self._authorization = AuthorizationEndpoint(directory=directory, sign_ins=sign_ins, clock=clock)

    def open_as(self, url: str, person: Person) -> Redirection:
        """What a browser would be sent to, had this person opened the address and agreed.

        :raises SignInRefused: the page would show an error.
        :raises ValueError: the address is not that of the authorization endpoint.
        """
        parts = urlsplit(url)
        tenant, _, path = parts.path.strip("/").partition("/")
        if f"{parts.scheme}://{parts.netloc}" != self._authority or not path.endswith("authorize"):
            raise ValueError("the URL is not that of this Entra ID's authorization endpoint")
        found = self._tenants.find_for_grant(tenant, grant_type=_PERSON)
        query = dict(parse_qsl(parts.query))
        asked = self._authorization.read(found, query, v1="/v2.0/" not in parts.path)
        return self._authorization.approve(asked, person)

    @operation("Authorize")
    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """``GET`` and ``POST /{tenant}/oauth2/v2.0/authorize``, and the same of v1."""
        try:
            return await self._authorize(request)
        except SignInRefused as refused:
            return _show_refusal(refused)

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        tenant = self._tenants.find_for_grant(request.match_info["tenant"], grant_type=_PERSON)
        asked = self._authorization.read(tenant, request.query, v1="/v2.0/" not in request.path)
        people = self._authorization.people(asked)
        if request.method == "POST":
            form = await read_form(request)
            if "decline" in form:
                return self._authorization.decline(asked).render()
            person = self._directory.person(str(form.get("person", "")))
        else:
            person = self._sign_ins.at_browser
        if person is not None:
            current_call().principal = person.using(asked.application.principal.app_id)
            return self._authorization.approve(asked, person).render()
        if asked.prompt == "none":
            return self._authorization.refuse_silence(asked).render()
        return show_choice(people, application=asked.application.principal.name)

    @operation("Device Code")
    async def begin_device(self, request: web.Request) -> web.StreamResponse:
        """``POST /{tenant}/oauth2/v2.0/devicecode``, and the same of v1, by ``resource``."""
        v1 = "/v2.0/" not in request.path
        tenant = self._tenants.find_for_grant(request.match_info["tenant"], grant_type=_PERSON)
        form = await read_form(request)
        client_id = require(form, "client_id")
        application = self._directory.application(client_id)
        home = tenant or self._directory.home_of(client_id)
        if application is None or not application.is_known_in(home.id):
            raise SignInRefused(errors.APPLICATION_NOT_FOUND, client_id=client_id, tenant=home.display_name)
        scopes = (
            DelegatedScopes.of_resource(require(form, "resource"))
            if v1
            else DelegatedScopes.parse(require(form, "scope"))
        )
        started = self._sign_ins.device_codes.begin(
            client_id=application.principal.app_id,
            tenant_id=None if tenant is None else tenant.id,
            scopes=scopes,
        )
        return answer_json(self._describe(started, v1=v1), headers=errors.token_headers())

    def _describe(self, started: DeviceRequest, *, v1: bool) -> dict[str, object]:
        page = f"{self._authority}/devicelogin"
        interval = self._sign_ins.device_codes.interval_seconds
        return {
            "user_code": started.user_code,
            "device_code": started.device_code,
            ("verification_url" if v1 else "verification_uri"): page,
            "expires_in": str(LIFETIME_SECONDS) if v1 else LIFETIME_SECONDS,
            "interval": str(interval) if v1 else interval,
            "message": (
                f"To sign in, use a web browser to open the page {page} and enter the code "
                f"{started.user_code} to authenticate."
            ),
        }

    @operation("Device Login")
    async def login_device(self, request: web.Request) -> web.StreamResponse:
        """``GET`` and ``POST /devicelogin``: where the code of a device is typed in and approved."""
        form = await read_form(request) if request.method == "POST" else request.query
        user_code = str(form.get("user_code", ""))
        if not user_code:
            return show_code_form()
        waiting = next(
            (one for one in self._sign_ins.device_codes.pending() if one.user_code == user_code.upper()), None
        )
        if waiting is None:
            return show_page("That code didn't work", "<p>Check the code and try again.</p>", status=400)
        if "decline" in form:
            self._sign_ins.decline_device(user_code)
            return show_page("You have declined", "<p>You may close this window.</p>")
        person = self._directory.person(str(form.get("person", ""))) or self._sign_ins.at_browser
        if person is not None:
            try:
                self._sign_ins.device_codes.approve(user_code, person)
            except ValueError as error:
                return show_page("You can't sign in here", f"<p>{escape(str(error))}</p>", status=400)
            return show_page("You have signed in", "<p>You may close this window.</p>")
        application = self._directory.application(waiting.client_id)
        name = waiting.client_id if application is None else application.principal.name
        people = (
            one for one in self._directory.people() if waiting.tenant_id in (None, one.principal.tenant_id)
        )
        return show_choice(people, application=name, user_code=waiting.user_code)


def _show_refusal(refused: SignInRefused) -> web.Response:
    current_call().error_code = f"AADSTS{refused.kind.number}"
    text = f"<p>AADSTS{refused.kind.number}: {escape(refused.text)}</p>"
    return show_page("Sorry, but we're having trouble signing you in", text, status=refused.kind.status)
