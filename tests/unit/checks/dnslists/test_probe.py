from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from milter.checks.dnslists.probe import probe
from milter.dns.fake import FakeResolver
from policies.dnslists import DEFAULT_POINTS, NOT_LISTED_IPV6, Asks, DnsList, HashForm, ProbePoints

ADDRESSES = DnsList(
    "bl.example", (Asks.CLIENT_IP,), "block", codes={IPv4Address("127.0.0.2"): "BL"}, key="k3y"
)
DOMAINS = replace(ADDRESSES, asks=(Asks.HELO,), points=DEFAULT_POINTS["domains"])
HASHES = replace(
    ADDRESSES, asks=(Asks.EMAIL_HASH,), hashed=HashForm(), points=DEFAULT_POINTS["hashes"]
)
CHANCE = bytes(range(1, 21))
LISTED = {"A": ["127.0.0.2"]}
GOOD = {"2.0.0.127.k3y.bl.example": LISTED, "test.k3y.bl.example": LISTED}


def trouble(dns_list: DnsList, names: dict[str, object]) -> str:
    return asyncio.run(probe(dns_list, FakeResolver(names), CHANCE)).trouble


@pytest.mark.parametrize(
    ("dns_list", "names", "expected"),
    [
        pytest.param(ADDRESSES, GOOD, "", id="well"),
        pytest.param(DOMAINS, GOOD, "", id="domains-well"),
        pytest.param(HASHES, {}, "", id="hashes-well"),
        pytest.param(
            ADDRESSES, {}, "it does not list its test point 127.0.0.2", id="dead-and-empty"
        ),
        pytest.param(DOMAINS, {}, "it does not list its test point test", id="domains-dead"),
        pytest.param(
            ADDRESSES,
            {"*.bl.example": LISTED},
            "it lists 127.0.0.1, which no list may list: it lists the world",
            id="lists-the-world",
        ),
        pytest.param(
            DOMAINS,
            {"*.bl.example": LISTED},
            "it lists invalid, which no list may list: it lists the world",
            id="domains-lists-the-world",
        ),
        pytest.param(
            HASHES,
            {"*.bl.example": LISTED},
            f"it lists {'0' * 40}, which no list may list: it lists the world",
            id="hashes-lists-the-world",
        ),
        pytest.param(
            ADDRESSES,
            GOOD | {f"{NOT_LISTED_IPV6}.k3y.bl.example": LISTED},
            "it lists ::ffff:127.0.0.1, which no list may list: it lists the world",
            id="lists-all-of-ipv6",
        ),
        # A resolver of the site may still remember that the test point was not listed.
        pytest.param(
            ADDRESSES,
            GOOD | {"1.2.131.127.k3y.bl.example": LISTED},
            "it lists 127.131.2.1, which no list may list: it lists the world",
            id="lists-what-was-not-asked-before",
        ),
        pytest.param(
            DOMAINS,
            GOOD | {"0102030405060708.invalid.k3y.bl.example": LISTED},
            "it lists 0102030405060708.invalid, which no list may list: it lists the world",
            id="domains-lists-what-was-not-asked-before",
        ),
        pytest.param(
            HASHES,
            {f"{CHANCE.hex()}.k3y.bl.example": LISTED},
            f"it lists {CHANCE.hex()}, which no list may list: it lists the world",
            id="hashes-lists-what-was-not-asked-before",
        ),
        pytest.param(
            ADDRESSES,
            {"*.bl.example": {"A": ["127.255.255.254"]}},
            "it refuses us: 127.255.255.254",
            id="refuses",
        ),
        pytest.param(
            ADDRESSES,
            {"*.bl.example": {"A": ["192.0.2.1"]}},
            "it refuses us: 192.0.2.1",
            id="parked",
        ),
        pytest.param(
            ADDRESSES, {"*.bl.example": "timeout"}, "it cannot be asked: timeout", id="silent"
        ),
        pytest.param(
            ADDRESSES,
            GOOD | {"1.0.0.127.k3y.bl.example": "servfail"},
            "it cannot be asked: servfail",
            id="half-broken",
        ),
    ],
)
def test_probe_tells_what_is_wrong(
    dns_list: DnsList, names: dict[str, object], expected: str
) -> None:
    assert trouble(dns_list, names) == expected


def test_probe_asks_nothing_where_there_are_no_test_points() -> None:
    resolver = FakeResolver({})
    unprobed = replace(DOMAINS, points=ProbePoints())
    assert asyncio.run(probe(unprobed, resolver, CHANCE)).trouble == ""
    assert resolver.asked == []


def test_probe_shows_no_key() -> None:
    said = asyncio.run(probe(ADDRESSES, FakeResolver({}), CHANCE))
    assert "k3y" not in repr(said)
