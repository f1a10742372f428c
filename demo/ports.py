"""Ports of this machine: a free one, and who has a taken one."""

from __future__ import annotations

import socket
from contextlib import suppress

import psutil


class PortTaken(RuntimeError):
    """Something else listens on a port that is needed."""


def free_port() -> int:
    """A port that nothing on loopback listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int) -> None:
    """Make sure that one can listen on it.

    :raises PortTaken: naming the process that has it, where that can be seen.
    """
    with socket.socket() as probe:
        # As servers do: a connection of an earlier run that lingers in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTaken(f"Port {port} is taken{_by_whom(port)}.") from error


def _by_whom(port: int) -> str:
    with suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and port in connection.laddr
            if listens and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""
