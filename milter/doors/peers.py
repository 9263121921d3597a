"""The peer of a socket, and whether it is among those that a listener names.

That there is no address is told by the family of the socket alone. A TCP client that resets its
connection leaves one without a peer, of which all that was sent can still be read.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from milter.core.connection import normal_address
from milter.core.errors import GatepostError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from milter.core.connection import IpAddress
    from milter.settings import Network


class PeerGoneError(GatepostError, ConnectionError):
    """The connection has no peer any more, so nobody can say whose it was."""


def is_local(transport: asyncio.BaseTransport) -> bool:
    """Return whether it is a unix socket, whose mode says who may use it."""
    named: socket.socket | None = transport.get_extra_info("socket")
    return named is not None and named.family == socket.AF_UNIX


def peer_of(transport: asyncio.BaseTransport) -> tuple[IpAddress | None, int]:
    """Return the peer's address and port; no address on a unix socket.

    Raises:
        PeerGoneError: It is no unix socket, and has no peer.
    """
    if is_local(transport):
        return None, 0
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        raise PeerGoneError("the client is gone")
    try:
        return normal_address(peer[0]), int(peer[1])
    except ValueError as err:
        raise PeerGoneError("the client has no address") from err


def is_within(address: IpAddress | None, networks: Sequence[Network] | None) -> bool:
    """Return whether `networks` let `address` in; no networks, or no address, are no bound."""
    if networks is None or address is None:
        return True
    return any(address in network for network in networks)
