"""Whose seals count, and what the DMARC check makes of them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from milter.checks.arc import ArcCheck
from milter.checks.base import Evidence
from milter.checks.dmarc import DmarcCheck
from milter.dns.fake import FakeResolver
from milter.message.document import Message
from tests.support.arc_sealer import sealed, sealer_zone
from tests.support.checks import a_transaction, asked, symbols_of
from tests.support.dkim_signer import MESSAGE, NOW

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

ZONE = {
    **sealer_zone("first.example", "lists.example"),
    "_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject"]},
}
PASSED = "dmarc=pass header.from=example.org"


def evidence(message: bytes, trusted: Sequence[str]) -> Evidence:
    return asked(ArcCheck(lambda: NOW, trusted), a_transaction(), ZONE, message)


def vouched(message: bytes, *trusted: str) -> object:
    arc = evidence(message, trusted).facts["arc"]
    assert isinstance(arc, dict)
    return arc["vouched"]


def test_message_without_seals_says_nothing() -> None:
    assert evidence(MESSAGE, ["lists.example"]) == Evidence()


@pytest.mark.parametrize(
    ("trusted", "symbol"),
    [
        ([], "ARC_PASS"),
        (["lists.example"], "ARC_TRUSTED"),
        (["example"], "ARC_TRUSTED"),
        (["s.example"], "ARC_PASS"),
        (["sub.lists.example"], "ARC_PASS"),
    ],
)
def test_chain_symbol_and_fact(trusted: list[str], symbol: str) -> None:
    said = evidence(sealed(MESSAGE, said=PASSED), trusted)

    assert symbols_of(said) == [symbol]
    fact = said.facts["arc"]
    assert isinstance(fact, dict)
    assert (fact["result"], fact["sealer"]) == ("pass", "lists.example")
    assert fact["trusted"] is (symbol == "ARC_TRUSTED")
    assert (said.auth[0].method, said.auth[0].result.value) == ("arc", "pass")
    assert said.auth[0].reason == "sealed by lists.example"


def test_broken_chain_is_told_with_its_reason() -> None:
    said = evidence(sealed(MESSAGE).replace(b"Hello", b"Hallo"), ["lists.example"])

    assert symbols_of(said) == ["ARC_FAIL"]
    assert said.findings[0].evidence == "the signature of hop 1: the body was changed"


def test_trusted_sealer_does_not_vouch_for_a_field_that_was_added_on_top() -> None:
    message = b"Subject: another\r\n" + sealed(MESSAGE, said=PASSED)

    said = evidence(message, ["lists.example"])

    reason = "sealed by lists.example; a Subject was added that is not signed"
    assert symbols_of(said) == ["ARC_PASS"]
    assert (said.findings[0].evidence, said.auth[0].reason) == (reason, reason)
    assert vouched(message, "lists.example") == []


def test_word_of_a_hop_counts_only_where_all_behind_it_are_trusted() -> None:
    message = sealed(sealed(MESSAGE, "first.example", PASSED), "lists.example", "dmarc=fail")

    assert vouched(message, "first.example") == []
    assert vouched(message, "lists.example") == []
    assert vouched(message, "lists.example", "first.example") == [
        {"domain": "example.org", "sealer": "first.example"}
    ]


def test_words_of_hops_that_nobody_trusts_are_not_read() -> None:
    message = sealed(sealed(MESSAGE, "first.example", PASSED), "lists.example", PASSED)
    called: set[str] = set()

    def note(frame: FrameType, _event: str, _arg: Any) -> None:
        called.add(Path(frame.f_code.co_filename).name)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        said = evidence(message, ["first.example"])
    finally:
        sys.setprofile(before)

    assert symbols_of(said) == ["ARC_PASS"]
    assert "verify.py" in called
    assert "read_results.py" not in called


def test_word_of_the_last_hop_needs_no_other() -> None:
    message = sealed(sealed(MESSAGE, "first.example"), "lists.example", PASSED)

    assert vouched(message, "lists.example") == [
        {"domain": "example.org", "sealer": "lists.example"}
    ]


def dmarc_of(message: bytes, zone: dict[str, object], trusted: Sequence[str]) -> Evidence:
    txn = a_transaction()
    arc = asked(ArcCheck(lambda: NOW, trusted, wait_s=0.02), txn, zone, message)
    spf = Evidence(facts={"spf": {"result": "pass", "domain": "lists.example"}})
    resolver = FakeResolver(zone)
    return asyncio.run(DmarcCheck().combine(txn, Message(message), resolver, (spf, arc)))


@pytest.mark.parametrize("trouble", ["timeout", "servfail", "silence"])
@pytest.mark.parametrize(
    ("trusted", "symbol"), [(["lists.example"], "DMARC_TEMPERROR"), ([], "DMARC_REJECT")]
)
def test_key_of_a_trusted_sealer_that_is_not_known_now_refuses_nothing_for_good(
    trusted: list[str], symbol: str, trouble: str
) -> None:
    zone = {**ZONE, "sel._domainkey.lists.example": trouble}

    said = dmarc_of(sealed(MESSAGE, said=PASSED), zone, trusted)

    assert symbols_of(said) == [symbol]


def test_key_of_a_hop_that_is_not_known_does_not_excuse_a_false_seal() -> None:
    zone = {**ZONE, "sel._domainkey.first.example": "timeout"}
    message = sealed(sealed(MESSAGE, "first.example", PASSED), "lists.example", PASSED)
    forged = message.replace(
        b"ARC-Authentication-Results: i=2;", b"ARC-Authentication-Results:  i=2; x;"
    )
    assert forged != message

    assert symbols_of(dmarc_of(message, zone, ["lists.example"])) == ["DMARC_TEMPERROR"]
    assert symbols_of(dmarc_of(forged, zone, ["lists.example"])) == ["DMARC_REJECT"]


@pytest.mark.parametrize(
    ("trusted", "symbol"), [(["lists.example"], "DMARC_FORWARDED"), ([], "DMARC_REJECT")]
)
def test_trusted_sealer_rescues_forwarded_mail_from_a_dmarc_failure(
    trusted: list[str], symbol: str
) -> None:
    message = sealed(MESSAGE + b"-- \r\nsent to the list\r\n", said=PASSED)
    arc = evidence(message, trusted)
    spf = Evidence(facts={"spf": {"result": "pass", "domain": "lists.example"}})

    said = asyncio.run(
        DmarcCheck().combine(a_transaction(), Message(message), FakeResolver(ZONE), (spf, arc))
    )

    assert symbols_of(said) == [symbol]
    assert ("lists.example saw it pass" in said.findings[0].evidence) == bool(trusted)
