"""The control port's part that makes deny assignments, which in Azure only Azure itself can make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from airflow_provider_batchad.local.access import DenyAssignment, Permission
from airflow_provider_batchad.local.control.request import ControlRefused, answering, read_body

if TYPE_CHECKING:
    from airflow_provider_batchad.local.server import LocalAzure


class DenialControl:
    """Adds and removes deny assignments."""

    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes."""
        return [
            web.get("/denials", answering("List Denials", self.list_denials)),
            web.post("/denials", answering("Add Denial", self.add_denial)),
            web.delete("/denials/{id}", answering("Remove Denial", self.remove_denial)),
        ]

    async def list_denials(self, _request: web.Request) -> web.StreamResponse:
        """``GET /denials``."""
        shown = [
            {"id": one.id, "name": one.name, "scope": one.scope, "principal_ids": list(one.principals)}
            for one in self._azure.roles.denials()
        ]
        return web.json_response({"denials": shown})

    async def add_denial(self, request: web.Request) -> web.StreamResponse:
        """``POST /denials``: principals by name; none named means everybody."""
        from airflow_provider_batchad.local.control.bodies import DenialBody

        body = await read_body(request, DenialBody)
        directory = self._azure.directory
        try:
            principals = tuple(directory.principal(name).object_id for name in body.principals)
        except KeyError as error:
            raise ControlRefused(404, str(error.args[0])) from None
        permission = Permission(
            actions=tuple(body.actions),
            not_actions=tuple(body.not_actions),
            data_actions=tuple(body.data_actions),
            not_data_actions=tuple(body.not_data_actions),
        )
        scope = body.scope or self._azure.config.scope_of(body.resource or "batch")
        added = self._azure.roles.deny(
            DenyAssignment(name=body.name, scope=scope, permissions=(permission,), principals=principals)
        )
        return web.json_response({"id": added.id, "scope": scope}, status=201)

    async def remove_denial(self, request: web.Request) -> web.StreamResponse:
        """``DELETE /denials/{id}``."""
        if self._azure.roles.remove_denial(request.match_info["id"]) is None:
            raise ControlRefused(404, "no deny assignment has this id")
        return web.Response(status=204)
