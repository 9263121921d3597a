"""DMARC, ARC and Authentication-Results by the sections that the code follows.

One table: section, case, what comes of it. docs/rfc.tsv tells which sections there are; one that has
no case fails. The suites of each method go deeper, these show that no section is without.
"""
# ruff: noqa: E501 - a row of a table is one line

from __future__ import annotations

import asyncio
import csv
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from milter.auth.arc import check_arc
from milter.auth.arc.said import dmarc_passed
from milter.auth.dmarc import DmarcResult, Identifier, Walker, check_dmarc
from milter.auth.dmarc.record import Wish, parse_record
from milter.auth.header import bears_authserv_id, format_authentication_results
from milter.auth.iprev import check_iprev
from milter.auth.read_results import parse_arc_results, parse_authentication_results
from milter.auth.results import AuthResult, Result
from milter.checks.base import Evidence
from milter.checks.dmarc import DmarcCheck
from milter.checks.iprev import IprevCheck
from milter.checks.upstream import UpstreamCheck
from milter.core.errors import ParseError
from milter.dns.fake import FakeResolver
from milter.message.document import Message
from policies.evaluate import evaluate
from policies.findings import Finding
from tests.support.arc_sealer import sealed, sealer_zone
from tests.support.checks import a_transaction, asked, looked, symbols_of
from tests.support.dkim_signer import MESSAGE, NOW
from tests.unit.policies.policy_files import a_policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RFCS: Final = {"8601", "8617", "9989"}


class Case(NamedTuple):
    """What one section asks for, shown on one input."""

    section: str
    name: str
    run: Callable[[], Any]
    expected: object


# --- RFC 9989 -------------------------------------------------------------------------------------


def record(tags: str) -> Any:
    return parse_record(f"v=DMARC1; {tags}".encode())


def dmarc(author: str, *identifiers: Identifier, **published: str) -> DmarcResult:
    """Return the result over records at `_dmarc.` of each name, `__` standing for a dot."""
    names: dict[str, object] = {"there.example.org": {"A": ["192.0.2.1"]}}
    for name, tags in published.items():
        at = f"_dmarc.{name.replace('__', '.')}"
        names[at] = {"TXT": [f"v=DMARC1; {tags}"]} if "=" in tags else tags
    return asyncio.run(check_dmarc(author, identifiers, Walker(FakeResolver(names))))


def signed_by(domain: str, result: Result = Result.PASS) -> Identifier:
    return Identifier("dkim", domain, result)


def seen(sender: str, **facts: Any) -> Evidence:
    """Return what the check makes of a From field and of what SPF and DKIM said."""
    zone = {
        "_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject"]},
        "_dmarc.example.com": {"TXT": ["v=DMARC1; p=none"]},
    }
    message = Message(f"From: {sender}\r\n\r\nx\r\n".encode())
    known = (Evidence(facts={"spf": {"result": "none", "domain": "x.example"}, **facts}),)
    return asyncio.run(DmarcCheck().combine(a_transaction(), message, FakeResolver(zone), known))


def result_of(sender: str, **facts: Any) -> object:
    fact = seen(sender, **facts).facts.get("dmarc")
    return fact["result"] if isinstance(fact, dict) else None


def said(sender: str, name: str) -> object:
    fact = seen(sender).facts["dmarc"]
    assert isinstance(fact, dict)
    return fact[name]


def action_of(preset: str, *symbols: str) -> str:
    findings = [
        Finding(
            symbol, "", {"domain": "example.org", "client_ip": "192.0.2.1", "name": "x.example"}
        )
        for symbol in symbols
    ]
    return evaluate(a_policy(f"extends: {preset}"), findings).action.word


def two_signatures() -> list[dict[str, str]]:
    return [
        {"result": "pass", "domain": "other.example"},
        {"result": "pass", "domain": "example.org"},
    ]


LONG: Final = "a.b.c.d.e.f.g.h.i.example.org"
HOP_ONE: Final = {
    "result": "pass",
    "sealer": "one.example",
    "vouched": [{"domain": "example.org", "sealer": "one.example"}],
}

# fmt: off
DMARC: Final = (
    Case("3.2.8", "wish", lambda: record("p=quarantine").wish, Wish.QUARANTINE),
    Case("3.2.8", "without-case", lambda: record("p=Reject").wish, Wish.REJECT),
    Case("3.2.13", "exists", lambda: dmarc("there.example.org", example__org="p=none; np=reject").tag, "p"),
    Case("3.2.13", "does-not-exist", lambda: dmarc("gone.example.org", example__org="p=none; np=reject").tag, "np"),
    Case("4.3", "only-pass-authenticates", lambda: (dmarc("example.org", signed_by("example.org", Result.FAIL), example__org="p=none").result), Result.FAIL),
    Case("4.4", "relaxed", lambda: dmarc("a.example.org", signed_by("b.example.org"), example__org="p=none").result, Result.PASS),
    Case("4.4", "strict", lambda: (dmarc("a.example.org", signed_by("b.example.org"), example__org="p=none; adkim=s").result), Result.FAIL),
    Case("4.4.1", "any-signature", lambda: result_of("a@example.org", dkim=two_signatures()), "pass"),
    Case("4.4.1", "none-of-them", lambda: result_of("a@example.org", dkim=two_signatures()[:1]), "fail"),
    Case("4.4.2", "mail-from", lambda: result_of("a@example.org", spf={"result": "pass", "domain": "example.org"}), "pass"),
    Case("4.4.2", "not-neutral", lambda: result_of("a@example.org", spf={"result": "neutral", "domain": "example.org"}), "fail"),
    Case("4.7", "no-p-is-none", lambda: record("sp=reject").wish, Wish.NONE),
    Case("4.7", "version-first", lambda: parse_record(b"p=reject; v=DMARC1"), None),
    Case("4.7", "version-has-case", lambda: parse_record(b"v=dmarc1; p=reject"), None),
    Case("4.7", "test-mode", lambda: dmarc("example.org", example__org="p=reject; t=y").wish, Wish.QUARANTINE),
    Case("4.8", "unknown-tag", lambda: record("x=y; p=reject").wish, Wish.REJECT),
    Case("4.8", "error-of-syntax", lambda: record("nonsense; p=reject").wish, Wish.REJECT),
    Case("4.10", "eight-queries", lambda: len(dmarc(LONG).asked), 8),
    Case("4.10", "stops-at-psd-n", lambda: [one.name for one in dmarc("a.example.org", example__org="psd=n").asked][-1], "_dmarc.example.org"),
    Case("4.10.1", "itself", lambda: dmarc("example.org", example__org="p=reject; sp=none").wish, Wish.REJECT),
    Case("4.10.1", "inherited", lambda: dmarc("there.example.org", example__org="p=reject; sp=none").wish, Wish.NONE),
    Case("4.10.1", "invalid-with-rua", lambda: record("p=bad; rua=mailto:a@b.example").broken, ""),
    Case("4.10.1", "invalid-without", lambda: bool(record("p=bad").broken), True),
    Case("4.10.2", "highest-record", lambda: (dmarc("a.b.example.org", signed_by("c.example.org"), a__b__example__org="p=none", example__org="p=none").org_domain), "example.org"),
    Case("4.10.2", "psd-y-parts", lambda: (dmarc("a.example.org", signed_by("b.example.org"), a__example__org="p=none", example__org="psd=y").result), Result.FAIL),
    Case("5.3", "receiver", lambda: symbols_of(seen("a@example.org")), ["DMARC_REJECT"]),
    Case("5.3.1", "a-label", lambda: result_of("a@b\u00fccher.example"), "none"),
    Case("5.3.1", "literal", lambda: result_of("a@[192.0.2.1]"), None),
    Case("5.3.1", "no-domain", lambda: result_of("nobody"), None),
    Case("5.3.2", "no-record", lambda: dmarc("example.org").result, Result.NONE),
    Case("5.3.5", "one-is-enough", lambda: (dmarc("example.org", signed_by("x.example"), signed_by("example.org"), example__org="p=none").result), Result.PASS),
    Case("5.3.5", "why-not", lambda: dmarc("example.org", signed_by("x.example"), example__org="p=none").reason, "dkim=pass for x.example, not aligned"),
    Case("5.3.6", "record", lambda: dmarc("example.org", example__org="servfail").result, Result.TEMPERROR),
    Case("5.3.6", "identifier", lambda: (dmarc("example.org", signed_by("example.org", Result.TEMPERROR), example__org="p=none").result), Result.TEMPERROR),
    Case("5.4", "told-not-obeyed", lambda: said("a@example.org", "policy"), "reject"),
    Case("5.4", "alone", lambda: action_of("balanced", "DMARC_REJECT"), "quarantine"),
    Case("7.4", "forwarded", lambda: symbols_of(seen("a@example.org", arc=HOP_ONE)), ["DMARC_FORWARDED"]),
    Case("8", "with-spf-and-dkim", lambda: action_of("balanced", "DMARC_REJECT", "SPF_FAIL", "DKIM_FAIL"), "quarantine"),
    Case("8", "strict-too", lambda: action_of("strict", "DMARC_REJECT"), "quarantine"),
    Case("9.1", "properties", lambda: seen("a@example.org").auth[0].properties, (("header.from", "example.org"), ("policy.dmarc", "reject"))),
    Case("11.5", "several-authors", lambda: symbols_of(seen("a@example.org, b@example.com")), ["DMARC_REJECT", "DMARC_FAIL"]),
    Case("11.5", "worst-decides", lambda: said("b@example.com, a@example.org", "domain"), "example.org"),
)
# fmt: on

# --- RFC 8617 -------------------------------------------------------------------------------------

HOPS: Final = ("one.example", "two.example")


def arc(old: bytes = b"", new: bytes = b"") -> tuple[str, str]:
    """Return what comes of a chain of two hops in which `old` was made `new`."""
    message = sealed(sealed(MESSAGE, HOPS[0]), HOPS[1])
    message = message.replace(old, new, 1) if old else message
    said = asyncio.run(check_arc(message, FakeResolver(sealer_zone(*HOPS)), now=NOW))
    return said.result.value, said.reason


def unsealed() -> str:
    return asyncio.run(check_arc(MESSAGE, FakeResolver({}), now=NOW)).result.value


def why(old: bytes, new: bytes) -> str:
    return arc(old, new)[1]


def arc_check() -> object:
    from milter.checks.arc import ArcCheck  # noqa: PLC0415 - the one case that needs it

    message = sealed(MESSAGE, HOPS[0])
    evidence = asked(ArcCheck(lambda: NOW), a_transaction(), sealer_zone(*HOPS), message)
    return [(one.method, one.result.value, one.reason) for one in evidence.auth]


# fmt: off
ARC: Final = (
    Case("4.1", "three-fields", lambda: "not three ARC fields" in why(b"ARC-Seal: i=2", b"X-Seal: i=2"), True),
    Case("4.1.1", "found", lambda: dmarc_passed(b"i=1; mx; dmarc=pass header.from=a.example"), {"a.example"}),
    Case("4.1.1", "instance-first", lambda: parse_arc_results(b"i=1; mx.example; spf=pass").authserv_id, "mx.example"),
    Case("4.1.2", "body", lambda: why(b"Hello", b"Hallo"), "the signature of hop 2: the body was changed"),
    Case("4.1.2", "header", lambda: "a signed header was changed" in why(b"folded", b"folden"), True),
    Case("4.1.3", "no-h", lambda: "has an h=" in why(b"s=sel; t=", b"s=sel; h=from; t="), True),
    Case("4.2", "gap", lambda: "not three ARC fields" in why(b"i=1; a=rsa", b"i=3; a=rsa"), True),
    Case("4.2.1", "fifty-one", lambda: "without a valid i=" in why(b"i=2; a=rsa", b"i=51; a=rsa"), True),
    Case("4.2.1", "zero", lambda: "without a valid i=" in why(b"i=2; a=rsa", b"i=0; a=rsa"), True),
    Case("4.4", "pass", arc, ("pass", "")),
    Case("4.4", "none", unsealed, "none"),
    Case("4.4", "first-is-none", lambda: why(b"cv=none", b"cv=pass"), "seal 1 says cv=pass"),
    Case("5.1.1", "what-a-seal-covers", lambda: "an ARC field" in why(b"spf=none", b"spf=pass"), True),
    Case("5.2", "structure-first", lambda: why(b"cv=pass", b"cv=fail"), "seal 2 says cv=fail"),
    Case("5.2", "told", arc_check, [("arc", "pass", "sealed by one.example")]),
)
# fmt: on

# --- RFC 8601 -------------------------------------------------------------------------------------


def iprev(ptr: object, address: str = "192.0.2.1") -> str:
    zone = {"192.0.2.1": {"PTR": ptr}, "mx.example": {"A": [address]}}
    return asyncio.run(check_iprev(IPv4Address("192.0.2.1"), FakeResolver(zone))).result.value


def upstream(*trusted: str) -> list[str]:
    field = b"Authentication-Results: mx.example; dmarc=fail header.from=a.example\r\n\r\nx\r\n"
    txn = a_transaction()
    passed_on = txn.connection._replace(relays=(IPv4Address("192.0.2.25"),))
    return symbols_of(looked(UpstreamCheck(trusted), field, txn._replace(connection=passed_on)))


def refused(value: bytes) -> bool:
    try:
        parse_authentication_results(value)
    except ParseError:
        return True
    return False


def written(**properties: str) -> bytes:
    pairs = tuple((name.replace("_", "."), value) for name, value in properties.items())
    return format_authentication_results("mx.example", [AuthResult("spf", Result.PASS, pairs)])


# fmt: off
AUTHRES: Final = (
    Case("2.2", "written", lambda: written(smtp_mailfrom="a@example.org"), b"Authentication-Results: mx.example;\r\n\tspf=pass smtp.mailfrom=a@example.org\r\n"),
    Case("2.2", "quoted", lambda: b'="a b; c"' in written(smtp_mailfrom="a b; c"), True),
    Case("2.2", "nothing-found", lambda: format_authentication_results("mx.example", []), b"Authentication-Results: mx.example;\r\n\tnone\r\n"),
    Case("2.2", "read", lambda: (parse_authentication_results(b"mx (c) 1; spf (x) = pass smtp.helo=a") .results[0] .properties), (("smtp.helo", "a"),)),
    Case("2.2", "no-id", lambda: refused(b"spf=pass smtp.helo=a"), True),
    Case("2.5", "id", lambda: parse_authentication_results(b"MX.Example; none").authserv_id, "mx.example"),
    Case("2.7", "words", lambda: [one.value for one in Result], ["none", "neutral", "pass", "fail", "softfail", "temperror", "permerror", "policy"]),
    Case("2.7", "no-word-of-it", lambda: parse_authentication_results(b"mx; spf=hardfail").results, ()),
    Case("2.7.1", "policy", lambda: (parse_authentication_results(b"mx; dkim=policy header.d=a.example").results[0].result), Result.POLICY),
    Case("2.7.3", "no-name", lambda: iprev("nxdomain"), "permerror"),
    Case("2.7.3", "trouble", lambda: iprev("servfail"), "temperror"),
    Case("2.7.3", "symbol", lambda: symbols_of(asked(IprevCheck(), a_transaction(client_ip="192.0.2.1"), {})), ["IPREV_MISSING"]),
    Case("3", "leads-back", lambda: iprev(["mx.example"]), "pass"),
    Case("3", "leads-elsewhere", lambda: iprev(["mx.example"], "192.0.2.2"), "fail"),
    Case("5", "ours", lambda: bears_authserv_id(b" mx (x) . EXAMPLE 1; spf=pass", "mx.example"), True),
    Case("5", "another", lambda: bears_authserv_id(b" mx2.example; spf=pass", "mx.example"), False),
    Case("5", "not-trusted", upstream, []),
    Case("5", "trusted", lambda: upstream("mx.example"), ["UPSTREAM_DMARC_FAIL"]),
)
# fmt: on
ALL: Final = {"9989": DMARC, "8617": ARC, "8601": AUTHRES}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"rfc{rfc}-{case.section}-{case.name}")
        for rfc, cases in ALL.items()
        for case in cases
    ],
)
def test_section(case: Case) -> None:
    assert case.run() == case.expected


def test_every_section_that_is_followed_has_a_case(checkout: Path) -> None:
    with (checkout / "docs/rfc.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        followed = {(row["rfc"], row["section"]) for row in rows if row["rfc"] in RFCS}
    cases = {(rfc, case.section) for rfc, table in ALL.items() for case in table}

    assert cases == followed
