"""DMARC of the author's domain, from what SPF, DKIM and ARC said of the message (RFC 9989 §5.3).

Evaluating is `milter.auth.dmarc`; here it is decided which domains are the author's, what counts as
their identifiers, and which symbol fits. A failure is told with what the domain asks for; that
`p=reject` alone refuses nothing is for the policy to say (RFC 9989 §5.4).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from milter.auth.dkim import claimed_signers
from milter.auth.dmarc import DmarcResult, Identifier, Walker, check_dmarc
from milter.auth.dmarc.record import Wish
from milter.auth.results import AuthResult, Result
from milter.auth.story import story_of
from milter.checks.base import NOTHING, RECEIVED, Evidence, fact
from milter.core.address import domain_key
from milter.core.transaction import Stage
from milter.dns.bounded import BoundedResolver
from milter.dns.names import canonical_name
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.auth.story import Story
    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message
    from policies.facts import FactValue

# RFC 9989 §11.5: each domain of a From with several is judged, but not without end.
MAX_AUTHORS: Final = 4

_FAILED: Final = {
    Wish.REJECT: "DMARC_REJECT",
    Wish.QUARANTINE: "DMARC_QUARANTINE",
    Wish.NONE: "DMARC_FAIL",
}
_OTHERS: Final = {
    Result.PASS: "DMARC_PASS",
    Result.NONE: "DMARC_NONE",
    Result.TEMPERROR: "DMARC_TEMPERROR",
    Result.PERMERROR: "DMARC_PERMERROR",
}
# Of several authors the one that speaks most against the message decides, from the worst.
_ORDER: Final = (
    *("DMARC_REJECT", "DMARC_QUARANTINE", "DMARC_TEMPERROR", "DMARC_PERMERROR", "DMARC_FAIL"),
    *("DMARC_FORWARDED", "DMARC_NONE", "DMARC_PASS"),
)


class DmarcCheck:
    """Whether the domain in From stands behind the message, and what it wants if not.

    Args:
        wait_s: Seconds for which answers of the DNS are waited for, all authors together; what is
            not known then is a temporary error of that author alone.
        trusts_sealers: Whether there is anybody whose ARC seal could have saved a message.
    """

    name = "dmarc"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset({*_ORDER, "DMARC_AUTHORS"})
    asks = True
    reads = frozenset({"spf", "dkim", "arc"})

    def __init__(self, wait_s: float = 10.0, *, trusts_sealers: bool = True) -> None:
        self._wait_s = wait_s
        self._trusts_sealers = trusts_sealers

    async def combine(
        self, txn: Transaction, message: Message, resolver: Resolver, known: Sequence[Evidence]
    ) -> Evidence:
        """Return a symbol for each author domain, the fact dmarc, and the results."""
        authors = _authors(message)
        if not authors:
            return NOTHING
        identifiers = tuple(_identifiers(txn, message, known))
        bounded = BoundedResolver(resolver, self._wait_s)
        results = await _judged(authors[:MAX_AUTHORS], identifiers, bounded)
        if self._trusts_sealers:
            results = [_doubted(said, message, known) for said in results]
        if story := story_of(resolver):
            for said in results:
                _tell(story, said, _vouching_sealer(said.author_domain, known))
        proven = all(said.aligned for said in results)
        # Had SPF not been left out, one of its domains might be aligned: no failure is certain.
        if not any(each.method == "spf" for each in identifiers):
            results = [said for said in results if said.result is not Result.FAIL]
        findings = [_finding(said, known) for said in results]
        if len(authors) > MAX_AUTHORS:
            findings.append(Finding("DMARC_AUTHORS", f"{len(authors)} domains in From"))
        if not results:
            return Evidence(tuple(findings))
        symbols = [_ORDER.index(finding.symbol) for finding in findings[: len(results)]]
        worst = symbols.index(min(symbols))
        facts = {"dmarc": _fact(results[worst], findings[worst], proven=proven)}
        return Evidence(tuple(findings), facts, tuple(_auth(said, known) for said in results))


async def _judged(
    authors: Sequence[str], identifiers: Sequence[Identifier], resolver: Resolver
) -> list[DmarcResult]:
    """Judge all authors at once: one with slow name servers must not hide what another asks for."""
    asking = [check_dmarc(domain, identifiers, Walker(resolver)) for domain in authors]
    # As a rule there is one, who needs no task.
    return [await asking[0]] if len(asking) == 1 else await asyncio.gather(*asking)


def _tell(story: Story, said: DmarcResult, sealer: str) -> None:
    """Say how the result for one author domain came about; `sealer` vouches for it, if any does."""
    if said.record_domain:
        found = f"the record of {said.record_domain} holds for {said.author_domain}"
        wish = f"{said.tag}={said.published.value}{', t=y' if said.testing else ''}"
        story.decide(f"{found}, {wish}: {said.wish.value} is asked for", "RFC 9989 §4.10.1")
    if said.org_domain:
        story.decide(f"the organizational domain is {said.org_domain}", "RFC 9989 §4.10.2")
    for each in said.identifiers:
        aligned = "aligned" if each.aligned else "not aligned"
        words = f"{each.method}={each.result.value} for {each.domain or 'no domain'}: {aligned}"
        story.decide(words, "RFC 9989 §4.4")
    why = f" ({said.reason})" if said.reason else ""
    section = "RFC 9989 §5.3.6" if said.result is Result.TEMPERROR else "RFC 9989 §5.3.5"
    story.decide(f"{said.author_domain}: {said.result.value}{why}", section)
    if said.result is Result.FAIL and sealer:
        story.decide(f"{sealer}, whom the site trusts, saw it pass: it was forwarded")


def _authors(message: Message) -> list[str]:
    """Return the domains of From that can have a record (RFC 9989 §5.3.1)."""
    return [
        domain
        for domain in message.author_domains
        if not domain.startswith("[") and canonical_name(domain) is not None
    ]


def _identifiers(
    txn: Transaction, message: Message, known: Sequence[Evidence]
) -> Iterator[Identifier]:
    """Yield what SPF and DKIM were asked about (RFC 9989 §4.4.1, §4.4.2)."""
    spf = fact(known, "spf")
    if isinstance(spf, dict):
        # Without a name that can be asked for, such as that of `EHLO .`, the fact has no domain.
        yield Identifier("spf", str(spf.get("domain", "")), Result(str(spf["result"])))
    elif _cut_off(known, "spf"):
        domain = txn.mail_from.domain_key if txn.mail_from else ""
        domain = domain or domain_key(txn.connection.helo_name)
        yield Identifier("spf", domain, Result.TEMPERROR)
    if _cut_off(known, "dkim"):
        for domain in claimed_signers(message.raw, authors=message.author_domains):
            yield Identifier("dkim", domain, Result.TEMPERROR)
    signatures = fact(known, "dkim")
    for each in signatures if isinstance(signatures, list) else ():
        if isinstance(each, dict) and each["domain"]:
            yield Identifier("dkim", str(each["domain"]), Result(str(each["result"])))


def _doubted(said: DmarcResult, message: Message, known: Sequence[Evidence]) -> DmarcResult:
    """Return `said`, its failure made a temporary error where a sealer might have vouched.

    RFC 8617 makes a chain whose key is not known fail for good; mail must not be refused for that.
    """
    if said.result is not Result.FAIL or said.wish is Wish.NONE:
        return said
    arc = fact(known, "arc")
    undecided = arc.get("undecided") if isinstance(arc, dict) else ()
    in_doubt = isinstance(undecided, list) and said.author_domain in undecided
    if in_doubt or (message.count("arc-seal") and _cut_off(known, "arc")):
        reason = f"{said.reason}; the ARC chain could not be judged"
        return replace(said, result=Result.TEMPERROR, reason=reason)
    return said


def _cut_off(known: Sequence[Evidence], check: str) -> bool:
    return any(
        finding.symbol == "CHECK_ERROR" and finding.details.get("check") == check
        for piece in known
        for finding in piece.findings
    )


def _finding(said: DmarcResult, known: Sequence[Evidence]) -> Finding:
    details = {"domain": said.author_domain}
    if said.result is not Result.FAIL:
        evidence = f"{said.author_domain}: {said.reason or _passed_by(said)}"
        return Finding(_OTHERS[said.result], evidence, details)
    at = f"{said.tag}={said.published.value} at {said.record_domain}"
    evidence = f"{said.author_domain} ({at}{', t=y' if said.testing else ''}): {said.reason}"
    sealer = _vouching_sealer(said.author_domain, known)
    if sealer and said.wish is not Wish.NONE:
        return Finding("DMARC_FORWARDED", f"{evidence}; {sealer} saw it pass", details)
    return Finding(_FAILED[said.wish], evidence, details)


def _passed_by(said: DmarcResult) -> str:
    return ", ".join(f"{each.method} of {each.domain}" for each in said.aligned)


def _vouching_sealer(author_domain: str, known: Sequence[Evidence]) -> str:
    """Return the trusted sealer whose chain is whole and who saw DMARC pass; empty without one."""
    arc = fact(known, "arc")
    if not isinstance(arc, dict) or arc.get("result") != "pass":
        return ""
    vouched = arc.get("vouched")
    for each in vouched if isinstance(vouched, list) else ():
        if isinstance(each, dict) and each["domain"] == author_domain:
            return str(each["sealer"])
    return ""


def _fact(said: DmarcResult, finding: Finding, *, proven: bool) -> FactValue:
    """Return what rules read of `said`; `proven` says whether every author domain is."""
    identifiers: list[FactValue] = [
        {
            "method": each.method,
            "domain": each.domain,
            "result": each.result.value,
            "aligned": each.aligned,
        }
        for each in said.identifiers
    ]
    return {
        "result": said.result.value,
        "domain": said.author_domain,
        "aligned": proven,
        "policy": said.wish.value if said.record_domain else "",
        "published": said.published.value if said.record_domain else "",
        "record_domain": said.record_domain,
        "org_domain": said.org_domain,
        "testing": said.testing,
        "identifiers": identifiers,
        "forwarded": finding.symbol == "DMARC_FORWARDED",
    }


def _auth(said: DmarcResult, known: Sequence[Evidence]) -> AuthResult:
    # RFC 9989 §9.1: header.from, and the policy as it is to be applied.
    properties = [("header.from", said.author_domain)]
    if said.record_domain and said.result is not Result.PERMERROR:
        properties.append(("policy.dmarc", said.wish.value))
    reason = "" if said.result is Result.PASS else said.reason
    if said.result is Result.FAIL and (sealer := _vouching_sealer(said.author_domain, known)):
        reason = f"{reason}; {sealer} saw it pass (ARC)"
    return AuthResult("dmarc", said.result, tuple(properties), reason)
