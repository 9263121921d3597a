"""Bounds on sessions and on bytes of messages held, as the door sees them.

Over several worker processes they are counted in shared memory (`milter.daemon.shared`); in one
process by `LocalLimits`. Whether a client is exempt is the door's business.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from milter.core.connection import IpAddress


class SharedLimits(Protocol):
    """Counts what is in use, over all workers where there are several.

    A client that is exempt from the bound on sessions of one address, or that has no address, is
    passed as None; it still counts as a session.
    """

    def client_full(self, client: IpAddress | None) -> bool:
        """Return whether `client` already holds all the sessions that one address may hold."""
        ...

    def admit(self, client: IpAddress | None) -> bool:
        """Count a session of `client` and return True; False and no count when all are taken.

        It does not look at `client_full`: ask that first, for the two have different replies.
        """
        ...

    def release(self, client: IpAddress | None) -> None:
        """Give back a session that `admit` counted, with the same `client`."""
        ...

    def reserve(self, size: int) -> bool:
        """Count `size` bytes as held and return True; False and no count when too many are."""
        ...

    def give_back(self, size: int) -> None:
        """Give back bytes that `reserve` counted."""
        ...


def client_key(client: IpAddress) -> int:
    """Return the number under which sessions of `client` are counted.

    A host commonly owns a whole IPv6 /64 and can take a new address of it for each connection, so
    a /64 counts as one client (RFC 6177 §2). A mapped IPv4 address counts as the IPv4 address.
    """
    if isinstance(client, IPv6Address):
        mapped = client.ipv4_mapped
        return int(mapped) if mapped else int(client) >> 64 << 64
    return int(client)


class LocalLimits:
    """Limits of a single process."""

    def __init__(self, *, sessions: int, sessions_per_client: int, bytes_in_flight: int) -> None:
        self._max_sessions = sessions
        self._max_per_client = sessions_per_client
        self._max_bytes = bytes_in_flight
        self._clients: Counter[int] = Counter()
        self.sessions = 0
        self.bytes_in_flight = 0

    def client_full(self, client: IpAddress | None) -> bool:
        """Return whether `client` already holds all the sessions that one address may hold."""
        return client is not None and self._clients[client_key(client)] >= self._max_per_client

    def admit(self, client: IpAddress | None) -> bool:
        """Count a session; False when all are taken."""
        if self.sessions >= self._max_sessions:
            return False
        self.sessions += 1
        if client is not None:
            self._clients[client_key(client)] += 1
        return True

    def release(self, client: IpAddress | None) -> None:
        """Give back a session."""
        self.sessions -= 1
        if client is None:
            return
        key = client_key(client)
        self._clients[key] -= 1
        # A key that stayed would let a client with many addresses fill our memory.
        if not self._clients[key]:
            del self._clients[key]

    def reserve(self, size: int) -> bool:
        """Count bytes as held; False when too many are."""
        if self.bytes_in_flight + size > self._max_bytes:
            return False
        self.bytes_in_flight += size
        return True

    def give_back(self, size: int) -> None:
        """Give back bytes."""
        self.bytes_in_flight -= size
