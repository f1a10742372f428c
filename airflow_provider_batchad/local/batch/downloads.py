"""Resource files: what a node fetches before a task starts."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp

from airflow_provider_batchad.local.batch.failures import PreparationFailed

# ResourceFile.fileMode: "a default value of 0770 is applied to the file".
_DEFAULT_MODE: Final = 0o770
_BLOCK_BYTES: Final = 256 * 1024
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)


class Downloader:
    """The HTTP client of all nodes.

    :param ca_file: certificates that nodes trust beside the machine's own.
    """

    def __init__(self, ca_file: Path | None) -> None:
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()

    async def fetch_all(self, files: Sequence[Mapping[str, Any]], directory: Path) -> None:
        """Fetch every file to its ``filePath`` below the working directory.

        :raises PreparationFailed: the first that cannot be had.
        """
        for file in files:
            await self._fetch(file, directory)

    async def _fetch(self, file: Mapping[str, Any], directory: Path) -> None:
        url, path = file["httpUrl"], file["filePath"]
        details = (("HttpUrl", url), ("FilePath", path))
        try:
            async with self._open().get(url, timeout=_TIMEOUT) as response:
                if response.status != 200:
                    raise PreparationFailed(_code_of(response.status), *details)
                target = directory / path
                await _write(response, target)
                target.chmod(int(file["fileMode"], 8) if file.get("fileMode") else _DEFAULT_MODE)
        except TimeoutError:
            raise PreparationFailed("BlobDownloadTimedOut", *details) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise PreparationFailed(
                "BlobDownloadMiscError", *details, ("Message", str(error) or type(error).__name__)
            ) from None
        except OSError as error:
            raise PreparationFailed(
                "ResourceFileCreateFailed", *details, ("Message", error.strerror or "")
            ) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = ssl.create_default_context()
            if self._ca_file is not None:
                context.load_verify_locations(self._ca_file)
            connector = aiohttp.TCPConnector(ssl=context)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session


async def _write(response: aiohttp.ClientResponse, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        async for block in response.content.iter_chunked(_BLOCK_BYTES):
            await asyncio.to_thread(file.write, block)


def _code_of(status: int) -> str:
    if status in (401, 403):
        return "BlobAccessDenied"
    return "BlobNotFound" if status == 404 else "BlobDownloadMiscError"
