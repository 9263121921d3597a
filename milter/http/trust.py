"""Who calls: somebody on this machine, who needs no token, or somebody beyond it.

A unix socket counts as this machine, for its mode says who may use it.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

# Set by the supervisor on what it passes on to a worker, and believed there alone.
LOCAL_CALLER_HEADER: Final = "X-Gatepost-Local-Caller"
LOCAL: Final = "yes"
REMOTE: Final = "no"


def is_local(transport: asyncio.BaseTransport | None) -> bool:
    """Return whether the peer of `transport` is on this machine; False when it is not known."""
    peer = None if transport is None else transport.get_extra_info("peername")
    if isinstance(peer, (str, bytes)):
        return True
    if not isinstance(peer, tuple) or not peer:
        return False
    try:
        address = ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
