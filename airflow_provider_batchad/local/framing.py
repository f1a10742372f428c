"""How Microsoft's servers frame an answer where HTTP leaves it open, or would rather have it otherwise."""

from __future__ import annotations

from typing import TypeVar

from aiohttp import HttpVersion11, web

_R = TypeVar("_R", bound=web.StreamResponse)


def chunk(request: web.Request, response: _R) -> _R:
    """Send an answer in chunks, as the Batch service sends nearly all; HTTP/1.0 knows none."""
    if response.status not in (204, 304) and request.version >= HttpVersion11:
        response.enable_chunked_encoding()
    return response


async def frame(request: web.Request, response: web.StreamResponse) -> None:
    """Set the last headers of an answer; aiohttp calls it before they go out. All of it is recorded."""
    if response.status == 204:
        response.headers["Content-Length"] = "0"
    elif not response.chunked:
        return
    elif request.method == "HEAD":
        response.headers["Transfer-Encoding"] = "chunked"
    elif isinstance(response, web.Response) and response.body is None:
        # Of no body aiohttp says that it were application/octet-stream.
        response.headers.pop("Content-Type", None)
