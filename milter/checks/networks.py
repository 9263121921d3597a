"""Networks whose addresses mean something only where they are used.

Documentation networks are not among them: sample mail and tests live there.
"""

from __future__ import annotations

from bisect import bisect_right
from ipaddress import IPv4Network, IPv6Address, IPv6Network, collapse_addresses
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milter.core.connection import IpAddress

Network = IPv4Network | IPv6Network

# RFC 6890 §2.2.2, §2.2.3: unspecified, loopback, private, shared, link-local, multicast, reserved.
LOCAL_NETWORKS: Final[tuple[Network, ...]] = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("10.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("127.0.0.0/8"),
    IPv4Network("169.254.0.0/16"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("224.0.0.0/3"),
    IPv6Network("::/127"),
    IPv6Network("fc00::/7"),
    IPv6Network("fe80::/10"),
    IPv6Network("ff00::/8"),
)


def plain_address(address: IpAddress) -> IpAddress:
    """Return the IPv4 address inside an IPv4-mapped one (RFC 4291 §2.5.5.2), else `address`."""
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


class NetworkSet:
    """Networks to find addresses in, as plain numbers: it is asked for every connection.

    Args:
        networks: Of both families.
    """

    __slots__ = ("_ranges",)

    def __init__(self, networks: Iterable[Network]) -> None:
        given = tuple(networks)
        self._ranges = {
            4: _ranges(collapse_addresses(n for n in given if isinstance(n, IPv4Network))),
            6: _ranges(collapse_addresses(n for n in given if isinstance(n, IPv6Network))),
        }

    def __contains__(self, address: IpAddress) -> bool:
        """Return whether `address` lies in one of them, a mapped address by what it maps."""
        plain = plain_address(address)
        starts, ends = self._ranges[plain.version]
        number = int(plain)
        place = bisect_right(starts, number) - 1
        return place >= 0 and number <= ends[place]


def _ranges(networks: Iterable[Network]) -> tuple[list[int], list[int]]:
    """Return the first and the last addresses of networks that do not overlap, rising."""
    rising = sorted((int(n.network_address), int(n.broadcast_address)) for n in networks)
    return [start for start, _ in rising], [end for _, end in rising]


LOCAL: Final = NetworkSet(LOCAL_NETWORKS)
