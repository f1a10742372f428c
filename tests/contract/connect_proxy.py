"""An HTTP proxy on loopback that tunnels by CONNECT, as companies put between their machines and Azure."""

from __future__ import annotations

import base64
import contextlib
import selectors
import socket
import socketserver
import ssl
import threading
from collections.abc import Collection
from typing import Self, cast

_BLOCK = 65_536
_SECONDS = 30.0


class ConnectProxy:
    """Runs in threads of its own, as a context manager.

    :param refuses: ports that it tunnels nothing to, with 403.
    :param intercepts: ports whose TLS it answers itself, with ``certificate``, as an attacker would.
    :param password: what ``user`` has to prove; by default nobody has to.
    :ivar ports: those that it was asked to tunnel to.
    :ivar intercepted: how many connections it answered itself.
    :ivar overheard: what it was sent inside of those.
    """

    def __init__(
        self,
        *,
        refuses: Collection[int] = (),
        intercepts: Collection[int] = (),
        certificate: ssl.SSLContext | None = None,
        password: str | None = None,
    ) -> None:
        self.ports: set[int] = set()
        self.intercepted = 0
        self.overheard = b""
        self._refuses = refuses
        self._intercepts = intercepts
        self._certificate = certificate
        expected = base64.b64encode(f"user:{password}".encode())
        self._authorization = b"Basic " + expected if password is not None else b""
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.ending.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, user_info: str = "") -> str:
        return f"http://{user_info}127.0.0.1:{self._server.server_address[1]}"

    def answer(self, client: socket.socket) -> None:
        """One connection, from its first request to its end."""
        head = _read_head(client)
        method, target = head.split(b" ", 2)[:2]
        port = int(target.rpartition(b":")[2])
        self.ports.add(port)
        if method != b"CONNECT" or port in self._refuses:
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        elif self._authorization not in head:
            client.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nConnection: close\r\n"
                b'Proxy-Authenticate: Basic realm="proxy"\r\nContent-Length: 0\r\n\r\n'
            )
        else:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            if port in self._intercepts:
                self._listen_in(client)
            else:
                self._tunnel(client, port)

    def _tunnel(self, client: socket.socket, port: int) -> None:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as there,
            selectors.DefaultSelector() as selector,
        ):
            selector.register(client, selectors.EVENT_READ, there)
            selector.register(there, selectors.EVENT_READ, client)
            while not self._server.ending.is_set():
                for key, _ in selector.select(0.05):
                    block = cast("socket.socket", key.fileobj).recv(_BLOCK)
                    if not block:
                        return
                    key.data.sendall(block)

    def _listen_in(self, client: socket.socket) -> None:
        self.intercepted += 1
        assert self._certificate is not None
        with self._certificate.wrap_socket(client, server_side=True) as inside:
            self.overheard += inside.recv(_BLOCK)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False

    def __init__(self, proxy: ConnectProxy) -> None:
        self.proxy = proxy
        self.ending = threading.Event()
        super().__init__(("127.0.0.1", 0), _Connection)


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        client: socket.socket = self.request
        client.settimeout(_SECONDS)
        # The other side may go at any time; an attacker's certificate is refused in the handshake.
        with contextlib.suppress(OSError):
            cast("_Server", self.server).proxy.answer(client)


def _read_head(client: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        block = client.recv(_BLOCK)
        if not block:
            raise ConnectionError("no request came")
        head += block
    return head
