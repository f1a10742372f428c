"""The control port's part for people: who there is, who sits at the browser, which devices wait."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from airflow_provider_batchad.local.config import LOOPBACK_HOSTS, UserConfig
from airflow_provider_batchad.local.control.request import ControlRefused, answering, read_body
from airflow_provider_batchad.local.entra.errors import SignInRefused

if TYPE_CHECKING:
    from airflow_provider_batchad.local.entra.authorize import Redirection
    from airflow_provider_batchad.local.entra.directory import Person
    from airflow_provider_batchad.local.entra.people_pages import PeopleSignIn
    from airflow_provider_batchad.local.server import LocalAzure

_DELIVERY_SECONDS: Final = 30.0


class SignInControl:
    """What a person would do at a screen, without one."""

    def __init__(self, azure: LocalAzure, people: PeopleSignIn) -> None:
        self._azure = azure
        self._people = people
        self._deliveries: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes."""
        device = "/device-codes/{user_code}"
        return [
            web.get("/people", answering("List People", self.list_people)),
            web.post("/people", answering("Add Person", self.add_person)),
            web.post("/people/{name}/revoke", answering("Revoke Sessions", self.revoke_sessions)),
            web.get("/device-codes", answering("List Device Codes", self.list_devices)),
            web.post(device + "/approve", answering("Approve Device Code", self.approve_device)),
            web.post(device + "/decline", answering("Decline Device Code", self.decline_device)),
            web.put("/browser", answering("Sit Down At Browser", self.sit_down)),
            web.post("/browser/open", answering("Open In Browser", self.open_in_browser)),
        ]

    async def list_people(self, _request: web.Request) -> web.StreamResponse:
        """``GET /people``."""
        return web.json_response({"people": [_show(one) for one in self._azure.directory.people()]})

    async def add_person(self, request: web.Request) -> web.StreamResponse:
        """``POST /people``: user principal name, and what else is known."""
        from airflow_provider_batchad.local.control.bodies import PersonBody

        body = await read_body(request, PersonBody)
        if self._azure.directory.person(body.name) is not None:
            raise ControlRefused(409, "there is a person with this name")
        added = self._azure.directory.add_user(UserConfig(**body.model_dump()))
        return web.json_response(_show(added), status=201)

    async def revoke_sessions(self, request: web.Request) -> web.StreamResponse:
        """``POST /people/{name}/revoke``: no refresh token of theirs is good any more."""
        self._azure.sign_ins.revoke(self._find(request.match_info["name"]).principal.name)
        return web.Response(status=204)

    async def list_devices(self, _request: web.Request) -> web.StreamResponse:
        """``GET /device-codes``: those that wait for somebody."""
        shown = [
            {"user_code": one.user_code, "client_id": one.client_id, "audience": one.scopes.audience}
            for one in self._azure.sign_ins.device_codes.pending()
        ]
        return web.json_response({"device_codes": shown})

    async def approve_device(self, request: web.Request) -> web.StreamResponse:
        """``POST /device-codes/{user_code}/approve``, as a person."""
        from airflow_provider_batchad.local.control.bodies import WhoBody

        person = self._find((await read_body(request, WhoBody)).person)
        try:
            self._azure.sign_ins.device_codes.approve(request.match_info["user_code"], person)
        except KeyError as error:
            raise ControlRefused(404, str(error.args[0])) from None
        except ValueError as error:
            raise ControlRefused(400, str(error)) from None
        return web.Response(status=204)

    async def decline_device(self, request: web.Request) -> web.StreamResponse:
        """``POST /device-codes/{user_code}/decline``."""
        try:
            self._azure.sign_ins.decline_device(request.match_info["user_code"])
        except KeyError as error:
            raise ControlRefused(404, str(error.args[0])) from None
        return web.Response(status=204)

    async def sit_down(self, request: web.Request) -> web.StreamResponse:
        """``PUT /browser``: for whom the sign-in page answers at once; ``{}`` for nobody."""
        from airflow_provider_batchad.local.control.bodies import SeatBody

        name = (await read_body(request, SeatBody)).person
        self._azure.sign_ins.at_browser = None if name is None else self._find(name)
        return web.Response(status=204)

    async def open_in_browser(self, request: web.Request) -> web.StreamResponse:
        """``POST /browser/open``: open an address as a person who agrees, and take the code to whoever waits.

        For ``BROWSER``, where there is none. The code is delivered to loopback only, and after the answer:
        clients listen for it only once their browser was opened.
        """
        from airflow_provider_batchad.local.control.bodies import VisitBody

        body = await read_body(request, VisitBody)
        person = self._azure.sign_ins.at_browser if body.person is None else self._find(body.person)
        if person is None:
            raise ControlRefused(400, "person: nobody sits at the browser")
        try:
            redirection = self._people.open_as(body.url, person)
        except SignInRefused as refused:
            raise ControlRefused(400, f"AADSTS{refused.kind.number}: {refused.text}") from None
        except ValueError as error:
            raise ControlRefused(400, f"url: {error}") from None
        if urlsplit(redirection.uri).hostname not in LOOPBACK_HOSTS:
            raise ControlRefused(400, "url: the redirect URI is not loopback")
        task = asyncio.create_task(_deliver(redirection))
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)
        return web.Response(status=202)

    def _find(self, name: str) -> Person:
        try:
            return self._azure.sign_ins.find(name)
        except KeyError as error:
            raise ControlRefused(404, str(error.args[0])) from None


async def _deliver(redirection: Redirection) -> None:
    timeout = aiohttp.ClientTimeout(total=_DELIVERY_SECONDS)
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with aiohttp.ClientSession(timeout=timeout) as session:
            if redirection.mode == "form_post":
                await session.post(redirection.uri, data=dict(redirection.parameters))
            else:
                await session.get(redirection.uri, params=dict(redirection.parameters))


def _show(person: Person) -> dict[str, str]:
    principal = person.principal
    return {
        "name": principal.name,
        "display_name": person.display_name,
        "object_id": principal.object_id,
        "tenant_id": principal.tenant_id,
    }
