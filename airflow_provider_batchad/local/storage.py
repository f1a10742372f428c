"""Read-only files of one directory over https: stands in for the blob URLs of a job's resource files."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from aiohttp import web

from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.service import operation

if TYPE_CHECKING:
    from airflow_provider_batchad.local.tokens import Principal

_TEXTS: Final = {
    "BlobNotFound": "The specified blob does not exist.",
    "ServerBusy": "The server is currently unable to receive requests. Please retry your request.",
}


class Storage:
    """Blobs that anybody may read, each a file below ``files_dir``; ``Range`` is honoured.

    :param files_dir: ``None``: there is no blob.
    """

    def __init__(self, files_dir: Path | None) -> None:
        self._root = files_dir.resolve() if files_dir is not None else None

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes of the service; aiohttp answers HEAD with the same handler."""
        return [web.get("/{path:.*}", self.get_blob)]

    async def find_principal(self, _request: web.Request) -> Principal | None:
        """Nobody signs in here."""
        return None

    def render_error(self, _request: web.Request, status: int, code: str | None) -> web.Response:
        """An error in Azure Storage's shape, which is XML."""
        return _render_error(status, code or ("BlobNotFound" if status == 404 else "ServerBusy"))

    @operation("Get Blob")
    async def get_blob(self, request: web.Request) -> web.StreamResponse:
        """``GET`` and ``HEAD`` of a path below the directory."""
        path = self._find_file(request.match_info["path"])
        if path is None:
            return _render_error(404, "BlobNotFound")
        headers = {**_headers(), "x-ms-blob-type": "BlockBlob", "Accept-Ranges": "bytes"}
        return web.FileResponse(path, headers=headers)

    def _find_file(self, name: str) -> Path | None:
        if self._root is None or "\0" in name:
            return None
        # Resolved before it is compared, so that neither ".." nor a symbolic link leads out.
        path = (self._root / name.lstrip("/")).resolve()
        return path if path.is_relative_to(self._root) and path.is_file() else None


def _headers() -> dict[str, str]:
    return {"x-ms-version": "2024-11-04", "x-ms-request-id": str(uuid.uuid4())}


def _render_error(status: int, code: str) -> web.Response:
    current_call().error_code = code
    text = _TEXTS.get(code, "The service refused the request.")
    body = (
        '\ufeff<?xml version="1.0" encoding="utf-8"?>'
        f"<Error><Code>{escape(code)}</Code><Message>{text}</Message></Error>"
    )
    headers = {**_headers(), "x-ms-error-code": code}
    return web.Response(status=status, text=body, content_type="application/xml", headers=headers)
