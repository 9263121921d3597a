from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from milter.checks.networks import LOCAL, LOCAL_NETWORKS


@pytest.mark.parametrize("network", LOCAL_NETWORKS, ids=str)
def test_local_holds_each_network_to_both_its_ends(network: IPv4Network | IPv6Network) -> None:
    assert network.network_address in LOCAL
    assert network.broadcast_address in LOCAL


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (IPv4Address("9.255.255.255"), False),
        (IPv4Address("11.0.0.0"), False),
        (IPv4Address("192.0.2.1"), False),
        (IPv4Address("223.255.255.255"), False),
        (IPv6Address("::1"), True),
        (IPv6Address("::2"), False),
        (IPv6Address("2001:db8::1"), False),
        (IPv6Address("::ffff:127.0.0.1"), True),
        (IPv6Address("::ffff:192.0.2.1"), False),
    ],
)
def test_local_ends_where_its_networks_end(
    address: IPv4Address | IPv6Address, expected: bool
) -> None:
    assert (address in LOCAL) is expected
