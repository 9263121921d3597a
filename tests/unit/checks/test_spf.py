from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from milter.auth.results import Result
from milter.auth.spf import SpfMemory
from milter.auth.spf.srs import original_sender
from milter.checks.spf import SpfCheck
from milter.core.address import Mailbox
from milter.dns.fake import FakeResolver
from tests.support.checks import a_transaction, asked, symbols_of

if TYPE_CHECKING:
    from milter.core.transaction import Transaction

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


def test_spf_result_names_an_internationalised_domain_in_a_labels() -> None:
    names = {"xn--bcher-kva.example": txt("v=spf1 ip4:192.0.2.7 -all")}
    evidence = asked(CHECK, a_transaction(mail_from="ada@b\u00fccher.example", helo_name=""), names)
    assert evidence.auth[0].properties == (("smtp.mailfrom", "ada@xn--bcher-kva.example"),)


def test_spf_of_a_silent_helo_name_hides_no_failure_of_the_reverse_path() -> None:
    names = {"example.org": txt("v=spf1 -all"), "slow.example": "silence"}
    check = SpfCheck("mx.here.example", wait_s=0.02)
    evidence = asked(check, a_transaction(helo_name="slow.example"), names)
    assert symbols_of(evidence) == ["SPF_FAIL"]
    assert [said.result for said in evidence.auth] == [Result.FAIL, Result.TEMPERROR]
    assert evidence.auth[1].reason == "no answer from the DNS in 0.02 seconds"


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


RELAY = "192.0.2.25"
FORWARDER = {"forwarder.example": txt(f"v=spf1 ip4:{RELAY} -all")}


def forwarded(mail_from: str) -> Transaction:
    txn = a_transaction(mail_from, client_ip="198.51.100.7", helo_name="")
    return txn._replace(connection=txn.connection._replace(relays=(ip_address(RELAY),)))


def test_spf_of_forwarded_mail_is_that_of_the_client_before_our_relay() -> None:
    names = {"example.net": txt("v=spf1 ip4:198.51.100.7 -all")}
    assert symbols_of(asked(CHECK, forwarded("a@example.net"), names)) == ["SPF_PASS"]
    names = {"example.net": txt("v=spf1 ip4:203.0.113.1 -all")}
    assert symbols_of(asked(CHECK, forwarded("a@example.net"), names)) == ["SPF_FAIL"]


def test_spf_of_a_path_that_our_relay_may_have_written_is_neutral_and_no_pass() -> None:
    evidence = asked(CHECK, forwarded("bounces@forwarder.example"), FORWARDER)
    assert symbols_of(evidence) == ["SPF_NEUTRAL"]
    assert evidence.auth[0].reason == f"the reverse path may be that of our relay {RELAY}"


@pytest.mark.parametrize(
    ("record", "symbol"),
    [("v=spf1 ip4:198.51.100.7 -all", "SPF_PASS"), ("v=spf1 -all", "SPF_FAIL")],
)
def test_spf_of_a_path_that_our_relay_rewrote_is_that_of_the_original(
    record: str, symbol: str
) -> None:
    names = {**FORWARDER, "example.net": txt(record)}
    evidence = asked(CHECK, forwarded("SRS0=aB1c=9Z=example.net=ada@forwarder.example"), names)
    assert symbols_of(evidence) == [symbol]
    assert evidence.auth[0].properties == (("smtp.mailfrom", "example.net"),)


def test_spf_of_a_path_that_somebody_else_rewrote_is_taken_as_it_is() -> None:
    names = {
        "other.example": txt("v=spf1 -all"),
        "example.net": txt("v=spf1 ip4:198.51.100.7 -all"),
    }
    evidence = asked(CHECK, forwarded("SRS0=aB1c=9Z=example.net=ada@other.example"), names)
    assert symbols_of(evidence) == ["SPF_FAIL"]


@pytest.mark.parametrize(
    ("local_part", "original"),
    [
        ("SRS0=aB1c=9Z=example.net=ada", "ada@example.net"),
        ("srs0+aB1c=9Z=example.net=a=b", "a=b@example.net"),
        ("SRS1=xY=first.example==aB1c=9Z=example.net=ada", "ada@example.net"),
        ("SRS0=aB1c=9Z=not a domain=ada", None),
        ("SRS0=aB1c=9Z", None),
        ("ada", None),
        ("SRS0=" + "=" * 200, None),
    ],
)
def test_original_sender_of_a_rewritten_path(local_part: str, original: str | None) -> None:
    said = original_sender(Mailbox(local_part, "forwarder.example"))
    assert (str(said) if said else None) == original


def test_spf_fail_tells_the_admin_what_the_domain_says_of_it() -> None:
    names = {
        "example.org": txt("v=spf1 -all exp=why.example.org"),
        "why.example.org": txt("mail us from our own servers"),
    }
    evidence = asked(CHECK, a_transaction(helo_name=""), names)
    told = "192.0.2.7 for example.org: -all; the domain says: mail us from our own servers"
    assert evidence.findings[0].evidence == told
