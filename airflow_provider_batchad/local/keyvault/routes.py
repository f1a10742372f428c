"""The simulated Key Vault: the secrets' part of its REST interface, with its challenge and its RBAC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from airflow_provider_batchad.local.entra.tokens import TokenRejected
from airflow_provider_batchad.local.json_answer import answer_json
from airflow_provider_batchad.local.keyvault import errors
from airflow_provider_batchad.local.keyvault.bodies import (
    describe,
    describe_deleted,
    read_attributes,
    read_content_type,
    read_json,
    read_tags,
    read_time,
)
from airflow_provider_batchad.local.keyvault.certificates import CertificateFormat, to_pem
from airflow_provider_batchad.local.keyvault.errors import VaultRefused, render_vault_error
from airflow_provider_batchad.local.keyvault.vault import NameIsTaken
from airflow_provider_batchad.local.service import Handler, operation

if TYPE_CHECKING:
    from airflow_provider_batchad.local.entra.tokens import Principal
    from airflow_provider_batchad.local.keyvault.access import VaultAccess
    from airflow_provider_batchad.local.keyvault.vault import SecretVersion, Vault

_MAX_VALUE_BYTES: Final = 25 * 1024
_PAGE_SIZE: Final = 25

# Data actions of Microsoft.KeyVault; a deleted secret is read without its value.
_SECRETS: Final = "Microsoft.KeyVault/vaults/secrets"
_GET: Final = f"{_SECRETS}/getSecret/action"
_SET: Final = f"{_SECRETS}/setSecret/action"
_UPDATE: Final = f"{_SECRETS}/update/action"
_LIST: Final = f"{_SECRETS}/readMetadata/action"
_DELETE: Final = f"{_SECRETS}/delete"
_RECOVER: Final = f"{_SECRETS}/recover/action"
_PURGE: Final = f"{_SECRETS}/purge/action"


class KeyVault:
    """One vault, with Azure role-based access control and soft delete.

    :param base_url: its own address, which the ids of secrets begin with.
    """

    def __init__(self, *, base_url: str, vault: Vault, access: VaultAccess) -> None:
        self._base_url = base_url
        self._vault = vault
        self._access = access

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes of the service; a secret is named with and without a slash at the end."""
        get, update = self._answering(self.get_secret), self._answering(self.update_secret)
        deleted = "/deletedsecrets/{name}"
        return [
            web.get("/secrets", self._answering(self.list_secrets)),
            web.get("/secrets/", self._answering(self.list_secrets)),
            web.get("/secrets/{name}/versions", self._answering(self.list_versions)),
            web.get("/secrets/{name}", get),
            web.get("/secrets/{name}/", get),
            web.get("/secrets/{name}/{version}", get),
            web.put("/secrets/{name}", self._answering(self.set_secret)),
            web.patch("/secrets/{name}", update),
            web.patch("/secrets/{name}/", update),
            web.patch("/secrets/{name}/{version}", update),
            web.delete("/secrets/{name}", self._answering(self.delete_secret)),
            web.get("/deletedsecrets", self._answering(self.list_deleted)),
            web.get(deleted, self._answering(self.get_deleted)),
            web.delete(deleted, self._answering(self.purge_deleted)),
            web.post(f"{deleted}/recover", self._answering(self.recover_deleted)),
            web.route("*", "/{path:.*}", self._answering(self.refuse)),
        ]

    async def find_principal(self, request: web.Request) -> Principal | None:
        """Who makes a request, as far as the token says it truthfully."""
        try:
            return self._access.identify(request)
        except TokenRejected:
            return None

    def render_error(self, request: web.Request, status: int, code: str | None) -> web.Response:
        """An outage in Key Vault's own shape."""
        return render_vault_error(errors.outage(status, code), self._access.headers(request))

    @operation("Get Secret")
    async def get_secret(self, request: web.Request) -> web.StreamResponse:
        """``GET /secrets/{name}/{version}``: value and attributes, whatever ``nbf`` and ``exp`` say."""
        name, version = self._access.authorize(request, _GET)
        found = self._vault.find(name, version)
        if found is None:
            raise errors.not_found(f"{name}/{version}" if version else name)
        if not found.enabled:
            raise errors.disabled()
        body = {"value": found.value, **self._describe(found)}
        return self._answer(request, {**body, **_convert(found, request.query.get("outContentType"))})

    @operation("Set Secret")
    async def set_secret(self, request: web.Request) -> web.StreamResponse:
        """``PUT /secrets/{name}``: a new version."""
        name, _ = self._access.authorize(request, _SET)
        body = await read_json(request)
        value = body.get("value")
        if not isinstance(value, str):
            raise errors.bad_parameter("The parameter value is missing or is not a string.")
        if len(value.encode(errors="replace")) > _MAX_VALUE_BYTES:
            raise errors.bad_parameter(f"The value is longer than {_MAX_VALUE_BYTES} bytes.")
        attributes = read_attributes(body)
        try:
            added = self._vault.set_secret(
                name,
                value,
                enabled=attributes.get("enabled") is not False,
                not_before=read_time(attributes, "nbf"),
                expires_on=read_time(attributes, "exp"),
                content_type=read_content_type(body),
                tags=read_tags(body),
            )
        except NameIsTaken:
            raise errors.name_is_taken(name) from None
        return self._answer(request, {"value": added.value, **self._describe(added)})

    @operation("Update Secret")
    async def update_secret(self, request: web.Request) -> web.StreamResponse:
        """``PATCH /secrets/{name}/{version}``: attributes, content type and tags."""
        name, version = self._access.authorize(request, _UPDATE)
        body = await read_json(request)
        attributes = read_attributes(body)
        changed = self._vault.update(
            name,
            version,
            enabled=attributes.get("enabled"),
            not_before=read_time(attributes, "nbf"),
            expires_on=read_time(attributes, "exp"),
            content_type=read_content_type(body),
            tags=read_tags(body),
        )
        if changed is None:
            raise errors.not_found(f"{name}/{version}" if version else name)
        return self._answer(request, self._describe(changed))

    @operation("Get Secret Versions")
    async def list_versions(self, request: web.Request) -> web.StreamResponse:
        """``GET /secrets/{name}/versions``; an unknown name has none."""
        name, _ = self._access.authorize(request, _LIST)
        return self._answer_page(request, [self._describe(one) for one in self._vault.versions(name)])

    @operation("Get Secrets")
    async def list_secrets(self, request: web.Request) -> web.StreamResponse:
        """``GET /secrets``: names and attributes."""
        self._access.authorize(request, _LIST)
        current = self._vault.current()
        return self._answer_page(
            request, [describe(self._base_url, one, with_version=False) for one in current]
        )

    @operation("Delete Secret")
    async def delete_secret(self, request: web.Request) -> web.StreamResponse:
        """``DELETE /secrets/{name}``: all versions, recoverable for 90 days."""
        name, _ = self._access.authorize(request, _DELETE)
        deleted = self._vault.delete(name)
        if deleted is None:
            raise errors.not_found(name)
        return self._answer(request, describe_deleted(self._base_url, deleted))

    @operation("Get Deleted Secrets")
    async def list_deleted(self, request: web.Request) -> web.StreamResponse:
        """``GET /deletedsecrets``."""
        self._access.authorize(request, _LIST)
        deleted = self._vault.deleted()
        return self._answer_page(
            request, [describe_deleted(self._base_url, one, with_version=False) for one in deleted]
        )

    @operation("Get Deleted Secret")
    async def get_deleted(self, request: web.Request) -> web.StreamResponse:
        """``GET /deletedsecrets/{name}``."""
        name, _ = self._access.authorize(request, _LIST)
        deleted = self._vault.find_deleted(name)
        if deleted is None:
            raise errors.deleted_not_found(name)
        return self._answer(request, describe_deleted(self._base_url, deleted))

    @operation("Recover Deleted Secret")
    async def recover_deleted(self, request: web.Request) -> web.StreamResponse:
        """``POST /deletedsecrets/{name}/recover``."""
        name, _ = self._access.authorize(request, _RECOVER)
        recovered = self._vault.recover(name)
        if recovered is None:
            raise errors.deleted_not_found(name)
        return self._answer(request, self._describe(recovered))

    @operation("Purge Deleted Secret")
    async def purge_deleted(self, request: web.Request) -> web.StreamResponse:
        """``DELETE /deletedsecrets/{name}``."""
        name, _ = self._access.authorize(request, _PURGE)
        if not self._vault.purge(name):
            raise errors.deleted_not_found(name)
        return web.Response(status=204, headers=self._access.headers(request))

    async def refuse(self, request: web.Request) -> web.StreamResponse:
        """Anything else: backups, keys and certificates are left out."""
        self._access.authenticate(request)
        raise errors.unknown_operation(request.method, request.path.rstrip("/").rpartition("/")[2])

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except VaultRefused as refused:
                return render_vault_error(refused, self._access.headers(request))

        return operation(getattr(handler, "operation", ""))(answer)

    def _describe(self, secret: SecretVersion) -> dict[str, Any]:
        return describe(self._base_url, secret)

    def _answer(self, request: web.Request, body: Mapping[str, Any]) -> web.Response:
        return answer_json(body, headers=self._access.headers(request))

    def _answer_page(self, request: web.Request, items: list[dict[str, Any]]) -> web.Response:
        size = _read_count(request, "maxresults", _PAGE_SIZE)
        if not 1 <= size <= _PAGE_SIZE:
            raise errors.bad_parameter(f"maxresults must be 1 to {_PAGE_SIZE}.")
        start = _read_count(request, "$skiptoken", 0)
        query = f"api-version={request.query['api-version']}&$skiptoken={start + size}&maxresults={size}"
        more = start + size < len(items)
        next_link = f"{self._base_url}{request.path}?{query}" if more else None
        return self._answer(request, {"value": items[start : start + size], "nextLink": next_link})


def _convert(secret: SecretVersion, wanted: str | None) -> dict[str, str]:
    if wanted is None or wanted == secret.content_type:
        return {}
    if wanted != CertificateFormat.PEM or secret.content_type != CertificateFormat.PKCS12:
        raise errors.bad_parameter(f"The secret cannot be converted to the content type {wanted}.")
    try:
        return {"value": to_pem(secret.value), "contentType": CertificateFormat.PEM.value}
    except ValueError:
        raise errors.bad_parameter("The secret is not a valid PKCS#12 archive.") from None


def _read_count(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise errors.bad_parameter(f"{name} must be a number.")
    return int(text)
