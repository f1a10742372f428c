"""The sockets that local Azure listens on: loopback alone, one port a service."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from typing import Final

from airflow_provider_batchad.local.config import LOOPBACK_HOSTS, SERVICES, LocalAzureConfig

_ATTEMPTS: Final = 20
_BACKLOG: Final = 512


class PortTaken(OSError):
    """A port that local Azure was told to listen on is in use."""


def open_listeners(
    config: LocalAzureConfig, kept: Mapping[str, int] | None = None
) -> dict[str, list[socket.socket]]:
    """The listening sockets of each service, by its name.

    :param kept: the ports of an earlier run, for where the configuration leaves the choice to the system.
    :raises PortTaken: the text says which port, and what to do.
    """
    opened: dict[str, list[socket.socket]] = {}
    try:
        for index, service in enumerate(SERVICES):
            port = config.port + index if config.port else (kept or {}).get(service, 0)
            opened[service] = _open(config.host, port, service)
    except OSError:
        for sockets in opened.values():
            for one in sockets:
                one.close()
        raise
    return opened


def _open(host: str, port: int, service: str) -> list[socket.socket]:
    if host not in LOOPBACK_HOSTS:
        raise ValueError(f"{host!r} is not loopback")
    for _ in range(_ATTEMPTS if port == 0 else 1):
        try:
            return _bind_families(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if port == 0:
                # The system chose one for IPv4 that is taken for IPv6: let it choose again.
                continue
            raise PortTaken(
                errno.EADDRINUSE,
                f"port {port} of {host} (for {service}) is already in use: end what uses it, or choose "
                "another with --port (0 for any)",
            ) from None
    raise PortTaken(errno.EADDRINUSE, f"no free port of {host} was found for {service}")


def _bind_families(host: str, port: int) -> list[socket.socket]:
    if host == "::1":
        return [_bind(socket.AF_INET6, "::1", port)]
    first = _bind(socket.AF_INET, "127.0.0.1", port)
    if host == "127.0.0.1" or not socket.has_ipv6:
        return [first]
    # Clients try both addresses of "localhost": without this, the neighbour on ::1 would be asked first.
    try:
        return [first, _bind(socket.AF_INET6, "::1", first.getsockname()[1])]
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return [first]
        first.close()
        raise


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
