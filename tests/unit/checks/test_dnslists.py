from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv4Network, ip_address

import pytest

from milter.checks.dnslists import DnsListsCheck, query_name
from milter.dns.fake import FakeResolver
from policies.dnslists import DnsList
from tests.support.checks import a_transaction, asked, symbols_of

CODES = {IPv4Address("127.0.0.2"): "BL_SPAM", IPv4Address("127.0.0.10"): "BL_DYNAMIC"}
LIST = DnsList("bl.example", "client_ip", "block", codes=CODES)
NAME = "7.2.0.192.bl.example"


def answered(record: object, dns_list: DnsList = LIST) -> list[tuple[str, str]]:
    evidence = asked(DnsListsCheck([dns_list]), a_transaction(), {NAME: record})
    return [(finding.symbol, finding.evidence) for finding in evidence.findings]


@pytest.mark.parametrize(
    ("record", "findings"),
    [
        pytest.param({"A": ["127.0.0.2"]}, [("BL_SPAM", "127.0.0.2 from bl.example")], id="listed"),
        pytest.param(
            {"A": ["127.0.0.2", "127.0.0.10"]},
            [
                ("BL_SPAM", "127.0.0.2 from bl.example"),
                ("BL_DYNAMIC", "127.0.0.10 from bl.example"),
            ],
            id="listed-twice",
        ),
        pytest.param("nxdomain", [], id="not-listed"),
        pytest.param({"TXT": ["words"]}, [], id="no-address"),
        pytest.param(
            {"A": ["127.0.0.77"]},
            [("DNS_LIST_UNKNOWN", "127.0.0.77 from bl.example")],
            id="code-nobody-mapped",
        ),
        pytest.param(
            {"A": ["127.255.255.254"]},
            [("DNS_LIST_ERROR", "127.255.255.254 from bl.example")],
            id="refusal",
        ),
        pytest.param(
            {"A": ["127.0.0.2", "127.255.255.255"]},
            [("DNS_LIST_ERROR", "127.255.255.255 from bl.example")],
            id="refusal-beside-a-listing",
        ),
        pytest.param(
            {"A": ["203.0.113.5"]},
            [("DNS_LIST_ERROR", "203.0.113.5 from bl.example")],
            id="parked-zone-answers-public-address",
        ),
        pytest.param(
            "timeout", [("DNS_LIST_TEMPERROR", "timeout from bl.example")], id="no-answer"
        ),
        pytest.param(
            "refused", [("DNS_LIST_TEMPERROR", "refused from bl.example")], id="refused-by-dns"
        ),
    ],
)
def test_dnslists_answer_means_what_the_policy_maps(
    record: object, findings: list[tuple[str, str]]
) -> None:
    assert answered(record) == findings


def test_dnslists_of_bits_yields_a_symbol_for_each_bit() -> None:
    bits = DnsList("bl.example", "client_ip", "block", bits={2: "BL_BLACK", 8: "BL_RED"})
    assert answered({"A": ["127.0.0.10"]}, bits) == [
        ("BL_BLACK", "127.0.0.10 from bl.example"),
        ("BL_RED", "127.0.0.10 from bl.example"),
    ]


def test_dnslists_key_stands_in_the_question_and_nowhere_else() -> None:
    keyed = DnsList("bl.example", "client_ip", "block", codes=CODES, key="s3cret")
    names = {"7.2.0.192.s3cret.bl.example": {"A": ["127.0.0.2"]}}
    evidence = asked(DnsListsCheck([keyed]), a_transaction(), names)
    assert symbols_of(evidence) == ["BL_SPAM"]
    assert evidence.findings[0].details == {"client_ip": "192.0.2.7", "zone": "bl.example"}
    assert "s3cret" not in repr(evidence)


def test_dnslists_one_that_fails_does_not_hide_the_others() -> None:
    other = DnsList(
        "other.example", "client_ip", "block", codes={IPv4Address("127.0.0.2"): "OTHER"}
    )
    names = {NAME: "servfail", "7.2.0.192.other.example": {"A": ["127.0.0.2"]}}
    evidence = asked(DnsListsCheck([LIST, other]), a_transaction(), names)
    assert symbols_of(evidence) == ["DNS_LIST_TEMPERROR", "OTHER"]


@pytest.mark.parametrize(
    "client_ip",
    [
        *(None, "127.0.0.1", "10.0.0.1", "172.20.1.1", "192.168.0.1", "100.64.1.1", "169.254.1.1"),
        *("0.0.0.0", "224.0.0.1", "::", "::1", "fc00::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1"),
    ],
)
def test_dnslists_local_addresses_are_never_asked(client_ip: str | None) -> None:
    resolver = FakeResolver({})
    check = DnsListsCheck([LIST])
    evidence = asyncio.run(check.ask(a_transaction(client_ip=client_ip), None, resolver))
    assert (evidence.findings, resolver.asked) == ((), [])


def test_dnslists_never_ask_can_be_widened() -> None:
    resolver = FakeResolver({})
    check = DnsListsCheck([LIST], never_ask=[IPv4Network("192.0.2.0/24")])
    asyncio.run(check.ask(a_transaction(), None, resolver))
    assert resolver.asked == []


@pytest.mark.parametrize(
    ("ip", "name"),
    [
        ("192.0.2.99", "99.2.0.192.bl.example"),
        ("::ffff:192.0.2.99", "99.2.0.192.bl.example"),
        (
            "2001:db8:1:2:3:4:567:89ab",
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example",
        ),
    ],
)
def test_query_name_is_the_address_backwards(ip: str, name: str) -> None:
    assert query_name(ip_address(ip), "bl.example") == name


def test_dnslists_symbols_are_those_of_its_lists_and_of_trouble() -> None:
    assert DnsListsCheck([LIST]).symbols == {
        "BL_SPAM",
        "BL_DYNAMIC",
        "DNS_LIST_UNKNOWN",
        "DNS_LIST_ERROR",
        "DNS_LIST_TEMPERROR",
    }
