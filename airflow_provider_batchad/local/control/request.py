"""Requests of the control port: bodies checked by pydantic, refusals as JSON.

pydantic and the models load with the first request that has a body, so that the start does not pay for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

from airflow_provider_batchad.local.request_body import UnreadableBody, read_bytes
from airflow_provider_batchad.local.service import Handler, operation

if TYPE_CHECKING:
    from pydantic import BaseModel

_B = TypeVar("_B", bound="BaseModel")


class ControlRefused(Exception):
    """The control port's answer is an error."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(text)


def answering(name: str, handler: Handler) -> Handler:
    """Name the operation, and give refusals and impossible values as JSON."""

    @operation(name)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ControlRefused as refused:
            return render_refusal(refused.status, refused.text)

    return answer


def render_refusal(status: int, text: str) -> web.Response:
    """An error as the control port gives it."""
    return web.json_response({"error": text}, status=status)


async def read_body(request: web.Request, model: type[_B]) -> _B:
    """The request's JSON as a checked model.

    :raises ControlRefused: it is not what the model wants; the text names the field, never its value.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate_json(await read_bytes(request) or b"{}")
    except UnreadableBody as unreadable:
        raise ControlRefused(400, str(unreadable)) from None
    except ValidationError as error:
        lines = (f"{_path(one['loc'])}{one['msg']}" for one in error.errors(include_input=False))
        raise ControlRefused(400, "; ".join(lines)) from None


def _path(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, location))}: " if location else ""
