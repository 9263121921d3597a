from __future__ import annotations

import asyncio

import pytest

from milter.auth.results import Result
from milter.auth.spf import SpfMemory
from milter.checks.spf import SpfCheck
from milter.dns.fake import FakeResolver
from tests.support.checks import a_transaction, asked, symbols_of

CHECK = SpfCheck("mx.here.example")


def txt(record: str) -> dict[str, object]:
    return {"TXT": [record]}


@pytest.mark.parametrize(
    ("record", "symbol"),
    [
        (txt("v=spf1 ip4:192.0.2.0/24 -all"), "SPF_PASS"),
        (txt("v=spf1 -all"), "SPF_FAIL"),
        (txt("v=spf1 ~all"), "SPF_SOFTFAIL"),
        (txt("v=spf1 ?all"), "SPF_NEUTRAL"),
        (txt("words"), "SPF_NONE"),
        (txt("v=spf1 nonsense -all"), "SPF_PERMERROR"),
        ("timeout", "SPF_TEMPERROR"),
    ],
)
def test_spf_symbol_fits_the_result(record: object, symbol: str) -> None:
    evidence = asked(CHECK, a_transaction(helo_name=""), {"example.org": record})
    assert symbols_of(evidence) == [symbol]
    assert evidence.findings[0].details["domain"] == "example.org"
    assert evidence.findings[0].details["client_ip"] == "192.0.2.7"
    assert evidence.auth[0].properties == (("smtp.mailfrom", "a@example.org"),)
    assert evidence.auth[0].result.value.upper() == symbol.removeprefix("SPF_")


def test_spf_helo_that_forbids_the_client_is_seen_beside_the_reverse_path() -> None:
    names = {
        "example.org": txt("v=spf1 ip4:192.0.2.7 -all"),
        "mx.helo.example": txt("v=spf1 -all"),
    }
    evidence = asked(CHECK, a_transaction(helo_name="mx.helo.example"), names)
    assert symbols_of(evidence) == ["SPF_PASS", "SPF_HELO_FAIL"]
    assert evidence.findings[1].details["helo"] == "mx.helo.example"
    assert evidence.auth[1].properties == (("smtp.helo", "mx.helo.example"),)
    assert evidence.facts["spf"] == {
        "result": "pass",
        "domain": "example.org",
        "identity": "mailfrom",
        "mechanism": "ip4:192.0.2.7",
        "helo_result": "fail",
    }


def test_spf_helo_without_a_record_has_no_line_in_the_header() -> None:
    evidence = asked(CHECK, a_transaction(), {"example.org": txt("v=spf1 -all")})
    assert [result.properties[0][0] for result in evidence.auth] == ["smtp.mailfrom"]


def test_spf_null_reverse_path_is_postmaster_at_helo_once() -> None:
    txn = a_transaction(None, helo_name="mx.helo.example")
    evidence = asked(CHECK, txn, {"mx.helo.example": txt("v=spf1 -all")})
    assert symbols_of(evidence) == ["SPF_FAIL"]
    assert [result.properties for result in evidence.auth] == [(("smtp.helo", "mx.helo.example"),)]


@pytest.mark.parametrize("client_ip", ["127.0.0.1", "::1", "192.168.1.1"])
def test_spf_of_a_local_client_is_none_with_the_reason(client_ip: str) -> None:
    evidence = asked(CHECK, a_transaction(client_ip=client_ip), {"example.org": txt("v=spf1 -all")})
    assert symbols_of(evidence) == []
    assert [(r.result, r.reason) for r in evidence.auth] == [(Result.NONE, "the client is local")]


def test_spf_without_a_client_address_says_nothing() -> None:
    evidence = asked(CHECK, a_transaction(client_ip=None), {"example.org": txt("v=spf1 -all")})
    assert (evidence.findings, evidence.auth) == ((), ())


def test_spf_with_a_memory_the_next_message_of_the_client_asks_nothing() -> None:
    names = {
        "example.org": txt("v=spf1 ip4:192.0.2.7 -all"),
        "mx.helo.example": txt("v=spf1 -all"),
    }
    resolver = FakeResolver(names)
    check = SpfCheck("mx.here.example", SpfMemory(lambda: 0.0))
    txn = a_transaction(helo_name="MX.helo.example")
    first = asyncio.run(check.ask(txn, None, resolver))
    resolver.asked.clear()
    assert asyncio.run(check.ask(txn, None, resolver)) == first
    assert resolver.asked == []
    assert symbols_of(first) == ["SPF_PASS", "SPF_HELO_FAIL"]
