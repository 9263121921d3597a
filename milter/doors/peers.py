"""The peer of a socket, and whether it is among those that a listener names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.core.connection import normal_address

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from milter.core.connection import IpAddress
    from milter.settings import Network


def peer_of(transport: asyncio.BaseTransport) -> tuple[IpAddress | None, int]:
    """Return the peer's address and port; no address on a unix socket, whose mode says who may."""
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        return None, 0
    try:
        return normal_address(peer[0]), int(peer[1])
    except ValueError:
        return None, 0


def is_within(address: IpAddress | None, networks: Sequence[Network] | None) -> bool:
    """Return whether `networks` let `address` in; no networks, or no address, are no bound."""
    if networks is None or address is None:
        return True
    return any(address in network for network in networks)
