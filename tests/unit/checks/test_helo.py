from __future__ import annotations

import pytest

from milter.checks.helo import HeloCheck
from milter.core.connection import parse_literal
from tests.support.checks import a_transaction, looked, symbols_of

CHECK = HeloCheck("mx.here.example")


def symbols(helo: str, client_ip: str | None = "192.0.2.7") -> list[str]:
    txn = a_transaction(helo_name=helo, client_ip=client_ip, destination_ip="198.51.100.1")
    return symbols_of(looked(CHECK, txn=txn))


@pytest.mark.parametrize(
    "helo",
    ["mx.example.org", "mx.example.org.", "MX_1.example.org", "a.b", "xn--bcher-kva.example"],
)
def test_helo_good_name_yields_nothing(helo: str) -> None:
    assert symbols(helo) == []


@pytest.mark.parametrize(
    "helo",
    [
        pytest.param("localhost", id="one-label"),
        pytest.param("192.0.2.7", id="address-without-brackets"),
        pytest.param("-mx.example.org", id="hyphen-first"),
        pytest.param("mx..example.org", id="empty-label"),
        pytest.param("mx example.org", id="space"),
        pytest.param("a" * 64 + ".example", id="long-label"),
        pytest.param("a." * 200 + "example", id="long-name"),
        pytest.param("[192.0.2]", id="half-a-literal"),
        pytest.param("[192.0.2.7", id="open-literal"),
        pytest.param("[2001:db8::1]", id="ipv6-without-tag"),
        pytest.param("[x-tag:abc]", id="unknown-tag"),
    ],
)
def test_helo_that_is_no_name_is_a_syntax_error(helo: str) -> None:
    assert symbols(helo) == ["HELO_SYNTAX"]


@pytest.mark.parametrize(
    ("helo", "client_ip", "expected"),
    [
        ("[192.0.2.7]", "192.0.2.7", ["HELO_LITERAL"]),
        ("[192.0.2.7]", "::ffff:192.0.2.7", ["HELO_LITERAL"]),
        ("[IPv6:2001:db8::1]", "2001:DB8:0::1", ["HELO_LITERAL"]),
        ("[192.0.2.8]", "192.0.2.7", ["HELO_LITERAL", "HELO_LITERAL_MISMATCH"]),
        ("[192.0.2.8]", None, ["HELO_LITERAL"]),
        ("[198.51.100.1]", "192.0.2.7", ["HELO_LITERAL", "HELO_IS_OURS"]),
    ],
)
def test_helo_literal_is_compared_with_the_client(
    helo: str, client_ip: str | None, expected: list[str]
) -> None:
    assert symbols(helo, client_ip) == expected


def test_helo_literal_mismatch_names_both_addresses() -> None:
    evidence = looked(CHECK, txn=a_transaction(helo_name="[192.0.2.8]"))
    assert evidence.findings[1].details == {"helo": "[192.0.2.8]", "client_ip": "192.0.2.7"}


@pytest.mark.parametrize(
    ("client_ip", "expected"), [("192.0.2.7", ["HELO_IS_OURS"]), ("127.0.0.1", [])]
)
def test_helo_our_own_name_is_for_ourselves_alone(client_ip: str, expected: list[str]) -> None:
    assert symbols("MX.Here.Example.", client_ip) == expected


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        pytest.param("SMTP", ["HELO_MISSING"], id="over-smtp"),
        pytest.param("", [], id="from-a-file"),
    ],
)
def test_helo_missing_is_told_only_of_smtp(protocol: str, expected: list[str]) -> None:
    txn = a_transaction(helo_name="", protocol=protocol)
    assert symbols_of(looked(CHECK, txn=txn)) == expected


def test_parse_literal_of_other_text_is_none() -> None:
    assert parse_literal("mx.example.org") is None
