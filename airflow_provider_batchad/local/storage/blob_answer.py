"""The content of a blob over HTTP: whole or a range, streamed."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from aiohttp import web

from airflow_provider_batchad.local.storage.answers import blob_headers, render_error

if TYPE_CHECKING:
    from airflow_provider_batchad.local.storage.containers import Blob

_BLOCK_BYTES: Final = 256 * 1024
_RANGE: Final = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")


async def send_blob(request: web.Request, blob: Blob) -> web.StreamResponse:
    """The answer to ``GET`` and ``HEAD``; ``x-ms-range`` is the SDKs' name for ``Range``, and wins."""
    wanted = request.headers.get("If-Match")
    if wanted is not None and wanted.strip('"') not in ("*", blob.etag):
        return render_error("ConditionNotMet")
    headers = {**blob_headers(blob), "Accept-Ranges": "bytes", "Content-Type": blob.content_type}
    start, end, status = 0, blob.size - 1, 200
    asked = request.headers.get("x-ms-range", request.headers.get("Range"))
    # What is no range is none, as HTTP has it.
    match = _RANGE.fullmatch(asked) if asked is not None and request.method == "GET" else None
    if match is not None:
        start, end = int(match[1]), min(int(match[2] or end), end)
        if start > end:
            return render_error("InvalidRange")
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end}/{blob.size}"
    headers["Content-Length"] = str(end - start + 1)
    response = web.StreamResponse(status=status, headers=headers)
    await response.prepare(request)
    if request.method == "GET":
        await _send(response, blob, start, end - start + 1)
    await response.write_eof()
    return response


async def _send(response: web.StreamResponse, blob: Blob, start: int, left: int) -> None:
    with blob.path.open("rb") as file:
        file.seek(start)
        while left > 0 and (block := await asyncio.to_thread(file.read, min(left, _BLOCK_BYTES))):
            left -= len(block)
            await response.write(block)
