from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.ranges import AddressRanges, parse_ip, plain_address

# Few bits, so that networks overlap and touch; around the middle of an IPv6 address, so that both
# of its halves decide.
_FIRST = {4: int(IPv4Address("192.0.2.0")), 6: int(IPv6Address("2001:db8:0:7fff:ff00::"))}
_SHIFT = {4: 0, 6: 60}


def _networks(family: int) -> st.SearchStrategy[IPv4Network | IPv6Network]:
    bits = {4: 32, 6: 128}[family] - _SHIFT[family]
    return st.tuples(st.integers(0, 255), st.integers(bits - 8, bits)).map(
        lambda pair: ip_network(
            (_FIRST[family] + (pair[0] << _SHIFT[family]), pair[1]), strict=False
        )
    )


def _addresses(family: int) -> st.SearchStrategy[IPv4Address | IPv6Address]:
    return st.tuples(st.integers(-2, 258), st.sampled_from([0, 1, (1 << _SHIFT[family]) - 1])).map(
        lambda pair: ip_address(_FIRST[family] + (pair[0] << _SHIFT[family]) + pair[1])
    )


@pytest.mark.parametrize("family", [4, 6])
@given(data=st.data())
def test_ranges_hold_what_one_of_their_networks_holds(data: st.DataObject, family: int) -> None:
    networks = data.draw(st.lists(_networks(family), max_size=6))
    address = data.draw(_addresses(family))

    expected = any(address in network for network in networks)

    assert (address in AddressRanges.of_networks(networks)) is expected


def test_ranges_that_touch_are_one() -> None:
    networks: list[IPv4Network | IPv6Network] = [
        IPv4Network("192.0.2.0/25"),
        IPv4Network("192.0.2.128/25"),
        IPv6Network("::/127"),
    ]
    assert len(AddressRanges.of_networks(networks)) == 2


@pytest.mark.parametrize(
    "network", [IPv4Network("0.0.0.0/0"), IPv6Network("::/0"), IPv6Network("::ffff:0:0/96")]
)
def test_ranges_hold_both_ends_of_the_widest_networks(network: IPv4Network | IPv6Network) -> None:
    ranges = AddressRanges.of_networks([network])
    ends = [network.network_address, network.broadcast_address]
    assert [address in ranges for address in ends] == [True, True]


def test_ranges_of_ipv4_hold_its_mapped_form() -> None:
    ranges = AddressRanges.of_networks([IPv4Network("192.0.2.0/24")])
    assert IPv6Address("::ffff:192.0.2.7") in ranges


def test_ranges_of_mapped_networks_hold_ipv4() -> None:
    ranges = AddressRanges.of_networks([IPv6Network("::ffff:192.0.2.0/120")])
    assert IPv4Address("192.0.2.7") in ranges


def test_no_ranges_hold_nothing() -> None:
    assert IPv6Address("::") not in AddressRanges()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", IPv4Address("192.0.2.1")),
        ("2001:db8::1", IPv6Address("2001:db8::1")),
        ("192.0.2.256", None),
        ("192.0.2.01", None),
        ("example.org", None),
        ("", None),
        ("1" * 10_000, None),
        (":" * 45, None),
    ],
)
def test_parse_ip(text: str, expected: IPv4Address | IPv6Address | None) -> None:
    assert parse_ip(text) == expected


def test_plain_address_is_what_is_mapped() -> None:
    assert plain_address(IPv6Address("::ffff:192.0.2.1")) == IPv4Address("192.0.2.1")
