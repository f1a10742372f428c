"""The control port's part for certificates, federated credentials and what services demand of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from airflow_provider_batchad.local.control.request import ControlRefused, answering, read_body

if TYPE_CHECKING:
    from airflow_provider_batchad.local.entra.application import Application
    from airflow_provider_batchad.local.server import LocalAzure


class CredentialControl:
    """Everything that applications prove themselves with, secrets aside."""

    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes; ``{application}`` is a name or a client ID."""
        base = "/applications/{application}"
        federated = f"{base}/federated-credentials"
        return [
            web.post(f"{base}/certificates", answering("Add Certificate", self.add_certificate)),
            web.delete(
                f"{base}/certificates/{{key_id}}", answering("Remove Certificate", self.remove_certificate)
            ),
            web.post(f"{base}/trusted-subjects", answering("Trust Subject", self.trust_subject)),
            web.post(federated, answering("Add Federated Credential", self.add_federated)),
            web.delete(
                f"{federated}/{{name}}", answering("Remove Federated Credential", self.remove_federated)
            ),
            web.put("/issuers", answering("Publish Issuer", self.publish_issuer)),
            web.get("/claims-demands", answering("List Claims Demands", self.list_demands)),
            web.post("/claims-demands", answering("Demand Claims", self.demand_claims)),
            web.delete("/claims-demands/{id}", answering("Withdraw Claims Demand", self.withdraw_demand)),
        ]

    async def add_certificate(self, request: web.Request) -> web.StreamResponse:
        """``POST /applications/{application}/certificates``: a PEM text; its public half is kept."""
        from airflow_provider_batchad.local.control.bodies import CertificateBody

        client_id = self._find(request).principal.app_id
        body = await read_body(request, CertificateBody)
        try:
            added = self._azure.directory.add_certificate(client_id, body.pem.get_secret_value())
        except ValueError:
            raise ControlRefused(400, "pem: holds no certificate") from None
        return web.json_response({"key_id": added.key_id}, status=201)

    async def remove_certificate(self, request: web.Request) -> web.StreamResponse:
        """``DELETE /applications/{application}/certificates/{key_id}``; ``all`` for each of them."""
        key_id = request.match_info["key_id"]
        removed = self._azure.directory.remove_certificate(
            self._find(request).principal.app_id, None if key_id == "all" else key_id
        )
        if not removed:
            raise ControlRefused(404, "the application has no such certificate")
        return web.Response(status=204)

    async def trust_subject(self, request: web.Request) -> web.StreamResponse:
        """``POST /applications/{application}/trusted-subjects``: subject name and authorities."""
        from airflow_provider_batchad.local.control.bodies import TrustedSubjectBody

        client_id = self._find(request).principal.app_id
        body = await read_body(request, TrustedSubjectBody)
        try:
            self._azure.directory.trust_subject(client_id, body.name, body.authorities_pem)
        except ValueError:
            raise ControlRefused(400, "authorities_pem: holds no certificate") from None
        return web.Response(status=204)

    async def add_federated(self, request: web.Request) -> web.StreamResponse:
        """``POST /applications/{application}/federated-credentials``; by default of the machine."""
        from airflow_provider_batchad.local.control.bodies import FederatedCredentialBody

        client_id = self._find(request).principal.app_id
        body = await read_body(request, FederatedCredentialBody)
        added = self._azure.directory.add_federated_credential(
            client_id,
            issuer=body.issuer or self._azure.workload_issuer.url,
            subject=body.subject,
            audience=body.audience,
            name=body.name,
        )
        return web.json_response({"name": added.name, "issuer": added.issuer}, status=201)

    async def remove_federated(self, request: web.Request) -> web.StreamResponse:
        """``DELETE /applications/{application}/federated-credentials/{name}``."""
        client_id = self._find(request).principal.app_id
        if not self._azure.directory.remove_federated_credential(client_id, request.match_info["name"]):
            raise ControlRefused(404, "the application has no such federated credential")
        return web.Response(status=204)

    async def publish_issuer(self, request: web.Request) -> web.StreamResponse:
        """``PUT /issuers``: the keys of an issuer, which Entra ID would fetch from it."""
        from airflow_provider_batchad.local.control.bodies import IssuerBody

        body = await read_body(request, IssuerBody)
        try:
            self._azure.issuers.publish(body.issuer, {"keys": body.keys})
        except ValueError as error:
            raise ControlRefused(400, str(error)) from None
        return web.Response(status=204)

    async def list_demands(self, _request: web.Request) -> web.StreamResponse:
        """``GET /claims-demands``."""
        shown = [
            {"id": one.id, "service": one.service, "principal": one.principal, "since": one.since}
            for one in self._azure.claims_demands.demands()
        ]
        return web.json_response({"claims_demands": shown})

    async def demand_claims(self, request: web.Request) -> web.StreamResponse:
        """``POST /claims-demands``: a service challenges the tokens issued until now."""
        from airflow_provider_batchad.local.control.bodies import ClaimsDemandBody

        body = await read_body(request, ClaimsDemandBody)
        added = self._azure.claims_demands.demand(
            body.service, principal=body.principal, capable_only=body.capable_only
        )
        return web.json_response({"id": added.id, "since": added.since}, status=201)

    async def withdraw_demand(self, request: web.Request) -> web.StreamResponse:
        """``DELETE /claims-demands/{id}``."""
        if not self._azure.claims_demands.withdraw(request.match_info["id"]):
            raise ControlRefused(404, "no claims demand has this id")
        return web.Response(status=204)

    def _find(self, request: web.Request) -> Application:
        wanted = request.match_info["application"]
        for one in self._azure.directory.applications():
            if wanted in (one.principal.name, one.principal.app_id):
                return one
        raise ControlRefused(404, "no application has this name or client ID")
