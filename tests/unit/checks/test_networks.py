from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.checks.networks import LOCAL, LOCAL_NETWORKS, NetworkSet

# Few bits, so that networks overlap and touch.
NETWORKS = st.tuples(st.integers(0, 255), st.integers(24, 32)).map(
    lambda pair: ip_network((int(IPv4Address("192.0.2.0")) + pair[0], pair[1]), strict=False)
)
ADDRESSES = st.integers(-2, 258).map(lambda n: IPv4Address(int(IPv4Address("192.0.2.0")) + n))


@given(st.lists(NETWORKS, max_size=6), ADDRESSES)
def test_network_set_holds_what_one_of_its_networks_holds(
    networks: list[IPv4Network | IPv6Network], address: IPv4Address
) -> None:
    expected = any(address in network for network in networks)
    assert (address in NetworkSet(networks)) is expected


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
