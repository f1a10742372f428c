"""Bodies of requests, of whatever bytes, type and encoding: what cannot be read is one kind of error."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web


class UnreadableBody(Exception):
    """A request's body is not what its headers say, or not what is wanted."""


async def read_bytes(request: web.Request) -> bytes:
    """The body, without its ``Content-Encoding``.

    :raises UnreadableBody: it is not so encoded.
    """
    try:
        return await request.read()
    except web.RequestPayloadError as error:
        raise UnreadableBody(str(error)) from None


async def read_json(request: web.Request) -> Any:
    """The body as JSON, whatever character set the ``Content-Type`` names.

    :raises UnreadableBody: it is none, nested deeper than can be followed, or of texts that are no Unicode.
    """
    body = await read_bytes(request)
    try:
        read = json.loads(body, parse_constant=_refuse_constant)
        # Of a lone surrogate, which JSON can name, no answer could be made.
        json.dumps(read, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise UnreadableBody(str(error)) from None
    return read


async def read_form(request: web.Request) -> dict[str, str]:
    """The text fields of a form; none of a body that is no form."""
    try:
        posted = await request.post()
    except (ValueError, LookupError, web.RequestPayloadError):
        return {}
    return {name: value for name, value in posted.items() if isinstance(value, str)}


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
