"""The simulated Key Vault: the secrets' part of its REST interface, with its challenge and its RBAC."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from airflow_provider_batchad.local import keyvault_errors as errors
from airflow_provider_batchad.local.access import Requirement
from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.config import VAULT_RESOURCE, LocalAzureConfig
from airflow_provider_batchad.local.json_answer import answer_json
from airflow_provider_batchad.local.keyvault_errors import VaultRefused, render_vault_error
from airflow_provider_batchad.local.service import Handler, operation
from airflow_provider_batchad.local.tokens import TokenRejected

if TYPE_CHECKING:
    from airflow_provider_batchad.local.access import RoleBook
    from airflow_provider_batchad.local.tokens import Principal, TokenAuthority
    from airflow_provider_batchad.local.vault import SecretVersion, Vault

_API_VERSION: Final = re.compile(r"7\.[0-6](-preview\.\d+)?|20\d\d-\d\d-\d\d(-preview)?|2016-10-01")
_NAME: Final = re.compile(r"[0-9A-Za-z-]{1,127}")
_MAX_VALUE_BYTES: Final = 25 * 1024
_PAGE_SIZE: Final = 25

_GET: Final = "Microsoft.KeyVault/vaults/secrets/getSecret/action"
_SET: Final = "Microsoft.KeyVault/vaults/secrets/setSecret/action"
_UPDATE: Final = "Microsoft.KeyVault/vaults/secrets/update/action"
_LIST: Final = "Microsoft.KeyVault/vaults/secrets/readMetadata/action"


class KeyVault:
    """One vault, with Azure role-based access control.

    :param base_url: its own address, which the ids of secrets begin with.
    :param authority: Entra ID's address, which the challenge names.
    """

    def __init__(
        self,
        *,
        base_url: str,
        authority: str,
        config: LocalAzureConfig,
        vault: Vault,
        tokens: TokenAuthority,
        roles: RoleBook,
    ) -> None:
        self._base_url = base_url
        self._config = config
        self._vault = vault
        self._tokens = tokens
        self._roles = roles
        self._challenge = (
            f'Bearer authorization="{authority}/{config.tenant.id}", resource="{VAULT_RESOURCE}"'
        )

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes of the service; a secret is read with and without a slash at the end."""
        get = self._answering(self.get_secret)
        return [
            web.get("/secrets", self._answering(self.list_secrets)),
            web.get("/secrets/", self._answering(self.list_secrets)),
            web.get("/secrets/{name}/versions", self._answering(self.list_versions)),
            web.get("/secrets/{name}", get),
            web.get("/secrets/{name}/", get),
            web.get("/secrets/{name}/{version}", get),
            web.put("/secrets/{name}", self._answering(self.set_secret)),
            web.patch("/secrets/{name}/{version}", self._answering(self.update_secret)),
        ]

    async def find_principal(self, request: web.Request) -> Principal | None:
        """Who makes a request, as far as the token says it truthfully."""
        try:
            return self._identify(request)
        except TokenRejected:
            return None

    def render_error(self, request: web.Request, status: int, code: str | None) -> web.Response:
        """An outage in Key Vault's own shape."""
        return render_vault_error(errors.outage(status, code), self._headers(request))

    @operation("Get Secret")
    async def get_secret(self, request: web.Request) -> web.StreamResponse:
        """``GET /secrets/{name}/{version}``: value and attributes, whatever ``nbf`` and ``exp`` say."""
        name, version = self._authorize(request, _GET)
        found = self._vault.find(name, version)
        if found is None:
            raise errors.not_found(f"{name}/{version}" if version else name)
        if not found.enabled:
            raise errors.disabled()
        return self._answer(request, {"value": found.value, **self._describe(found)})

    @operation("Set Secret")
    async def set_secret(self, request: web.Request) -> web.StreamResponse:
        """``PUT /secrets/{name}``: a new version."""
        name, _ = self._authorize(request, _SET)
        body = await _read_json(request)
        value = body.get("value")
        if not isinstance(value, str):
            raise errors.bad_parameter("The parameter value is missing or is not a string.")
        if len(value.encode()) > _MAX_VALUE_BYTES:
            raise errors.bad_parameter(f"The value is longer than {_MAX_VALUE_BYTES} bytes.")
        attributes = _read_attributes(body)
        added = self._vault.set_secret(
            name,
            value,
            enabled=attributes.get("enabled", True),
            not_before=_read_time(attributes, "nbf"),
            expires_on=_read_time(attributes, "exp"),
            content_type=body.get("contentType"),
            tags=body.get("tags"),
        )
        return self._answer(request, {"value": added.value, **self._describe(added)})

    @operation("Update Secret")
    async def update_secret(self, request: web.Request) -> web.StreamResponse:
        """``PATCH /secrets/{name}/{version}``: attributes, content type and tags."""
        name, version = self._authorize(request, _UPDATE)
        body = await _read_json(request)
        attributes = _read_attributes(body)
        changed = self._vault.update(
            name,
            version,
            enabled=attributes.get("enabled"),
            not_before=_read_time(attributes, "nbf"),
            expires_on=_read_time(attributes, "exp"),
            content_type=body.get("contentType"),
            tags=body.get("tags"),
        )
        if changed is None:
            raise errors.not_found(f"{name}/{version}")
        return self._answer(request, self._describe(changed))

    @operation("Get Secret Versions")
    async def list_versions(self, request: web.Request) -> web.StreamResponse:
        """``GET /secrets/{name}/versions``; an unknown name has none."""
        name, _ = self._authorize(request, _LIST)
        described = [self._describe(one) for one in self._vault.versions(name)]
        return self._answer_page(request, described)

    @operation("Get Secrets")
    async def list_secrets(self, request: web.Request) -> web.StreamResponse:
        """``GET /secrets``: names and attributes."""
        self._authorize(request, _LIST)
        described = [self._describe(one, with_version=False) for one in self._vault.current()]
        return self._answer_page(request, described)

    def _identify(self, request: web.Request) -> Principal:
        return self._tokens.verify_header(
            request.headers.get("Authorization"), audience=VAULT_RESOURCE, tenant_id=self._config.tenant.id
        )

    def _authorize(self, request: web.Request, action: str) -> tuple[str, str | None]:
        current_call().requirement = requirement = Requirement(data_actions=(action,))
        try:
            principal = self._identify(request)
        except TokenRejected as rejected:
            raise errors.unauthorized(
                rejected,
                challenge=self._challenge,
                resource=VAULT_RESOURCE,
                tenant_id=self._config.tenant.id,
            ) from None
        current_call().principal = principal
        _check_api_version(request)
        name = request.match_info.get("name", "")
        if name and not _NAME.fullmatch(name):
            raise errors.bad_parameter(f"The request URI contains an invalid name: {name}")
        scope = f"{self._config.vault_scope}/secrets/{name}" if name else self._config.vault_scope
        if self._roles.missing(principal.object_id, requirement, scope=scope):
            raise errors.forbidden(
                principal,
                action,
                resource=scope.lower(),
                vault=self._config.vault,
                region=self._config.region,
            )
        return name, request.match_info.get("version")

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except VaultRefused as refused:
                return render_vault_error(refused, self._headers(request))

        return operation(getattr(handler, "operation", ""))(answer)

    def _answer(self, request: web.Request, body: Mapping[str, Any]) -> web.Response:
        return answer_json(body, headers=self._headers(request))

    def _answer_page(self, request: web.Request, items: list[dict[str, Any]]) -> web.Response:
        size = _read_count(request, "maxresults", _PAGE_SIZE)
        if not 1 <= size <= _PAGE_SIZE:
            raise errors.bad_parameter(f"maxresults must be 1 to {_PAGE_SIZE}.")
        start = _read_count(request, "$skiptoken", 0)
        query = f"api-version={request.query['api-version']}&$skiptoken={start + size}&maxresults={size}"
        more = start + size < len(items)
        next_link = f"{self._base_url}{request.path}?{query}" if more else None
        return self._answer(request, {"value": items[start : start + size], "nextLink": next_link})

    def _describe(self, secret: SecretVersion, *, with_version: bool = True) -> dict[str, Any]:
        identifier = f"{self._base_url}/secrets/{secret.name}"
        times = {"nbf": secret.not_before, "exp": secret.expires_on}
        described: dict[str, Any] = {
            "id": f"{identifier}/{secret.version}" if with_version else identifier,
            "attributes": {
                "enabled": secret.enabled,
                **{name: int(time.timestamp()) for name, time in times.items() if time is not None},
                "created": int(secret.created.timestamp()),
                "updated": int(secret.updated.timestamp()),
                "recoveryLevel": "Recoverable+Purgeable",
                "recoverableDays": 90,
            },
        }
        if secret.content_type is not None:
            described["contentType"] = secret.content_type
        if secret.tags:
            described["tags"] = dict(secret.tags)
        return described

    def _headers(self, request: web.Request) -> dict[str, str]:
        headers = {
            "Cache-Control": "no-cache",
            "Pragma": "no-cache",
            "Expires": "-1",
            "Strict-Transport-Security": "max-age=31536000;includeSubDomains",
            "X-Content-Type-Options": "nosniff",
            "x-ms-keyvault-region": self._config.region,
            "x-ms-client-request-id": request.headers.get("x-ms-client-request-id") or str(uuid.uuid4()),
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-keyvault-service-version": "1.9.378.1",
            "x-ms-keyvault-network-info": (
                f"conn_type=Ipv4;addr={request.remote};act_addr_fam=InterNetwork;"
            ),
        }
        principal = current_call().principal
        if principal is not None:
            held = self._roles.assignments(principal_id=principal.object_id, scope=self._config.vault_scope)
            headers["x-ms-keyvault-rbac-cache"] = (
                "ra_age=1;da_age=1;rd_age=1;brd_age=1;ra_notif_age=1;dec_lev=1;"
            )
            if held:
                headers["x-ms-keyvault-rbac-assignment-id"] = held[0].id
        return headers


def _check_api_version(request: web.Request) -> None:
    version = request.query.get("api-version", "")
    if not version:
        raise errors.bad_parameter("The request URI must contain a api-version query parameter.")
    if not _API_VERSION.fullmatch(version):
        raise errors.bad_parameter(f"The request URI contains an unsupported api-version: {version}")


def _read_count(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isdecimal():
        raise errors.bad_parameter(f"{name} must be a number.")
    return int(text)


async def _read_json(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.text())
    except ValueError:
        raise errors.bad_parameter("The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise errors.bad_parameter("The request body must be a JSON object.")
    return body


def _read_attributes(body: Mapping[str, Any]) -> dict[str, Any]:
    attributes = body.get("attributes") or {}
    if not isinstance(attributes, dict) or not isinstance(attributes.get("enabled", True), bool):
        raise errors.bad_parameter("The attributes are not valid.")
    return attributes


def _read_time(attributes: Mapping[str, Any], name: str) -> datetime | None:
    seconds = attributes.get(name)
    if seconds is None:
        return None
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise errors.bad_parameter(f"{name} must be whole seconds since 1970.")
    return datetime.fromtimestamp(seconds, UTC)
