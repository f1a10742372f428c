"""The control port: what a test or a person asks of local Azure itself; no answer holds a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from aiohttp import web

from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.config import SERVICES
from airflow_provider_batchad.local.control.batch import BatchControl
from airflow_provider_batchad.local.control.credentials import CredentialControl
from airflow_provider_batchad.local.control.denials import DenialControl
from airflow_provider_batchad.local.control.directory import DirectoryControl
from airflow_provider_batchad.local.control.request import (
    ControlRefused,
    answering,
    read_body,
    render_refusal,
)
from airflow_provider_batchad.local.control.sign_ins import SignInControl
from airflow_provider_batchad.local.control.vault import VaultControl
from airflow_provider_batchad.local.faults import FaultRule

if TYPE_CHECKING:
    from airflow_provider_batchad.local.entra.people_pages import PeopleSignIn
    from airflow_provider_batchad.local.entra.tokens import Principal
    from airflow_provider_batchad.local.server import LocalAzure

_LEDGER_QUERY: Final = ("service", "operation", "principal", "status", "after", "limit", "newest")
_LONGEST_NUMBER: Final = 18


class Control:
    """Ledger, faults, clock, and what ``DirectoryControl`` adds, as plain JSON."""

    def __init__(self, azure: LocalAzure, people: PeopleSignIn) -> None:
        self._azure = azure
        self._people = people

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes of the service."""
        return [
            web.get("/", answering("Show", self.show)),
            web.get("/health", answering("Health", self.show_health)),
            web.get("/ledger", answering("List Ledger", self.list_ledger)),
            web.delete("/ledger", answering("Clear Ledger", self.clear_ledger)),
            web.get("/ledger/counts", answering("Count Ledger", self.count_ledger)),
            web.get("/faults", answering("List Faults", self.list_faults)),
            web.post("/faults", answering("Add Fault", self.add_fault)),
            web.delete("/faults", answering("Clear Faults", self.clear_faults)),
            web.delete("/faults/{id}", answering("Remove Fault", self.remove_fault)),
            web.get("/clock", answering("Show Clock", self.show_clock)),
            web.put("/clock", answering("Change Clock", self.change_clock)),
            *BatchControl(self._azure).routes(),
            *DirectoryControl(self._azure).routes(),
            *CredentialControl(self._azure).routes(),
            *VaultControl(self._azure).routes(),
            *SignInControl(self._azure, self._people).routes(),
            *DenialControl(self._azure).routes(),
        ]

    async def find_principal(self, _request: web.Request) -> Principal | None:
        """Nobody signs in here: whoever reaches loopback is trusted."""
        return None

    def render_error(self, _request: web.Request, status: int, code: str | None) -> web.Response:
        """An outage of the control port."""
        current_call().error_code = code
        return render_refusal(status, code or "a fault rule broke this answer")

    async def show(self, _request: web.Request) -> web.StreamResponse:
        """``GET /``: where everything is."""
        config = self._azure.config
        body = {
            "endpoints": self._azure.endpoints.as_dict(),
            "ca_file": str(self._azure.ca_file),
            "tenant_id": config.tenant.id,
            "account_resource_id": config.account_scope,
            "pools": [pool.id for pool in config.pools],
        }
        return web.json_response(body)

    async def show_health(self, _request: web.Request) -> web.StreamResponse:
        """``GET /health``: answers once every service does."""
        return web.json_response({"status": "ready"})

    async def list_ledger(self, request: web.Request) -> web.StreamResponse:
        """``GET /ledger?service=&operation=&principal=&status=&after=&limit=&newest=``.

        ``service`` may stand there several times, ``operation`` takes ``*`` and ``?``; of what fits, the
        first ``limit`` or the last ``newest``.
        """
        query = request.query
        _check_names(query)
        entries = self._azure.ledger.entries(
            service=query.getall("service", None),
            operation=query.get("operation"),
            principal=query.get("principal"),
            status=_read_number(request, "status"),
            after=_read_number(request, "after") or 0,
        )
        limit = _read_number(request, "limit")
        newest = _read_number(request, "newest")
        shown = entries if limit is None else entries[:limit]
        if newest is not None:
            shown = shown[max(0, len(shown) - newest) :]
        body = {"entries": [one.as_json() for one in shown], "last": self._azure.ledger.last_sequence}
        return web.json_response(body)

    async def clear_ledger(self, _request: web.Request) -> web.StreamResponse:
        """``DELETE /ledger``."""
        self._azure.ledger.clear()
        return web.Response(status=204)

    async def count_ledger(self, _request: web.Request) -> web.StreamResponse:
        """``GET /ledger/counts``: requests by service and operation."""
        return web.json_response(self._azure.ledger.counts())

    async def list_faults(self, _request: web.Request) -> web.StreamResponse:
        """``GET /faults``: the rules, and how many requests each has broken."""
        faults = self._azure.faults
        rules = [{**rule.as_json(), "hits": faults.hits(rule.id)} for rule in faults.rules()]
        return web.json_response({"faults": rules})

    async def add_fault(self, request: web.Request) -> web.StreamResponse:
        """``POST /faults`` with the fields of ``FaultRule``."""
        from airflow_provider_batchad.local.control.bodies import FaultBody

        body = await read_body(request, FaultBody)
        try:
            rule = self._azure.faults.add(FaultRule(**body.model_dump()))
        except ValueError as error:
            raise ControlRefused(400, str(error)) from None
        return web.json_response(rule.as_json(), status=201)

    async def clear_faults(self, _request: web.Request) -> web.StreamResponse:
        """``DELETE /faults``."""
        self._azure.faults.clear()
        return web.Response(status=204)

    async def remove_fault(self, request: web.Request) -> web.StreamResponse:
        """``DELETE /faults/{id}``."""
        if not self._azure.faults.remove(request.match_info["id"]):
            raise ControlRefused(404, "no fault rule has this id")
        return web.Response(status=204)

    async def show_clock(self, _request: web.Request) -> web.StreamResponse:
        """``GET /clock``."""
        clock = self._azure.clock
        return web.json_response(
            {"now": clock.now().isoformat(), "is_real": clock.is_real, "is_frozen": clock.is_frozen}
        )

    async def change_clock(self, request: web.Request) -> web.StreamResponse:
        """``PUT /clock``: ``set``, ``advance_seconds``, ``freeze``, ``run`` or ``real``."""
        from airflow_provider_batchad.local.control.bodies import ClockBody

        body = await read_body(request, ClockBody)
        clock = self._azure.clock
        try:
            if body.set is not None:
                clock.set(body.set)
            elif body.advance_seconds is not None:
                clock.advance(body.advance_seconds)
            elif body.freeze:
                clock.freeze()
            elif body.run:
                clock.run()
            else:
                clock.real()
        except ValueError as error:
            raise ControlRefused(400, str(error)) from None
        return await self.show_clock(request)


def _check_names(query: Mapping[str, str]) -> None:
    """Refuse what would match nothing, or be passed over, for a slip of the pen."""
    unknown = next((name for name in query if name not in _LEDGER_QUERY), None)
    if unknown is not None:
        raise ControlRefused(400, f"{unknown} is none of {', '.join(_LEDGER_QUERY)}")
    for name, value in query.items():
        if name == "service" and value not in SERVICES:
            raise ControlRefused(400, f"service must be one of {', '.join(SERVICES)}")


def _read_number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    # Python itself refuses to read thousands of digits.
    if not text.isdecimal() or len(text) > _LONGEST_NUMBER:
        raise ControlRefused(400, f"{name} must be a number")
    return int(text)
