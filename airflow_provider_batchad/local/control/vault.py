"""The control port's part that changes what the vault holds and how much it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from airflow_provider_batchad.local.control.request import ControlRefused, answering, read_body
from airflow_provider_batchad.local.keyvault.certificates import CertificateFormat
from airflow_provider_batchad.local.keyvault.vault import NameIsTaken

if TYPE_CHECKING:
    from airflow_provider_batchad.local.keyvault.vault import SecretVersion
    from airflow_provider_batchad.local.server import LocalAzure


class VaultControl:
    """Secrets, certificates and the limit of requests."""

    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes."""
        named = "/vault/secrets/{name}"
        return [
            web.get("/vault/secrets", answering("List Vault", self.list_vault)),
            web.put(named, answering("Set Vault Secret", self.set_vault_secret)),
            web.patch(named, answering("Change Vault Secret", self.change_vault_secret)),
            web.delete(named, answering("Remove Vault Secret", self.remove_vault_secret)),
            web.post("/vault/certificates/{name}", answering("Add Vault Certificate", self.add_certificate)),
            web.put("/vault/throttle", answering("Throttle Vault", self.throttle)),
        ]

    async def list_vault(self, _request: web.Request) -> web.StreamResponse:
        """``GET /vault/secrets``: names and versions, without values."""
        vault = self._azure.vault
        shown = [_show_vault_secret(one) for held in vault.current() for one in vault.versions(held.name)]
        return web.json_response({"secrets": shown})

    async def set_vault_secret(self, request: web.Request) -> web.StreamResponse:
        """``PUT /vault/secrets/{name}``: a new version."""
        from airflow_provider_batchad.local.control.bodies import VaultSecretBody

        body = await read_body(request, VaultSecretBody)
        try:
            added = self._azure.vault.set_secret(
                request.match_info["name"],
                body.value.get_secret_value(),
                enabled=body.enabled,
                not_before=body.not_before,
                expires_on=body.expires_on,
            )
        except NameIsTaken:
            raise ControlRefused(409, "the secret is deleted, and not purged") from None
        return web.json_response(_show_vault_secret(added), status=201)

    async def change_vault_secret(self, request: web.Request) -> web.StreamResponse:
        """``PATCH /vault/secrets/{name}``: enable, disable, or note other times on the current version."""
        from airflow_provider_batchad.local.control.bodies import VaultSecretChangeBody

        body = await read_body(request, VaultSecretChangeBody)
        changed = self._azure.vault.update(
            request.match_info["name"],
            enabled=body.enabled,
            not_before=body.not_before,
            expires_on=body.expires_on,
        )
        if changed is None:
            raise ControlRefused(404, "the vault has no such secret")
        return web.json_response(_show_vault_secret(changed))

    async def remove_vault_secret(self, request: web.Request) -> web.StreamResponse:
        """``DELETE /vault/secrets/{name}``: with all versions, beyond recovery."""
        if not self._azure.vault.remove(request.match_info["name"]):
            raise ControlRefused(404, "the vault has no such secret")
        return web.Response(status=204)

    async def add_certificate(self, request: web.Request) -> web.StreamResponse:
        """``POST /vault/certificates/{name}``: makes one; the answer holds its public half."""
        from airflow_provider_batchad.local.control.bodies import VaultCertificateBody

        body = await read_body(request, VaultCertificateBody)
        directory = self._azure.directory
        known = {one.principal.name: one.principal.app_id for one in directory.applications()}
        if body.application is not None and body.application not in known:
            raise ControlRefused(404, "no application has this name")
        try:
            added = self._azure.vault.add_certificate(
                request.match_info["name"],
                content_type=CertificateFormat(body.content_type),
                key_type=body.key_type,
                exportable=body.exportable,
                subject=body.subject,
                not_before=body.not_before,
                expires_on=body.expires_on,
            )
        except NameIsTaken:
            raise ControlRefused(409, "the secret is deleted, and not purged") from None
        except ValueError as error:
            raise ControlRefused(400, str(error)) from None
        shown = {**_show_vault_secret(added.secret), "certificate_pem": added.certificate_pem}
        if body.application is not None:
            client_id = known[body.application]
            shown["key_id"] = directory.add_certificate(client_id, added.certificate_pem).key_id
        return web.json_response(shown, status=201)

    async def throttle(self, request: web.Request) -> web.StreamResponse:
        """``PUT /vault/throttle``: so many requests in so many seconds; ``null`` for any number."""
        from airflow_provider_batchad.local.control.bodies import ThrottleBody

        body = await read_body(request, ThrottleBody)
        self._azure.vault.throttle.change(count=body.count, seconds=body.seconds)
        return web.json_response({"count": body.count, "seconds": body.seconds})


def _show_vault_secret(secret: SecretVersion) -> dict[str, Any]:
    times = {
        "not_before": secret.not_before,
        "expires_on": secret.expires_on,
        "created": secret.created,
    }
    shown: dict[str, Any] = {"name": secret.name, "version": secret.version, "enabled": secret.enabled}
    return shown | {name: time.isoformat() if time else None for name, time in times.items()}
