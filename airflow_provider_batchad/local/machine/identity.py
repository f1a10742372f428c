"""The endpoint that gives a machine's managed identities their tokens, in App Service's and IMDS's form."""

from __future__ import annotations

import hmac
import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.entra.errors import RESOURCE_NOT_FOUND
from airflow_provider_batchad.local.json_answer import answer_json
from airflow_provider_batchad.local.service import operation

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.entra.directory import Directory, ManagedIdentity
    from airflow_provider_batchad.local.entra.tokens import Principal, TokenAuthority
    from airflow_provider_batchad.local.entra.workload_issuer import WorkloadIssuer
    from airflow_provider_batchad.local.secrets_file import SecretsFile

APP_SERVICE_PATH: Final = "/msi/token"
# azure-identity and MSAL append this path to AZURE_POD_IDENTITY_AUTHORITY_HOST.
IMDS_PATH: Final = "/metadata/identity/oauth2/token"
_APP_SERVICE_VERSIONS: Final = frozenset({"2019-08-01"})
_APPLICATION_ID_CLAIMS: Final = {"appidacr": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Issued:
    identity: ManagedIdentity
    resource: str
    token: str
    expires_on: int
    expires_in: int


class _Refused(Exception):
    """The endpoint's answer is an error."""

    def __init__(self, status: int, error: str, text: str) -> None:
        self.status = status
        self.error = error
        self.text = text
        super().__init__(error)


class MachineIdentity:
    """Tokens for managed identities: whoever reaches the endpoint and knows the header is the machine.

    The issuer of the machine's projected tokens is served beside it.
    """

    def __init__(
        self,
        *,
        directory: Directory,
        tokens: TokenAuthority,
        clock: Clock,
        secrets_file: SecretsFile,
        workload_issuer: WorkloadIssuer,
    ) -> None:
        self._directory = directory
        self._tokens = tokens
        self._clock = clock
        self._secrets_file = secrets_file
        self._workload_issuer = workload_issuer
        self.header = secrets.token_hex(16).upper()
        secrets_file.add(self.header)

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes of the service."""
        return [
            web.get(APP_SERVICE_PATH, self.answer_app_service),
            web.get(IMDS_PATH, self.answer_imds),
            *self._workload_issuer.routes(),
        ]

    async def find_principal(self, request: web.Request) -> Principal | None:
        """Which identity a request asks for."""
        identity = self._find(request)
        return identity.principal if identity is not None else None

    def render_error(self, request: web.Request, status: int, code: str | None) -> web.Response:
        """An outage, in the shape that the request's form of the endpoint has."""
        refused = _Refused(status, code or "server_error", "The service is temporarily unavailable.")
        if request.path == APP_SERVICE_PATH:
            return _render_app_service(refused)
        return _render_imds(refused)

    @operation("Get App Service Token")
    async def answer_app_service(self, request: web.Request) -> web.StreamResponse:
        """``GET {IDENTITY_ENDPOINT}``, as on App Service, Functions and Container Apps."""
        try:
            self._check_app_service(request)
            issued = self._issue(request)
        except _Refused as refused:
            return _render_app_service(refused)
        body = {
            "access_token": issued.token,
            "expires_on": str(issued.expires_on),
            "resource": issued.resource,
            "token_type": "Bearer",
            "client_id": issued.identity.principal.app_id,
        }
        return answer_json(body)

    @operation("Get IMDS Token")
    async def answer_imds(self, request: web.Request) -> web.StreamResponse:
        """``GET /metadata/identity/oauth2/token``, as on a virtual machine."""
        try:
            _check_imds(request)
            issued = self._issue(request)
        except _Refused as refused:
            return _render_imds(refused)
        body = {
            "access_token": issued.token,
            "client_id": issued.identity.principal.app_id,
            "expires_in": str(issued.expires_in),
            "expires_on": str(issued.expires_on),
            "ext_expires_in": str(issued.expires_in),
            "not_before": str(issued.expires_on - issued.expires_in),
            "resource": issued.resource,
            "token_type": "Bearer",
        }
        return answer_json(body)

    def token_of(self, resource_id: str, resource: str) -> str | None:
        """A token for a user-assigned identity, as a node gets one; ``None`` for an unknown one."""
        identity = self._directory.managed_identity(resource_id=resource_id)
        return None if identity is None else self._issue_to(identity, resource).token

    def _check_app_service(self, request: web.Request) -> None:
        if request.query.get("api-version") not in _APP_SERVICE_VERSIONS:
            raise _Refused(400, "invalid_request", "The api-version query parameter is not supported.")
        header = request.headers.get("X-IDENTITY-HEADER", "")
        if not hmac.compare_digest(header.encode(), self.header.encode()):
            raise _Refused(401, "unauthorized", "The X-IDENTITY-HEADER header is missing or wrong.")

    def _find(self, request: web.Request) -> ManagedIdentity | None:
        query = request.query
        return self._directory.managed_identity(
            client_id=query.get("client_id"),
            object_id=query.get("object_id") or query.get("principal_id"),
            resource_id=query.get("mi_res_id") or query.get("msi_res_id"),
        )

    def _issue(self, request: web.Request) -> _Issued:
        resource = request.query.get("resource", "")
        if not resource:
            raise _Refused(400, "invalid_request", "Required query variable 'resource' is missing")
        identity = self._find(request)
        if identity is None:
            raise _Refused(400, "invalid_request", "Identity not found")
        current_call().principal = identity.principal
        if not self._directory.knows_resource(resource):
            text = RESOURCE_NOT_FOUND.text.format(resource=resource, tenant=identity.principal.tenant_id)
            raise _Refused(400, "invalid_resource", f"AADSTS{RESOURCE_NOT_FOUND.number}: {text}")
        return self._issue_to(identity, resource)

    def _issue_to(self, identity: ManagedIdentity, resource: str) -> _Issued:
        token, expires_on = self._tokens.issue(
            identity.principal,
            audience=resource,
            lifetime_seconds=self._directory.token_lifetime_seconds,
            extra_claims={**_APPLICATION_ID_CLAIMS, "xms_mirid": identity.resource_id},
        )
        self._secrets_file.add(token)
        return _Issued(
            identity=identity,
            resource=resource,
            token=token,
            expires_on=expires_on,
            expires_in=max(int(expires_on - self._clock.time()), 0),
        )


def _check_imds(request: web.Request) -> None:
    if request.headers.get("Metadata", "").casefold() != "true":
        raise _Refused(400, "invalid_request", "Required metadata header not specified")
    if not request.query.get("api-version"):
        raise _Refused(400, "invalid_request", "Required query variable 'api-version' is missing")


def _render_app_service(refused: _Refused) -> web.Response:
    current_call().error_code = refused.error
    body = {
        "statusCode": refused.status,
        "message": refused.text,
        "correlationId": str(uuid.uuid4()),
    }
    return answer_json(body, status=refused.status)


def _render_imds(refused: _Refused) -> web.Response:
    current_call().error_code = refused.error
    body = {"error": refused.error, "error_description": refused.text}
    return answer_json(body, status=refused.status)
