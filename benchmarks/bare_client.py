"""An HTTP client with nothing in it but what the protocol needs: what a request costs at least.

It knows bodies with a length and bodies in chunks, keeps its connection, and checks certificates.
"""

from __future__ import annotations

import json
import socket
import ssl
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

_BLOCK_BYTES: Final = 1 << 16


class BareClient:
    """One connection to one host.

    :param url: scheme, host and port; https.
    :param ca_file: the certificates that it trusts.
    :param headers: sent with every request.
    """

    def __init__(self, url: str, *, ca_file: str, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        plain = socket.create_connection((host, port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = ssl.create_default_context(cafile=ca_file)
        self._socket = context.wrap_socket(plain, server_hostname=host)
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._head = f" HTTP/1.1\r\nHost: {host}:{port}\r\n{lines}"
        self._pending = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def get(self, path: str, headers: str = "") -> bytes:
        """The body of what is found there.

        :param headers: further lines, each with its end.
        :raises RuntimeError: the answer is an error.
        """
        return self.send(f"GET {path}{self._head}{headers}\r\n".encode())

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> bytes:
        """The answer's body.

        :raises RuntimeError: the answer is an error.
        """
        head = f"POST {path}{self._head}Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        return self.send(head.encode() + body)

    def get_json(self, path: str, headers: str = "") -> dict[str, Any]:
        """The body as an object.

        :raises RuntimeError: the answer is an error.
        """
        found: dict[str, Any] = json.loads(self.get(path, headers))
        return found

    def send(self, request: bytes) -> bytes:
        """A whole request, as it goes over the wire.

        :raises RuntimeError: the answer is an error.
        """
        self._socket.sendall(request)
        head = self._read_to(b"\r\n\r\n")
        fields = head.lower()
        if b"transfer-encoding: chunked" in fields:
            body = self._read_chunks()
        else:
            _, found, rest = fields.partition(b"content-length:")
            body = self._read(int(rest.split(b"\r\n", 1)[0])) if found else b""
        if not head.startswith(b"HTTP/1.1 2"):
            raise RuntimeError(f"{head.splitlines()[0].decode()}: {body.decode()}")
        return body

    def _read_chunks(self) -> bytes:
        parts = []
        while size := int(self._read_to(b"\r\n"), 16):
            parts.append(self._read(size))
            self._read(2)
        self._read(2)
        return b"".join(parts)

    def _read_to(self, mark: bytes) -> bytes:
        while (end := self._pending.find(mark)) < 0:
            self._receive()
        found = self._pending[:end]
        self._pending = self._pending[end + len(mark) :]
        return found

    def _read(self, size: int) -> bytes:
        while len(self._pending) < size:
            self._receive()
        found = self._pending[:size]
        self._pending = self._pending[size:]
        return found

    def _receive(self) -> None:
        block = self._socket.recv(_BLOCK_BYTES)
        if not block:
            raise RuntimeError("the server has closed the connection")
        self._pending += block
