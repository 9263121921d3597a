"""From an author domain and its identifiers to a result (RFC 9989 §5.3.2 to §5.3.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milter.auth.dmarc.result import DmarcResult, Identifier
from milter.auth.dmarc.walk import Found, WalkError, select_org_domain
from milter.auth.results import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.auth.dmarc.record import DmarcRecord
    from milter.auth.dmarc.walk import Walker


@dataclass(frozen=True, slots=True)
class _Policy:
    """The record that holds for an author domain.

    Attributes:
        found: Where it is, and what it says.
        org_domain: The author's organizational domain, where the way to the record showed it.
    """

    found: Found
    org_domain: str = ""


async def check_dmarc(
    author_domain: str, identifiers: Sequence[Identifier], walker: Walker
) -> DmarcResult:
    """Return what DMARC says of `author_domain`.

    Args:
        author_domain: In lower case and A-labels.
        identifiers: All that SPF (MAIL FROM) and DKIM were asked about, with their results.
        walker: Of this message.
    """
    first = len(walker.asked)
    # An identical domain is aligned whatever a record says, and where there is none.
    named = tuple([replace(each, aligned=each.domain == author_domain) for each in identifiers])
    known = DmarcResult(Result.NONE, author_domain, identifiers=named)
    try:
        result = await _evaluated(known, walker)
    except WalkError as err:
        known = await _presumed(known, walker)
        result = replace(known, result=Result.TEMPERROR, reason=err.words)
    return replace(result, asked=tuple(walker.asked[first:]))


async def _evaluated(known: DmarcResult, walker: Walker) -> DmarcResult:
    policy = await _discover(known.author_domain, walker)
    if policy is None:
        return replace(known, reason="no DMARC record")
    record, domain = policy.found.record, policy.found.domain
    known = replace(known, record_domain=domain, org_domain=policy.org_domain)
    if record.broken:
        # RFC 9989 §4.10.1: no DMARC processing; §9.2 calls that permerror.
        return replace(known, result=Result.PERMERROR, reason=record.broken)
    known = await _aligned(known, record, walker)
    passed = bool(known.aligned)
    known = await _wished(known, record, walker, failed=not passed)
    if passed:
        return replace(known, result=Result.PASS)
    if unknown := _might_have_passed(known):
        # RFC 9989 §5.3.6: neither pass nor fail.
        reason = f"{unknown.method} of {unknown.domain} could not be asked for"
        return replace(known, result=Result.TEMPERROR, reason=reason)
    return replace(known, result=Result.FAIL, reason=_why(known))


async def _discover(author_domain: str, walker: Walker) -> _Policy | None:
    """Return the record to be applied (RFC 9989 §4.10.1)."""
    if record := await walker.record_at(author_domain):
        return _Policy(Found(author_domain, record))
    found = await walker.walk(author_domain)
    return _selected(author_domain, found) if found else None


def _selected(author_domain: str, found: list[Found]) -> _Policy:
    org_domain = select_org_domain(author_domain, found)
    # The organizational domain's own record, else that of its public suffix, which ended the walk.
    own = [each for each in found if each.domain == org_domain]
    return _Policy(own[0] if own else found[-1], org_domain)


async def _presumed(known: DmarcResult, walker: Walker) -> DmarcResult:
    """Say what the domain would want if the names that cannot be asked for had no records.

    Else whoever writes in the name of a subdomain whose name servers are dead would be rid of what
    the domain above it asks for. The wish decides nothing by itself (RFC 9989 §4.10.1, §5.3.6).
    """
    author = known.author_domain
    found = await walker.heard(author)
    if not found:
        return known
    held = found[0] if found[0].domain == author else _selected(author, found).found
    if held.record.broken:
        return known
    known = replace(known, record_domain=held.domain)
    return await _wished(known, held.record, walker, failed=False)


async def _aligned(known: DmarcResult, record: DmarcRecord, walker: Walker) -> DmarcResult:
    """Say of each identifier whether it is aligned (RFC 9989 §4.10.2).

    Where an identical one passed, no walk is needed for the others: the message passes.
    """
    author, identifiers = known.author_domain, list(known.identifiers)
    passed = bool(known.aligned)
    strict = {"dkim": record.strict_dkim, "spf": record.strict_spf}
    relaxed = [
        place
        for place, each in enumerate(identifiers)
        if not (each.aligned or strict[each.method]) and _worth_a_walk(each, author)
    ]
    if passed or not relaxed:
        return replace(known, identifiers=tuple(identifiers))
    org_domain = known.org_domain or await walker.org_domain(author)
    trouble: WalkError | None = None
    for place in relaxed:
        each = identifiers[place]
        try:
            aligned = await _same_organisation(each, org_domain, walker)
        except WalkError as err:
            trouble = err
        else:
            identifiers[place] = replace(each, aligned=aligned)
            passed = passed or (aligned and each.result is Result.PASS)
    if trouble and not passed:
        raise trouble
    return replace(known, identifiers=tuple(identifiers), org_domain=org_domain)


def _worth_a_walk(identifier: Identifier, author: str) -> bool:
    """Tell whether its alignment can matter: an organizational domain is an ancestor of both."""
    if identifier.result not in (Result.PASS, Result.TEMPERROR):
        return False
    return identifier.domain.rpartition(".")[2] == author.rpartition(".")[2]


async def _same_organisation(identifier: Identifier, org_domain: str, walker: Walker) -> bool:
    domain = identifier.domain
    # A domain outside of the author's organization cannot have its organizational domain.
    if domain != org_domain and not domain.endswith(f".{org_domain}"):
        return False
    if identifier.result is Result.TEMPERROR:
        return True
    return await walker.org_domain(domain) == org_domain


async def _wished(
    known: DmarcResult, record: DmarcRecord, walker: Walker, *, failed: bool
) -> DmarcResult:
    """Say what the domain wants: p for itself, np or sp for its subdomains (RFC 9989 §4.10.1)."""
    tag, published = "p", record.wish
    if known.author_domain != known.record_domain:
        if record.subdomains is not None:
            tag, published = "sp", record.subdomains
        # Whether the name exists is asked for only where the answer makes a difference.
        differs = failed and record.missing is not None and record.missing is not published
        if differs and not await walker.exists(known.author_domain):
            tag, published = "np", record.missing or published
    wish = published.lowered if record.testing else published
    return replace(known, tag=tag, published=published, wish=wish, testing=record.testing)


def _might_have_passed(known: DmarcResult) -> Identifier | None:
    """Return an aligned identifier of which it is not known whether it is authenticated."""
    undecided = (
        each for each in known.identifiers if each.aligned and each.result is Result.TEMPERROR
    )
    return next(undecided, None)


def _why(known: DmarcResult) -> str:
    """Return in words why nothing authenticates the author (RFC 9989 §5.3.5)."""
    said = [
        f"{each.method}={each.result.value} for {each.domain or 'no domain'}"
        + ("" if each.aligned or each.result is not Result.PASS else ", not aligned")
        for each in known.identifiers
    ]
    return "; ".join(said) or "neither SPF nor DKIM authenticates a domain"
