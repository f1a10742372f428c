"""The simulated Entra ID: discovery documents, keys, and the token endpoints v1 and v2."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import web

from airflow_provider_batchad.local import entra_errors as errors
from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.client_credentials import (
    ClientCredentials,
    Grant,
    audience_of_scope,
    require,
    with_basic_credentials,
)
from airflow_provider_batchad.local.entra_errors import SignInRefused, render_sign_in_error
from airflow_provider_batchad.local.json_answer import answer_json
from airflow_provider_batchad.local.service import Handler, operation

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.config import TenantConfig
    from airflow_provider_batchad.local.directory import Directory
    from airflow_provider_batchad.local.secrets_file import SecretsFile
    from airflow_provider_batchad.local.tokens import Principal, TokenAuthority

_NO_TENANT_NAMES: Final = frozenset({"common", "organizations", "consumers"})
_REFRESH_IN_FROM_SECONDS: Final = 7200
_METADATA: Final = {
    "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
    "response_modes_supported": ["query", "fragment", "form_post"],
    "subject_types_supported": ["pairwise"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
    "scopes_supported": ["openid", "profile", "email", "offline_access"],
    "request_uri_parameter_supported": False,
    "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
    "http_logout_supported": True,
    "frontchannel_logout_supported": True,
    "tenant_region_scope": "WW",
    "cloud_instance_name": "microsoftonline.com",
    "cloud_graph_host_name": "graph.windows.net",
    "msgraph_host": "graph.microsoft.com",
    "rbac_url": "https://pas.windows.net",
}


class EntraId:
    """Sign-in for applications, over the protocol that MSAL and azure-identity speak.

    :param authority: its own address, ``https://localhost:PORT``.
    """

    def __init__(
        self,
        *,
        authority: str,
        directory: Directory,
        tokens: TokenAuthority,
        clock: Clock,
        secrets_file: SecretsFile,
    ) -> None:
        self._authority = authority
        self._directory = directory
        self._tokens = tokens
        self._clock = clock
        self._credentials = ClientCredentials(
            directory=directory, tokens=tokens, clock=clock, secrets_file=secrets_file
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
        tenant = self._discovered_tenant(request)
        base = f"{self._authority}/{tenant}"
        body = {
            **_METADATA,
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "issuer": f"{self._authority}/{_issuer_tenant(tenant)}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        }
        return answer_json(body, headers=_cacheable())

    @operation("OpenID Configuration")
    async def discover_v1(self, request: web.Request) -> web.StreamResponse:
        """``GET /{tenant}/.well-known/openid-configuration``: the same for v1."""
        tenant = self._discovered_tenant(request)
        base = f"{self._authority}/{tenant}"
        body = {
            **_METADATA,
            "token_endpoint": f"{base}/oauth2/token",
            "jwks_uri": f"{self._authority}/common/discovery/keys",
            "issuer": f"https://sts.windows.net/{_issuer_tenant(tenant)}/",
            "authorization_endpoint": f"{base}/oauth2/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/devicecode",
            "end_session_endpoint": f"{base}/oauth2/logout",
        }
        return answer_json(body, headers=_cacheable())

    @operation("Discovery Keys")
    async def list_keys(self, request: web.Request) -> web.StreamResponse:
        """``GET /{tenant}/discovery/v2.0/keys``."""
        self._discovered_tenant(request)
        return answer_json(self._tokens.public_keys(), headers=_cacheable())

    @operation("Token")
    async def issue_v2(self, request: web.Request) -> web.StreamResponse:
        """``POST /{tenant}/oauth2/v2.0/token``: client credentials, by ``scope``."""
        grant = await self._issue(request, by="scope")
        body: dict[str, object] = {
            "token_type": "Bearer",
            "expires_in": grant.expires_in,
            "ext_expires_in": grant.expires_in,
            "access_token": grant.token,
        }
        if grant.expires_in > _REFRESH_IN_FROM_SECONDS:
            body["refresh_in"] = grant.expires_in // 2
        return answer_json(body, headers=_token_headers())

    @operation("Token")
    async def issue_v1(self, request: web.Request) -> web.StreamResponse:
        """``POST /{tenant}/oauth2/token``: the same by ``resource``; its answer's numbers are strings."""
        grant = await self._issue(request, by="resource")
        body = {
            "token_type": "Bearer",
            "expires_in": str(grant.expires_in),
            "ext_expires_in": str(grant.expires_in),
            "expires_on": str(grant.expires_on),
            "not_before": str(grant.expires_on - grant.expires_in),
            "resource": grant.audience,
            "access_token": grant.token,
        }
        return answer_json(body, headers=_token_headers())

    async def _issue(self, request: web.Request, *, by: str) -> Grant:
        name = request.match_info["tenant"]
        tenant = self._find_tenant(name)
        form = await _read_form(request)
        application = self._credentials.authenticate(tenant, form)
        current_call().principal = application.principal
        wanted = require(form, by)
        audience = audience_of_scope(wanted) if by == "scope" else wanted
        return self._credentials.grant(application, tenant, audience, form)

    def _find_tenant(self, name: str) -> TenantConfig:
        if name.casefold() in _NO_TENANT_NAMES:
            raise SignInRefused(errors.NO_TENANT)
        tenant = self._directory.tenant(name)
        if tenant is None:
            raise SignInRefused(errors.TENANT_NOT_FOUND, tenant=name)
        return tenant

    def _discovered_tenant(self, request: web.Request) -> str:
        name = request.match_info["tenant"].casefold()
        return name if name in _NO_TENANT_NAMES else self._find_tenant(request.match_info["tenant"]).id

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except SignInRefused as refused:
                now = self._clock.time()
                return render_sign_in_error(request, refused, now=now, authority=self._authority)

        return operation(getattr(handler, "operation", ""))(answer)


async def _read_form(request: web.Request) -> dict[str, str]:
    posted = await request.post()
    form = {name: value for name, value in posted.items() if isinstance(value, str)}
    return with_basic_credentials(form, request.headers.get("Authorization"))


def _issuer_tenant(tenant: str) -> str:
    # Microsoft's own document of /common has this placeholder, braces included.
    return "{tenantid}" if tenant in _NO_TENANT_NAMES else tenant


def _cacheable() -> dict[str, str]:
    return {
        **errors.SERVER_HEADERS,
        "Cache-Control": "max-age=86400, private",
        "Access-Control-Allow-Origin": "*",
        "x-ms-request-id": str(uuid.uuid4()),
    }


def _token_headers() -> dict[str, str]:
    return {
        **errors.SERVER_HEADERS,
        **errors.NO_STORE,
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-clitelem": "1,0,0,,",
    }
