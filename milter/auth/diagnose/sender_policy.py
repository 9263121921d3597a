"""SPF of a domain as a whole: what it publishes, and how many look-ups that may cost (RFC 7208).

A receiver stops at the first match. Here every branch is followed, for some client pays for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milter.auth.diagnose.report import Grade, Item, unanswered
from milter.auth.results import Result
from milter.auth.spf import DEFAULT_LIMITS, check_spf
from milter.auth.spf.macros import MacroString, shortened_name
from milter.auth.spf.record import Record, Term, is_record, parse_record
from milter.core.address import Mailbox
from milter.core.errors import ParseError
from milter.dns.names import canonical_name

if TYPE_CHECKING:
    from milter.core.connection import IpAddress
    from milter.dns.resolver import Resolver

TOPIC: Final = "SPF"
# Includes may run in circles; nobody needs to know how much worse than that it is.
_MOST: Final = 60
_ASKS: Final = frozenset({"include", "a", "mx", "ptr", "exists"})
_FEW_LEFT: Final = 8


@dataclass(slots=True)
class _Walk:
    """What following every branch came to."""

    resolver: Resolver
    terms: int = 0
    void: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failed: str = ""
    has_ptr: bool = False
    # What holds for whoever is not named, and whether macros hide where that stands.
    end: Term | None = None
    hidden: bool = False

    async def record(self, domain: str, *, needed_by: str = "") -> Record | None:
        """Return the record of `domain`; what is wrong with it is written down."""
        answer = await self.resolver.resolve(domain, "TXT")
        if answer.outcome.temporary:
            self.failed = f"{answer.outcome.value} for TXT of {domain}"
            return None
        records = [record for record in answer.records if isinstance(record, tuple)]
        texts = [b"".join(part for part in r if isinstance(part, bytes)) for r in records]
        texts = [text for text in texts if is_record(text)]
        for text in texts:
            self.found.append(f"{domain}: {text.decode('ascii', 'backslashreplace')}")
        if not texts and needed_by:
            self.problems.append(f"{needed_by}: {domain} has no SPF record")
        if len(texts) > 1:
            self.problems.append(f"{domain} has {len(texts)} SPF records")
        if len(texts) != 1:
            return None
        try:
            return parse_record(texts[0])
        except ParseError as err:
            self.problems.append(f"{domain}: {err.what}")
            return None

    async def follow(self, record: Record, domain: str, *, included: bool = False) -> None:
        """Count what `record` of `domain` asks for, with all that it leads to."""
        for term in record.terms:
            if term.name not in _ASKS or self.terms >= _MOST:
                continue
            self.terms += 1
            self.has_ptr |= term.name == "ptr"
            target = domain if term.target is None else _name(term.target)
            if target is not None:
                await self._ask(term.name, term.text, target)
        end = next((term for term in record.terms if term.name == "all"), None)
        if not included:
            self.end = end
        if record.redirect is not None and end is None and self.terms < _MOST:
            self.terms += 1
            target = _name(record.redirect)
            self.hidden |= target is None and not included
            if target is not None:
                await self._into(target, f"redirect of {domain}", included=included)

    async def _ask(self, name: str, text: str, target: str) -> None:
        if name == "include":
            await self._into(target, text, included=True)
        elif name == "mx":
            answer = await self.resolver.resolve(target, "MX")
            if not answer.records:
                self.void.append(target)
            if len(answer.records) > DEFAULT_LIMITS.mx_names:
                self.problems.append(f"{text}: {target} has {len(answer.records)} MX names")
        elif name == "a":
            v4 = await self.resolver.resolve(target, "A")
            v6 = await self.resolver.resolve(target, "AAAA")
            if not (v4.records or v6.records):
                self.void.append(target)

    async def _into(self, target: str, needed_by: str, *, included: bool) -> None:
        record = await self.record(target, needed_by=needed_by)
        if record is not None:
            await self.follow(record, target, included=included)


async def diagnose_spf(domain: str, resolver: Resolver) -> Item:
    """Return how the SPF record of `domain` stands."""
    walk = _Walk(resolver)
    record = await walk.record(domain)
    if record is not None:
        await walk.follow(record, domain)
    if walk.failed:
        return unanswered(TOPIC, walk.failed)
    if record is None and not walk.problems:
        return Item(
            *(TOPIC, Grade.PROBLEM, ("no record",)),
            "Publish a TXT record that names your senders: `v=spf1 mx -all`, or `v=spf1 -all` for a"
            " domain that sends no mail.",
        )
    counted = (
        f"{walk.terms} of {DEFAULT_LIMITS.terms} terms that ask, {len(walk.void)} without answer"
    )
    found = (*walk.found, counted, *walk.problems)
    if record is None or walk.problems:
        advice = "Receivers take this for no policy at all (permerror); mend what is named above."
        return Item(TOPIC, Grade.PROBLEM, found, advice)
    return _judged(walk, found)


def _judged(walk: _Walk, found: tuple[str, ...]) -> Item:
    if walk.terms > DEFAULT_LIMITS.terms:
        advice = (
            "Receivers stop at ten terms with permerror: put addresses (ip4, ip6) in the place of"
            " includes, or leave out services that no longer send for you."
        )
        return Item(TOPIC, Grade.PROBLEM, found, advice)
    if len(walk.void) > DEFAULT_LIMITS.void_lookups:
        advice = "Receivers stop at the third name that does not exist: remove the stale terms."
        return Item(TOPIC, Grade.PROBLEM, found, advice)
    end = walk.end
    if end is not None and end.result is Result.PASS:
        advice = "`+all` lets everybody send for you: end with `-all` or `~all`."
        return Item(TOPIC, Grade.PROBLEM, found, advice)
    if (end is None and not walk.hidden) or (end and end.result is Result.NEUTRAL):
        advice = (
            "Whoever is not named is neutral, which protects nobody: end with `-all` or `~all`."
        )
        return Item(TOPIC, Grade.NOTE, found, advice)
    if walk.has_ptr:
        advice = "Replace `ptr`: it is slow, and RFC 7208 asks not to publish it."
        return Item(TOPIC, Grade.NOTE, found, advice)
    if walk.void:
        names = ", ".join(dict.fromkeys(walk.void))
        advice = (
            f"Nothing is found at {names}: remove the stale terms, of which three are too many."
        )
        return Item(TOPIC, Grade.NOTE, found, advice)
    if walk.terms >= _FEW_LEFT:
        advice = "It holds, with little room: one more service may make it too much."
        return Item(TOPIC, Grade.NOTE, found, advice)
    return Item(TOPIC, Grade.GOOD, found, "Nothing is to be done.")


async def diagnose_sender(domain: str, ip: IpAddress, resolver: Resolver) -> Item:
    """Return what SPF says of mail from `ip` in the name of `domain`."""
    said = await check_spf(ip, Mailbox("postmaster", domain), domain, resolver)
    topic = f"{TOPIC} for {ip}"
    words = [f"{said.result.value}", said.mechanism, said.reason, said.explanation]
    found = (": ".join(word for word in words if word),)
    if said.result is Result.TEMPERROR:
        return unanswered(topic, said.reason)
    if said.result is Result.PASS:
        return Item(topic, Grade.GOOD, found, "This address may send for the domain.")
    if said.result in (Result.FAIL, Result.SOFTFAIL, Result.PERMERROR):
        advice = f"If {ip} sends for the domain, name it in the record; if not, all is well."
        return Item(topic, Grade.PROBLEM, found, advice)
    advice = f"The record does not say whether {ip} may send; receivers will not trust it."
    return Item(topic, Grade.NOTE, found, advice)


def _name(target: MacroString) -> str | None:
    """Return the name that `target` spells; None where macros make it another for each sender."""
    if target.letters:
        return None
    return canonical_name(shortened_name(target.expand({})))
