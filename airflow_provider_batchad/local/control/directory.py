"""The control port's part that changes the directory and the roles while everything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from airflow_provider_batchad.local.control.request import ControlRefused, answering, read_body
from airflow_provider_batchad.local.management.role_json import role_from_json, role_to_json
from airflow_provider_batchad.local.request_body import UnreadableBody, read_json

if TYPE_CHECKING:
    from airflow_provider_batchad.local.entra.application import Application
    from airflow_provider_batchad.local.server import LocalAzure


class DirectoryControl:
    """Rotation of secrets, who has which role, how long tokens live."""

    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes; ``{application}`` is a name or a client ID."""
        secrets = "/applications/{application}/secrets"
        return [
            web.get("/applications", answering("List Applications", self.list_applications)),
            web.post(secrets, answering("Add Client Secret", self.add_secret)),
            web.post(secrets + "/{key_id}/expire", answering("Expire Client Secret", self.expire_secret)),
            web.delete(secrets + "/{key_id}", answering("Revoke Client Secret", self.revoke_secret)),
            web.get("/roles", answering("List Roles", self.list_roles)),
            web.post("/roles", answering("Define Role", self.define_role)),
            web.get("/roles/assignments", answering("List Assignments", self.list_assignments)),
            web.post("/roles/assignments", answering("Assign Role", self.assign_role)),
            web.delete("/roles/assignments/{id}", answering("Unassign Role", self.unassign_role)),
            web.put("/token-lifetime", answering("Set Token Lifetime", self.set_token_lifetime)),
        ]

    async def list_applications(self, _request: web.Request) -> web.StreamResponse:
        """``GET /applications``: names, client IDs, and the ids and expiry of secrets."""
        shown = [_show_application(one) for one in self._azure.directory.applications()]
        return web.json_response({"applications": shown})

    async def add_secret(self, request: web.Request) -> web.StreamResponse:
        """``POST /applications/{application}/secrets``: a new secret, into the vault too if asked."""
        from airflow_provider_batchad.local.control.bodies import ClientSecretBody

        application = self._find_application(request)
        body = await read_body(request, ClientSecretBody)
        if body.vault_secret_name and self._azure.vault.find_deleted(body.vault_secret_name) is not None:
            raise ControlRefused(409, "vault_secret_name: deleted, and not purged")
        client_id = application.principal.app_id
        directory = self._azure.directory
        former = [one.key_id for one in application.secrets]
        value = body.value.get_secret_value() if body.value is not None else None
        added = directory.add_secret(client_id, value, expires_on=body.expires_on)
        if body.vault_secret_name is not None:
            self._azure.vault.set_secret(body.vault_secret_name, added.value)
        for key_id in former:
            if body.others == "expire":
                directory.expire_secret(client_id, key_id)
            elif body.others == "revoke":
                directory.revoke_secret(client_id, key_id)
        return web.json_response({"key_id": added.key_id}, status=201)

    async def expire_secret(self, request: web.Request) -> web.StreamResponse:
        """``POST /applications/{application}/secrets/{key_id}/expire``; ``all`` for each of them."""
        application, key_id = self._find_application(request), _read_key_id(request)
        if not self._azure.directory.expire_secret(application.principal.app_id, key_id):
            raise ControlRefused(404, "the application has no such secret")
        return web.Response(status=204)

    async def revoke_secret(self, request: web.Request) -> web.StreamResponse:
        """``DELETE /applications/{application}/secrets/{key_id}``; ``all`` for each of them."""
        application, key_id = self._find_application(request), _read_key_id(request)
        if not self._azure.directory.revoke_secret(application.principal.app_id, key_id):
            raise ControlRefused(404, "the application has no such secret")
        return web.Response(status=204)

    async def list_roles(self, _request: web.Request) -> web.StreamResponse:
        """``GET /roles``: the definitions, in Azure's JSON."""
        return web.json_response({"value": [role_to_json(one) for one in self._azure.roles.roles()]})

    async def define_role(self, request: web.Request) -> web.StreamResponse:
        """``POST /roles``: a custom role, in Azure's JSON."""
        try:
            role = role_from_json(await read_json(request))
        except (TypeError, ValueError, UnreadableBody) as error:
            raise ControlRefused(400, str(error)) from None
        self._azure.roles.define(role)
        return web.json_response(role_to_json(role), status=201)

    async def list_assignments(self, _request: web.Request) -> web.StreamResponse:
        """``GET /roles/assignments``."""
        roles = {role.id: role.name for role in self._azure.roles.roles()}
        shown = [
            {"id": one.id, "principal_id": one.principal_id, "role": roles[one.role_id], "scope": one.scope}
            for one in self._azure.roles.assignments()
        ]
        return web.json_response({"assignments": shown})

    async def assign_role(self, request: web.Request) -> web.StreamResponse:
        """``POST /roles/assignments``: a role (name or id) for a principal (name)."""
        from airflow_provider_batchad.local.control.bodies import AssignmentBody

        body = await read_body(request, AssignmentBody)
        scope = body.scope or self._azure.config.scope_of(body.resource or "batch")
        try:
            principal = self._azure.directory.principal(body.principal)
            assigned = self._azure.roles.assign(principal_id=principal.object_id, role=body.role, scope=scope)
        except KeyError as error:
            raise ControlRefused(404, str(error.args[0])) from None
        return web.json_response({"id": assigned.id, "scope": scope}, status=201)

    async def unassign_role(self, request: web.Request) -> web.StreamResponse:
        """``DELETE /roles/assignments/{id}``."""
        if self._azure.roles.unassign(request.match_info["id"]) is None:
            raise ControlRefused(404, "no role assignment has this id")
        return web.Response(status=204)

    async def set_token_lifetime(self, request: web.Request) -> web.StreamResponse:
        """``PUT /token-lifetime``: of the tokens issued from now on."""
        from airflow_provider_batchad.local.control.bodies import TokenLifetimeBody

        body = await read_body(request, TokenLifetimeBody)
        self._azure.directory.token_lifetime_seconds = body.seconds
        return web.json_response({"seconds": body.seconds})

    def _find_application(self, request: web.Request) -> Application:
        wanted = request.match_info["application"]
        for one in self._azure.directory.applications():
            if wanted in (one.principal.name, one.principal.app_id):
                return one
        raise ControlRefused(404, "no application has this name or client ID")


def _read_key_id(request: web.Request) -> str | None:
    key_id = request.match_info["key_id"]
    return None if key_id == "all" else key_id


def _show_application(application: Application) -> dict[str, Any]:
    principal = application.principal
    return {
        "name": principal.name,
        "client_id": principal.app_id,
        "object_id": principal.object_id,
        "tenant_id": principal.tenant_id,
        "secrets": [
            {"key_id": one.key_id, "expires_on": one.expires_on.isoformat() if one.expires_on else None}
            for one in application.secrets
        ],
    }
