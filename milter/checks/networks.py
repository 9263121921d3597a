"""Networks whose addresses mean something only where they are used.

Documentation networks stand apart: sample mail and tests live there.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Final

from policies.ranges import AddressRanges

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


# RFC 5737 §3, RFC 3849 §2 and RFC 9637.
DOCUMENTATION_NETWORKS: Final[tuple[Network, ...]] = (
    IPv4Network("192.0.2.0/24"),
    IPv4Network("198.51.100.0/24"),
    IPv4Network("203.0.113.0/24"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("3fff::/20"),
)

LOCAL: Final = AddressRanges.of_networks(LOCAL_NETWORKS)
