"""The storage account of local Azure: containers for nodes' files, and a directory that anybody may read.

Containers are at ``/{account}/{container}``, the way that the SDKs expect of a storage account on loopback.
They are private: a request needs a shared access signature of the account, or the token of somebody who may.
Of the Blob service's operations there are those that Batch nodes need: Put Blob, Get Blob, Get Blob
Properties, List Blobs, Delete Blob. Every other path is a file of the directory (``files_dir``), which stands
in for public blob URLs.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from airflow_provider_batchad.local.resource_ids import STORAGE_ACCOUNT
from airflow_provider_batchad.local.service import operation
from airflow_provider_batchad.local.storage.answers import (
    base_headers,
    blob_headers,
    render_error,
    render_list,
)
from airflow_provider_batchad.local.storage.blob_answer import send_blob
from airflow_provider_batchad.local.storage.containers import BlobContainers
from airflow_provider_batchad.local.storage.identity_access import (
    ADD,
    DELETE,
    READ,
    WRITE,
    IdentityAccess,
)
from airflow_provider_batchad.local.storage.shared_access import SharedAccess

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.entra.tokens import Principal

_MAX_PAGE: Final = 5000
_BLOCK_BYTES: Final = 256 * 1024
_USUAL_CODES: Final = {
    401: "InvalidAuthenticationInfo",
    403: "AuthenticationFailed",
    404: "BlobNotFound",
    405: "UnsupportedHttpVerb",
}


class Storage:
    """The service.

    :param url: its own, without a slash at its end.
    :param root: where the containers' content is kept.
    :param files_dir: files that anybody may read; ``None``: there are none.
    """

    def __init__(
        self, *, url: str, clock: Clock, root: Path, files_dir: Path | None, identities: IdentityAccess
    ) -> None:
        self.containers = BlobContainers(root)
        self._url = url
        self._clock = clock
        self._files = files_dir.resolve() if files_dir is not None else None
        key = secrets.token_bytes(64)
        self.account_key = base64.b64encode(key).decode()
        self._identities = identities
        self._access = SharedAccess(STORAGE_ACCOUNT, key)

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes of the service; aiohttp answers HEAD with the handler of GET."""
        blob = f"/{STORAGE_ACCOUNT}/{{container}}{{slash:/?}}{{blob:.*}}"
        return [
            web.get(blob, self.get),
            web.put(blob, self.put),
            web.delete(blob, self.delete),
            web.get("/{path:.*}", self.get_file),
            web.route("*", "/{path:.*}", self.refuse),
        ]

    def container_url(
        self, name: str, *, permissions: str = "racwdl", lifetime: timedelta = timedelta(days=7)
    ) -> str:
        """The URL of a container with a shared access signature; the container need not exist."""
        query = self._access.sign(name, permissions=permissions, now=self._clock.now(), lifetime=lifetime)
        return f"{self._url}/{STORAGE_ACCOUNT}/{name}?{query}"

    async def find_principal(self, request: web.Request) -> Principal | None:
        """Who sends a token; a signature is nobody's."""
        return self._identities.find(request)

    def render_error(self, _request: web.Request, status: int, code: str | None) -> web.Response:
        """An error in Azure Storage's shape, which is XML."""
        return render_error(code or _USUAL_CODES.get(status, "ServerBusy"), status)

    @operation("Get Blob")
    async def get(self, request: web.Request) -> web.StreamResponse:
        """``GET`` and ``HEAD``: a blob, or the list of a container's blobs."""
        container, name = request.match_info["container"], request.match_info["blob"]
        is_list = not name and request.query.get("comp") == "list"
        refusal = self._refuse(request, container, name, "l" if is_list else "r", READ)
        if refusal is not None:
            return refusal
        if is_list:
            return self._list(request, container)
        blob = self.containers.find(container, name)
        if blob is None:
            return render_error("BlobNotFound")
        return await send_blob(request, blob)

    @operation("Put Blob")
    async def put(self, request: web.Request) -> web.StreamResponse:
        """``PUT`` of a block blob, whole."""
        container, name = request.match_info["container"], request.match_info["blob"]
        is_new = container not in self.containers or self.containers.find(container, name) is None
        refusal = self._refuse(request, container, name, "cw", ADD if is_new else WRITE)
        if refusal is None:
            refusal = _refuse_kind(request)
        if refusal is not None:
            return refusal
        written = self.containers.new_file(container)
        with written.open("wb") as file:
            async for block in request.content.iter_chunked(_BLOCK_BYTES):
                await asyncio.to_thread(file.write, block)
        if request.headers.get("If-None-Match") == "*" and self.containers.find(container, name) is not None:
            # Looked at once all is written: of several at a time, one is the first.
            written.unlink()
            return render_error("BlobAlreadyExists")
        given = request.headers.get("x-ms-blob-content-type") or request.headers.get("Content-Type")
        try:
            blob = self.containers.put(
                container,
                name,
                written,
                content_type=given or "application/octet-stream",
                modified=self._clock.time(),
            )
        except ValueError:
            written.unlink()
            return render_error("InvalidUri")
        headers = {**blob_headers(blob), "x-ms-request-server-encrypted": "true"}
        del headers["x-ms-blob-type"]
        return web.Response(status=201, headers=headers)

    @operation("Delete Blob")
    async def delete(self, request: web.Request) -> web.StreamResponse:
        """``DELETE`` of a blob."""
        container, name = request.match_info["container"], request.match_info["blob"]
        refusal = self._refuse(request, container, name, "d", DELETE)
        if refusal is not None:
            return refusal
        if not self.containers.delete(container, name):
            return render_error("BlobNotFound")
        return web.Response(status=202, headers={**base_headers(), "x-ms-delete-type-permanent": "true"})

    @operation("Get File")
    async def get_file(self, request: web.Request) -> web.StreamResponse:
        """``GET`` and ``HEAD`` of a path below the directory."""
        path = self._find_file(request.match_info["path"])
        if path is None:
            return render_error("BlobNotFound")
        headers = {**base_headers(), "x-ms-blob-type": "BlockBlob", "Accept-Ranges": "bytes"}
        return web.FileResponse(path, headers=headers)

    @operation("")
    async def refuse(self, request: web.Request) -> web.StreamResponse:
        """Whatever is nothing of the above."""
        is_known = request.method in ("PUT", "DELETE")
        return render_error("ResourceNotFound" if is_known else "UnsupportedHttpVerb")

    def _signed(self, request: web.Request, container: str, name: str) -> str | None:
        return self._access.permissions(
            request.query, container=container, blob=name or None, now=self._clock.now()
        )

    def _refuse(
        self, request: web.Request, container: str, name: str, any_of: str, actions: tuple[str, ...]
    ) -> web.Response | None:
        if self._identities.sends_token(request):
            refusal = self._identities.refuse(request, container, actions)
            return refusal or self._refuse_absent(container)
        if "sig" not in request.query:
            return self._identities.refuse_nobody(request)
        permissions = self._signed(request, container, name)
        if permissions is None:
            return render_error("AuthenticationFailed")
        if not set(any_of) & set(permissions):
            return render_error("AuthorizationPermissionMismatch")
        return self._refuse_absent(container)

    def _refuse_absent(self, container: str) -> web.Response | None:
        return None if container in self.containers else render_error("ContainerNotFound")

    def _list(self, request: web.Request, container: str) -> web.Response:
        query = request.query
        asked = query.get("maxresults", str(_MAX_PAGE))
        if not (asked.isascii() and asked.isdecimal() and len(asked) < 10 and int(asked)):
            return render_error("InvalidQueryParameterValue")
        size = min(int(asked), _MAX_PAGE)
        prefix, marker = query.get("prefix", ""), query.get("marker", "")
        found = []
        for blob in self.containers.walk(container, prefix=prefix, after=marker):
            found.append(blob)
            if len(found) > size:
                break
        page = found[:size]
        return render_list(
            f"{self._url}/{STORAGE_ACCOUNT}",
            container,
            page,
            prefix=prefix,
            marker=marker,
            next_marker=page[-1].name if len(found) > size else "",
            size=size,
        )

    def _find_file(self, name: str) -> Path | None:
        if self._files is None or "\0" in name:
            return None
        # Resolved before it is compared, so that neither ".." nor a symbolic link leads out.
        path = (self._files / name.lstrip("/")).resolve()
        return path if path.is_relative_to(self._files) and path.is_file() else None


def _refuse_kind(request: web.Request) -> web.Response | None:
    """The refusal of what is written, but no whole block blob."""
    if "comp" in request.query or "restype" in request.query:
        return render_error("InvalidQueryParameterValue")
    if "x-ms-blob-type" not in request.headers:
        return render_error("MissingRequiredHeader")
    if request.headers["x-ms-blob-type"] != "BlockBlob":
        return render_error("InvalidHeaderValue")
    return None
