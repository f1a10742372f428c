"""The HTTP client of all nodes: for resource files, and for output files."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)


class NodeHttp:
    """Made at the first need.

    :param ca_file: certificates that nodes trust beside the machine's own.
    """

    def __init__(self, ca_file: Path | None) -> None:
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """The client; it follows redirects, and waits a minute at most for a server that says nothing."""
        if self._session is None:
            context = ssl.create_default_context()
            if self._ca_file is not None:
                context.load_verify_locations(self._ca_file)
            connector = aiohttp.TCPConnector(ssl=context)
            self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)
        return self._session

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()


def exact_url(url: str) -> URL:
    """A URL as it was given: a shared access signature does not outlive another spelling of its query."""
    return URL(url, encoded=True)
