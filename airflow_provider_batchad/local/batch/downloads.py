"""Resource files: what a node fetches before a task starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit
from xml.etree import ElementTree as ET

import aiohttp
from yarl import URL

from airflow_provider_batchad.local.batch.failures import PreparationFailed
from airflow_provider_batchad.local.batch.node_http import NodeHttp, exact_url
from airflow_provider_batchad.local.batch.node_identities import IdentityRefused, NodeIdentities

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.node import Node

# ResourceFile.fileMode: "a default value of 0770 is applied to the file".
_DEFAULT_MODE: Final = 0o770
_BLOCK_BYTES: Final = 256 * 1024

Details = tuple[tuple[str, str], ...]


class Downloader:
    """What fetches the files of all nodes.

    :param auto_storage: the URL of a container of the account's own storage, with the right to read it.
    """

    def __init__(
        self, http: NodeHttp, auto_storage: Callable[[str], str], identities: NodeIdentities
    ) -> None:
        self._http = http
        self._identities = identities
        self._auto_storage = auto_storage

    async def fetch_all(self, files: Sequence[Mapping[str, Any]], node: Node, directory: Path) -> None:
        """Fetch every file to where it belongs below the working directory.

        :raises PreparationFailed: the first that cannot be had.
        """
        for file in files:
            mode = int(file["fileMode"], 8) if file.get("fileMode") else _DEFAULT_MODE
            if "httpUrl" in file:
                details = (("HttpUrl", file["httpUrl"]), ("FilePath", file["filePath"]))
                headers = self._headers(node, file["httpUrl"], file, details)
                try:
                    url = URL(file["httpUrl"])
                except ValueError as error:
                    raise _misc(error, details) from None
                await self._fetch(url, directory / file["filePath"], mode, details, headers)
            else:
                await self._fetch_container(file, node, directory / file.get("filePath", ""), mode)

    async def _fetch_container(self, file: Mapping[str, Any], node: Node, directory: Path, mode: int) -> None:
        name = file.get("autoStorageContainerName")
        url = file["storageContainerUrl"] if name is None else self._auto_storage(name)
        # A node's own signature for the account's storage is nobody else's business.
        shown = ("AutoStorageContainerName", name) if name else ("StorageContainerUrl", url)
        headers = {} if name else self._headers(node, url, file, (shown,))
        async for blob in self._list(url, file.get("blobPrefix") or "", (shown,), headers):
            details = (shown, ("BlobName", blob))
            target = directory / blob
            if not _is_within(target, directory):
                raise PreparationFailed("ResourceFileCreateFailed", *details, ("Message", "Invalid path"))
            await self._fetch(exact_url(_blob_url(url, blob)), target, mode, details, headers)

    def _headers(self, node: Node, url: str, file: Mapping[str, Any], details: Details) -> dict[str, str]:
        try:
            return self._identities.headers(node, url, file.get("identityReference"))
        except IdentityRefused as refused:
            raise _misc(refused, details) from None

    async def _list(
        self, url: str, prefix: str, details: Details, headers: Mapping[str, str]
    ) -> AsyncIterator[str]:
        query = {"restype": "container", "comp": "list", "prefix": prefix, "marker": ""}
        while True:
            try:
                target = exact_url(_with_query(url, query))
                async with self._http.session().get(target, headers=headers) as response:
                    if response.status != 200:
                        raise PreparationFailed(_code_of(response.status), *details)
                    listed = ET.fromstring(await response.read())  # noqa: S314 - expat bounds entities
            except TimeoutError:
                raise PreparationFailed("BlobDownloadTimedOut", *details) from None
            except (aiohttp.ClientError, ET.ParseError, ValueError) as error:
                raise _misc(error, details) from None
            for blob in listed.iter("Blob"):
                yield blob.findtext("Name", "")
            query["marker"] = listed.findtext("NextMarker", "")
            if not query["marker"]:
                return

    async def _fetch(
        self, url: URL, target: Path, mode: int, details: Details, headers: Mapping[str, str]
    ) -> None:
        try:
            async with self._http.session().get(url, headers=headers) as response:
                if response.status != 200:
                    raise PreparationFailed(_code_of(response.status), *details)
                await _write(response, target, mode)
        except TimeoutError:
            raise PreparationFailed("BlobDownloadTimedOut", *details) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise _misc(error, details) from None
        except OSError as error:
            raise PreparationFailed(
                "ResourceFileCreateFailed", *details, ("Message", error.strerror or "")
            ) from None


def _misc(error: Exception, details: Details) -> PreparationFailed:
    return PreparationFailed(
        "BlobDownloadMiscError", *details, ("Message", str(error) or type(error).__name__)
    )


def _is_within(target: Path, directory: Path) -> bool:
    return target.resolve().is_relative_to(directory.resolve())


def _blob_url(container_url: str, blob: str) -> str:
    parts = urlsplit(container_url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(blob)}"))


def _with_query(url: str, query: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    added = [f"{name}={quote(value, safe='')}" for name, value in query.items() if value]
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, *added]))))


async def _write(response: aiohttp.ClientResponse, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        async for block in response.content.iter_chunked(_BLOCK_BYTES):
            await asyncio.to_thread(file.write, block)
    await asyncio.to_thread(target.chmod, mode)


def _code_of(status: int) -> str:
    if status in (401, 403):
        return "BlobAccessDenied"
    return "BlobNotFound" if status == 404 else "BlobDownloadMiscError"
