"""The simulated Entra ID: its routes, and how its errors look."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.entra import errors
from airflow_provider_batchad.local.entra.client_credentials import ClientCredentials, with_basic_credentials
from airflow_provider_batchad.local.entra.discovery import describe_v1, describe_v2
from airflow_provider_batchad.local.entra.errors import SignInRefused, render_sign_in_error
from airflow_provider_batchad.local.entra.people_pages import PeopleSignIn
from airflow_provider_batchad.local.entra.person_tokens import PersonTokens
from airflow_provider_batchad.local.entra.tenants import TenantNames
from airflow_provider_batchad.local.entra.token_endpoint import TokenEndpoint
from airflow_provider_batchad.local.json_answer import answer_json
from airflow_provider_batchad.local.request_body import read_form
from airflow_provider_batchad.local.service import Handler, operation

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.entra.directory import Directory
    from airflow_provider_batchad.local.entra.federated_assertion import TrustedIssuers
    from airflow_provider_batchad.local.entra.sign_ins import SignIns
    from airflow_provider_batchad.local.entra.tokens import Principal, TokenAuthority
    from airflow_provider_batchad.local.secrets_file import SecretsFile


_AUTHORIZE_PATHS: Final = ("/{tenant}/oauth2/v2.0/authorize", "/{tenant}/oauth2/authorize")


class EntraId:
    """Sign-in for applications and people, over the protocol that MSAL and azure-identity speak.

    :param authority: its own address, ``https://localhost:PORT``.
    :param issuers: whose tokens may be an application's proof.
    """

    def __init__(
        self,
        *,
        authority: str,
        directory: Directory,
        issuers: TrustedIssuers,
        sign_ins: SignIns,
        tokens: TokenAuthority,
        clock: Clock,
        secrets_file: SecretsFile,
    ) -> None:
        self._authority = authority
        self._directory = directory
        self._tokens = tokens
        self._clock = clock
        self._tenants = TenantNames(directory)
        credentials = ClientCredentials(
            authority=authority,
            directory=directory,
            issuers=issuers,
            tokens=tokens,
            clock=clock,
            secrets_file=secrets_file,
        )
        people = PersonTokens(
            authority=authority,
            credentials=credentials,
            sign_ins=sign_ins,
            tokens=tokens,
            clock=clock,
            secrets_file=secrets_file,
        )
        self._endpoint = TokenEndpoint(
            directory=directory, credentials=credentials, people=people, sign_ins=sign_ins
        )
        self.people = PeopleSignIn(
            authority=authority, directory=directory, tenants=self._tenants, sign_ins=sign_ins, clock=clock
        )

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes of the service."""
        document = ".well-known/openid-configuration"
        return [
            web.get("/common/discovery/instance", self._answering(self.discover_instance)),
            web.get(f"/{{tenant}}/v2.0/{document}", self._answering(self.discover_v2)),
            web.get(f"/{{tenant}}/{document}", self._answering(self.discover_v1)),
            web.get("/{tenant}/discovery/v2.0/keys", self._answering(self.list_keys)),
            web.get("/{tenant}/discovery/keys", self._answering(self.list_keys)),
            web.post("/{tenant}/oauth2/v2.0/token", self._answering(self.issue_v2)),
            web.post("/{tenant}/oauth2/token", self._answering(self.issue_v1)),
            *self._people_routes(),
        ]

    def _people_routes(self) -> list[web.AbstractRouteDef]:
        authorize, login = self.people.authorize, self.people.login_device
        device = self._answering(self.people.begin_device)
        return [
            *(web.get(path, authorize) for path in _AUTHORIZE_PATHS),
            *(web.post(path, authorize) for path in _AUTHORIZE_PATHS),
            web.post("/{tenant}/oauth2/v2.0/devicecode", device),
            web.post("/{tenant}/oauth2/devicecode", device),
            web.get("/devicelogin", login),
            web.post("/devicelogin", login),
        ]

    async def find_principal(self, request: web.Request) -> Principal | None:
        """Whose token a request asks for, true or not."""
        if request.method != "POST":
            return None
        application = self._directory.application((await _read_form(request)).get("client_id", ""))
        return application.principal if application is not None else None

    def render_error(self, _request: web.Request, status: int, code: str | None) -> web.Response:
        """An outage of the service, as its clients know it."""
        error = code or ("temporarily_unavailable" if status in (429, 503, 504) else "server_error")
        current_call().error_code = error
        body = {"error": error, "error_description": "The service is temporarily unavailable. Try again."}
        return answer_json(body, status=status, headers=errors.NO_STORE)

    @operation("Instance Discovery")
    async def discover_instance(self, request: web.Request) -> web.StreamResponse:
        """``GET /common/discovery/instance``: which names this authority goes by."""
        endpoint = urlsplit(request.query.get("authorization_endpoint", ""))
        own = urlsplit(self._authority).netloc
        if endpoint.netloc != own:
            raise SignInRefused(errors.INVALID_INSTANCE)
        tenant = endpoint.path.strip("/").split("/")[0] or "common"
        body = {
            "tenant_discovery_endpoint": f"{self._authority}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": own, "preferred_cache": own, "aliases": [own]}],
        }
        return answer_json(body, headers=_cacheable())

    @operation("OpenID Configuration")
    async def discover_v2(self, request: web.Request) -> web.StreamResponse:
        """``GET /{tenant}/v2.0/.well-known/openid-configuration``, tenant by id or domain."""
        tenant = self._tenants.in_document(request.match_info["tenant"])
        return answer_json(describe_v2(self._authority, tenant), headers=_cacheable())

    @operation("OpenID Configuration")
    async def discover_v1(self, request: web.Request) -> web.StreamResponse:
        """``GET /{tenant}/.well-known/openid-configuration``: the same for v1."""
        tenant = self._tenants.in_document(request.match_info["tenant"])
        return answer_json(describe_v1(self._authority, tenant), headers=_cacheable())

    @operation("Discovery Keys")
    async def list_keys(self, request: web.Request) -> web.StreamResponse:
        """``GET /{tenant}/discovery/v2.0/keys``."""
        self._tenants.in_document(request.match_info["tenant"])
        return answer_json(self._tokens.public_keys(), headers=_cacheable())

    @operation("Token")
    async def issue_v2(self, request: web.Request) -> web.StreamResponse:
        """``POST /{tenant}/oauth2/v2.0/token``: any grant, by ``scope``."""
        return await self._issue(request, v1=False)

    @operation("Token")
    async def issue_v1(self, request: web.Request) -> web.StreamResponse:
        """``POST /{tenant}/oauth2/token``: the same by ``resource``; its answer's numbers are strings."""
        return await self._issue(request, v1=True)

    async def _issue(self, request: web.Request, *, v1: bool) -> web.StreamResponse:
        form = await _read_form(request)
        name = request.match_info["tenant"]
        tenant = self._tenants.find_for_grant(name, grant_type=form.get("grant_type", ""))
        body = self._endpoint.answer(tenant, form, v1=v1)
        return answer_json(body, headers=errors.token_headers())

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except SignInRefused as refused:
                now = self._clock.time()
                return render_sign_in_error(request, refused, now=now, authority=self._authority)

        return operation(getattr(handler, "operation", ""))(answer)


async def _read_form(request: web.Request) -> dict[str, str]:
    return with_basic_credentials(await read_form(request), request.headers.get("Authorization"))


def _cacheable() -> dict[str, str]:
    return {
        **errors.SERVER_HEADERS,
        "Cache-Control": "max-age=86400, private",
        "Access-Control-Allow-Origin": "*",
        "x-ms-request-id": str(uuid.uuid4()),
    }
