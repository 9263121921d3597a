"""Ports for servers of other people's making, which must be told a number before they start."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path

_LOWEST = 12_000
_KERNELS_OWN = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> tuple[int, ...]:
    """Return `count` different loopback ports that nobody listens on.

    They lie below those that the kernel gives to connections, and are dealt out in turn over all
    test processes of a user: between this call and the server's own bind nobody else takes one.
    """
    highest = int(_KERNELS_OWN.read_text("ascii").split()[0])
    turn = Path(tempfile.gettempdir()) / f"gatepost-tests-port-{os.getuid()}"
    ports: list[int] = []
    with turn.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        port = int(file.read() or _LOWEST)
        while len(ports) < count:
            port = port + 1 if _LOWEST <= port < highest - 1 else _LOWEST
            if _is_free(port):
                ports.append(port)
        file.truncate(0)
        file.write(str(port))
    return tuple(ports)


def free_port() -> int:
    """Return one loopback port that nobody listens on."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as sock:
            if kind is socket.SOCK_STREAM:
                # As servers do: what an ended one left in TIME_WAIT is in nobody's way.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
