"""Which author domains are judged by which identifiers, and what symbol and result come of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from milter.auth.results import Result
from milter.auth.story import Story, TellingResolver
from milter.checks.base import Evidence
from milter.checks.dmarc import DmarcCheck
from milter.checks.spf import SpfCheck
from milter.dns.fake import FakeResolver
from milter.message.document import Message
from policies.findings import Finding
from tests.support.checks import a_transaction, asked, symbols_of

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from policies.facts import FactValue

ZONE: dict[str, object] = {
    "_dmarc.reject.example": {"TXT": ["v=DMARC1; p=reject"]},
    "_dmarc.quarantine.example": {"TXT": ["v=DMARC1; p=quarantine"]},
    "_dmarc.none.example": {"TXT": ["v=DMARC1; p=none"]},
    "_dmarc.test.example": {"TXT": ["v=DMARC1; p=reject; t=y"]},
    "_dmarc.broken.example": {"TXT": ["v=DMARC1; p=bad"]},
    "_dmarc.trouble.example": "servfail",
    "_dmarc.xn--bcher-kva.example": {"TXT": ["v=DMARC1; p=reject"]},
}


def spf(domain: str, result: str = "pass") -> Evidence:
    return Evidence(facts={"spf": {"result": result, "domain": domain, "identity": "mailfrom"}})


def dkim(*signatures: tuple[str, str]) -> Evidence:
    shown: list[FactValue] = [
        {"result": result, "domain": domain, "selector": "s"} for domain, result in signatures
    ]
    return Evidence(facts={"dkim": shown})


def arc(sealer: str, *passed: str, result: str = "pass") -> Evidence:
    vouched: list[FactValue] = [{"domain": domain, "sealer": sealer} for domain in passed]
    return Evidence(facts={"arc": {"result": result, "sealer": sealer, "vouched": vouched}})


ELSEWHERE = spf("list.example")


def test_story_names_the_sealer_that_vouches() -> None:
    story = Story("dmarc")
    message = Message(b"From: a@reject.example\r\n\r\nx\r\n")
    known = (ELSEWHERE, arc("lists.example", "reject.example"))
    resolver = TellingResolver(FakeResolver(ZONE), story)

    asyncio.run(DmarcCheck().combine(a_transaction(), message, resolver, known))

    assert [*story.lines()][-1] == (
        "= lists.example, whom the site trusts, saw it pass: it was forwarded"
    )


def judged(author: str, *known: Evidence, txn: Transaction | None = None) -> Evidence:
    fields = author if author.startswith("From:") else f"From: {author}\r\n"
    message = Message(f"{fields}Subject: hello\r\n\r\nhello\r\n".encode())
    resolver = FakeResolver(ZONE)
    return asyncio.run(
        DmarcCheck().combine(txn or a_transaction(), message, resolver, known or (ELSEWHERE,))
    )


@pytest.mark.parametrize(
    ("domain", "symbol", "result"),
    [
        ("reject.example", "DMARC_REJECT", "fail"),
        ("sub.reject.example", "DMARC_REJECT", "fail"),
        ("quarantine.example", "DMARC_QUARANTINE", "fail"),
        ("none.example", "DMARC_FAIL", "fail"),
        ("test.example", "DMARC_QUARANTINE", "fail"),
        ("absent.example", "DMARC_NONE", "none"),
        ("broken.example", "DMARC_PERMERROR", "permerror"),
        ("trouble.example", "DMARC_TEMPERROR", "temperror"),
    ],
)
def test_combine_symbol_and_result(domain: str, symbol: str, result: str) -> None:
    evidence = judged(f"a@{domain}")

    assert symbols_of(evidence) == [symbol]
    assert [said.result.value for said in evidence.auth] == [result]
    assert evidence.findings[0].details == {"domain": domain}


@pytest.mark.parametrize(
    "known",
    [
        pytest.param([spf("reject.example")], id="spf"),
        pytest.param([spf("mail.reject.example")], id="spf-relaxed"),
        pytest.param([ELSEWHERE, dkim(("reject.example", "pass"))], id="dkim"),
        pytest.param(
            [dkim(("list.example", "pass"), ("x.reject.example", "pass"))], id="second-signature"
        ),
    ],
)
def test_combine_aligned_identifier_passes(known: list[Evidence]) -> None:
    evidence = judged("a@reject.example", *known)

    assert symbols_of(evidence) == ["DMARC_PASS"]
    assert evidence.auth[0].result is Result.PASS
    assert evidence.facts["dmarc"]["aligned"] is True  # type: ignore[call-overload,index]


@pytest.mark.parametrize(
    ("author", "known", "aligned"),
    [
        pytest.param("a@absent.example", spf("absent.example"), True, id="no-record"),
        pytest.param("a@trouble.example", spf("trouble.example"), True, id="unknown-record"),
        pytest.param(
            "a@absent.example", dkim(("absent.example", "pass")), True, id="no-record-signed"
        ),
        pytest.param("a@absent.example", dkim(("absent.example", "fail")), False, id="not-proven"),
        # Without a record nobody says that the organization counts.
        pytest.param("a@absent.example", spf("mail.absent.example"), False, id="below-it"),
        pytest.param(
            "From: a@absent.example\r\nFrom: b@other.example\r\n",
            spf("absent.example"),
            False,
            id="one-of-two-authors",
        ),
        pytest.param(
            "From: a@reject.example, b@quarantine.example\r\n",
            dkim(("reject.example", "pass")),
            False,
            id="one-of-two-and-no-spf",
        ),
    ],
)
def test_combine_author_is_aligned_where_its_own_domain_passed(
    author: str, known: Evidence, *, aligned: bool
) -> None:
    evidence = judged(author, known)

    assert evidence.facts["dmarc"]["aligned"] is aligned  # type: ignore[call-overload,index]


def test_combine_properties_are_those_of_the_registry() -> None:
    evidence = judged("a@test.example")

    assert evidence.auth[0].properties == (
        ("header.from", "test.example"),
        ("policy.dmarc", "quarantine"),
    )


def test_combine_fact_tells_what_was_asked_for_and_found() -> None:
    evidence = judged("a@sub.reject.example", ELSEWHERE, dkim(("reject.example", "fail")))

    assert evidence.facts["dmarc"] == {
        "result": "fail",
        "domain": "sub.reject.example",
        "aligned": False,
        "policy": "reject",
        "published": "reject",
        "record_domain": "reject.example",
        "org_domain": "reject.example",
        "testing": False,
        "identifiers": [
            {"method": "spf", "domain": "list.example", "result": "pass", "aligned": False},
            {"method": "dkim", "domain": "reject.example", "result": "fail", "aligned": False},
        ],
        "forwarded": False,
    }


# --- §5.3.1, §11.5: the author domain of hostile From fields --------------------------------------


@pytest.mark.parametrize(
    ("author", "symbols"),
    [
        pytest.param("Ann <a@reject.example>", ["DMARC_REJECT"], id="named"),
        pytest.param('"x@none.example" <a@reject.example>', ["DMARC_REJECT"], id="quoted-name"),
        pytest.param("a@(none.example)reject.example", ["DMARC_REJECT"], id="comment"),
        pytest.param('"a@none.example"@reject.example', ["DMARC_REJECT"], id="quoted-local-part"),
        pytest.param("team: a@reject.example;", ["DMARC_REJECT"], id="group"),
        pytest.param("a@REJECT.example.", ["DMARC_REJECT"], id="case-and-final-dot"),
        pytest.param("a@b\u00fccher.example", ["DMARC_REJECT"], id="u-label"),
        pytest.param("a@xn--bcher-kva.example", ["DMARC_REJECT"], id="a-label"),
        pytest.param("=?utf-8?q?a=40none.example?= <a@reject.example>", ["DMARC_REJECT"]),
        pytest.param("<@none.example:a@reject.example>", ["DMARC_REJECT"], id="source-route"),
        pytest.param("a@none.example, b@none.example", ["DMARC_FAIL"], id="one-domain-twice"),
        pytest.param("a@none.example, b@reject.example", ["DMARC_FAIL", "DMARC_REJECT"]),
        pytest.param("<a@none.example> <b@reject.example>", ["DMARC_FAIL", "DMARC_REJECT"]),
        pytest.param("<a@none.example> b@reject.example", ["DMARC_FAIL", "DMARC_REJECT"]),
        pytest.param(
            "From: a@none.example\r\nFrom: b@reject.example\r\n",
            ["DMARC_FAIL", "DMARC_REJECT"],
            id="two-fields",
        ),
        pytest.param("undisclosed:;", [], id="empty-group"),
        pytest.param("nobody", [], id="no-address"),
        pytest.param("From:\r\n", [], id="empty"),
        pytest.param("a@[192.0.2.1]", [], id="literal"),
        pytest.param("a@[IPv6:2001:db8::1]", [], id="literal-of-ipv6"),
        pytest.param("a@[reject.example]", ["DMARC_REJECT"], id="name-in-brackets"),
        pytest.param("a@reject.example\u200e", ["DMARC_REJECT"], id="mark-that-is-not-seen"),
        pytest.param("a@reject..example", [], id="no-name"),
    ],
)
def test_combine_author_domains(author: str, symbols: list[str]) -> None:
    assert symbols_of(judged(author)) == symbols


def test_combine_of_several_authors_the_worst_is_the_fact() -> None:
    known = (spf("none.example"),)

    evidence = judged("a@none.example, b@reject.example, c@absent.example", *known)

    assert [said.result.value for said in evidence.auth] == ["pass", "fail", "none"]
    assert evidence.facts["dmarc"]["domain"] == "reject.example"  # type: ignore[call-overload,index]


def test_combine_of_many_authors_judges_four_and_says_so() -> None:
    author = ", ".join(f"a@{number}.example" for number in range(9))

    evidence = judged(author)

    assert symbols_of(evidence) == ["DMARC_NONE"] * 4 + ["DMARC_AUTHORS"]
    assert evidence.findings[-1].evidence == "9 domains in From"


@pytest.mark.parametrize("slow", ["slow.example", "1.2.3.4.5.6.7.slow.example"])
def test_combine_author_with_silent_name_servers_hides_no_other(slow: str) -> None:
    resolver = FakeResolver({**ZONE, "_dmarc.slow.example": "silence"})
    message = Message(f"From: a@{slow}, b@reject.example\r\n\r\nx\r\n".encode())

    evidence = asyncio.run(
        DmarcCheck(wait_s=0.02).combine(a_transaction(), message, resolver, (ELSEWHERE,))
    )

    assert symbols_of(evidence) == ["DMARC_TEMPERROR", "DMARC_REJECT"]
    assert evidence.findings[0].evidence == f"{slow}: timeout for _dmarc.slow.example"
    assert evidence.facts["dmarc"]["domain"] == "reject.example"  # type: ignore[call-overload,index]


# --- what is not known ----------------------------------------------------------------------------


def test_combine_without_spf_claims_no_failure() -> None:
    evidence = judged("a@reject.example", dkim(("list.example", "pass")))

    assert evidence == Evidence()


def test_combine_without_spf_an_aligned_signature_passes() -> None:
    evidence = judged("a@reject.example", dkim(("reject.example", "pass")))

    assert symbols_of(evidence) == ["DMARC_PASS"]


@pytest.mark.parametrize(
    ("mail_from", "symbol"),
    [("x@reject.example", "DMARC_TEMPERROR"), ("x@list.example", "DMARC_REJECT")],
)
def test_combine_spf_that_was_cut_off_counts_where_it_could_be_aligned(
    mail_from: str, symbol: str
) -> None:
    cut_off = Evidence((Finding("CHECK_ERROR", "spf: timeout", {"check": "spf"}),))

    evidence = judged("a@reject.example", cut_off, txn=a_transaction(mail_from))

    assert symbols_of(evidence) == [symbol]


@pytest.mark.parametrize(
    "txn",
    [
        pytest.param(a_transaction(None, helo_name="."), id="root-as-helo"),
        pytest.param(a_transaction(None, helo_name=""), id="no-helo"),
        pytest.param(a_transaction("postmaster", helo_name="."), id="postmaster"),
    ],
)
def test_combine_sender_without_a_domain_is_judged_all_the_same(txn: Transaction) -> None:
    known = asked(SpfCheck("mx.site.example"), txn, {})

    evidence = judged("a@reject.example", known, txn=txn)

    assert symbols_of(evidence) == ["DMARC_REJECT"]
    assert evidence.auth[0].reason == "spf=none for no domain"


@pytest.mark.parametrize(
    ("signer", "symbol"),
    [
        pytest.param("reject.example", "DMARC_TEMPERROR", id="aligned"),
        pytest.param("mail.reject.example", "DMARC_TEMPERROR", id="aligned-relaxed"),
        pytest.param("list.example", "DMARC_REJECT", id="another"),
    ],
)
def test_combine_dkim_that_was_cut_off_counts_where_a_signature_could_be_aligned(
    signer: str, symbol: str
) -> None:
    cut_off = Evidence((Finding("CHECK_ERROR", "dkim: timeout", {"check": "dkim"}),))
    signature = f"DKIM-Signature: v=1; d={signer}; s=s\r\n"

    evidence = judged(f"From: a@reject.example\r\n{signature}", ELSEWHERE, cut_off)

    assert symbols_of(evidence) == [symbol]


@pytest.mark.parametrize(
    ("seal", "symbol"), [("ARC-Seal: i=1\r\n", "DMARC_TEMPERROR"), ("", "DMARC_REJECT")]
)
def test_combine_arc_that_was_cut_off_counts_where_there_is_a_seal(seal: str, symbol: str) -> None:
    cut_off = Evidence((Finding("CHECK_ERROR", "arc: timeout", {"check": "arc"}),))

    evidence = judged(f"From: a@reject.example\r\n{seal}", ELSEWHERE, cut_off)

    assert symbols_of(evidence) == [symbol]


def test_combine_arc_that_was_cut_off_saves_nothing_where_no_sealer_is_trusted() -> None:
    cut_off = Evidence((Finding("CHECK_ERROR", "arc: timeout", {"check": "arc"}),))
    message = Message(b"From: a@reject.example\r\nARC-Seal: i=1\r\n\r\nx\r\n")
    check = DmarcCheck(trusts_sealers=False)

    evidence = asyncio.run(
        check.combine(a_transaction(), message, FakeResolver(ZONE), (ELSEWHERE, cut_off))
    )

    assert symbols_of(evidence) == ["DMARC_REJECT"]


# --- RFC 8617 §7.2: what a trusted sealer saw -----------------------------------------------------


def test_combine_trusted_sealer_turns_the_failure_into_forwarded() -> None:
    evidence = judged("a@reject.example", ELSEWHERE, arc("list.example", "reject.example"))

    assert symbols_of(evidence) == ["DMARC_FORWARDED"]
    assert evidence.findings[0].evidence.endswith("; list.example saw it pass")
    assert evidence.auth[0].result is Result.FAIL
    assert evidence.auth[0].reason.endswith("; list.example saw it pass (ARC)")


@pytest.mark.parametrize(
    "sealed",
    [
        pytest.param(arc("list.example", "other.example"), id="saw-another-author"),
        pytest.param(arc("list.example", "reject.example", result="fail"), id="broken-chain"),
        pytest.param(arc("list.example"), id="saw-no-pass"),
    ],
)
def test_combine_other_chains_change_nothing(sealed: Evidence) -> None:
    assert symbols_of(judged("a@reject.example", ELSEWHERE, sealed)) == ["DMARC_REJECT"]
