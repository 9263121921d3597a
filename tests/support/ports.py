"""Ports for servers of other people's making, which must be told a number before they start."""

from __future__ import annotations

import socket


def free_ports(count: int) -> tuple[int, ...]:
    """Return `count` different loopback ports that nobody listens on.

    All are held open until the last is known, so that no number comes twice. Between this call and
    the server's own bind another process could take one; the kernel hands out ephemeral ports in a
    scattered order, which makes that rare enough for tests.
    """
    held = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for sock in held:
            sock.bind(("127.0.0.1", 0))
        return tuple(sock.getsockname()[1] for sock in held)
    finally:
        for sock in held:
            sock.close()


def free_port() -> int:
    """Return one loopback port that nobody listens on."""
    return free_ports(1)[0]
