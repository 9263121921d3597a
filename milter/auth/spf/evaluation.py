"""The check_host() function (RFC 7208 §4): records are followed, questions asked, terms compared.

One object is one evaluation. It asks nothing that the outcome does not depend on: no term past the
limits or past a match, no explanation but that of a fail.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from milter.auth.results import Result
from milter.auth.spf.macros import parse_explanation, shortened_name
from milter.auth.spf.memory import Dependence
from milter.auth.spf.record import Record, Term, is_record, parse_record
from milter.core.errors import ParseError
from milter.dns.names import canonical_name
from milter.dns.resolver import Answer, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.auth.spf.macros import MacroString
    from milter.auth.spf.result import SpfLimits
    from milter.auth.story import Story
    from milter.core.connection import IpAddress
    from milter.dns.resolver import Resolver, Rrtype

# Ten MX names with a TCP answer of thousands of addresses each would be seconds of comparing.
_MAX_ADDRESSES: Final = 100
# Of all records of one evaluation: eleven that are as long as one may be would hold others up.
_MAX_OCTETS: Final = 32_768
_MAX_WORDS: Final = 2_000
# As published. No shorter text has so many macros that it had to be read to its end to be too long.
_MAX_EXPLAIN_STRING: Final = 2_048
_NOTHING: Final = Answer(Outcome.NXDOMAIN)
_UNKNOWN: Final = "unknown"
_SECTIONS: Final = {
    "all": "RFC 7208 §5.1",
    "include": "RFC 7208 §5.2",
    "a": "RFC 7208 §5.3",
    "mx": "RFC 7208 §5.4",
    "ptr": "RFC 7208 §5.5",
    "ip4": "RFC 7208 §5.6",
    "ip6": "RFC 7208 §5.6",
    "exists": "RFC 7208 §5.7",
}
_FREE: Final = frozenset({"all", "ip4", "ip6"})


class TempFailure(Exception):  # noqa: N818 - ends an evaluation, as a result
    """The DNS could not say; the evaluation is a temperror."""


class PermFailure(Exception):  # noqa: N818 - as above
    """The records cannot be followed; the evaluation is a permerror."""


class Sender:
    """Whom an evaluation is about: the values of all macros but d and p (RFC 7208 §7.2).

    Args:
        ip: Address of the client, unmapped and without a scope id.
        local_part: Of the identity; `postmaster` where it has none.
        domain: Of the identity, a `domain_key`.
        helo_name: What the client said.
        receiver: Our own name.
        now: Seconds since 1970.
    """

    __slots__ = ("ip", "local_part", "values")

    def __init__(
        self,
        ip: IpAddress,
        local_part: str,
        domain: str,
        *,
        helo_name: str,
        receiver: str,
        now: int,
    ) -> None:
        self.ip = ip
        self.local_part = local_part
        self.values: dict[str, str] = {
            "s": f"{local_part}@{domain}",
            "l": local_part,
            "o": domain,
            "i": str(ip) if ip.version == 4 else ".".join(f"{int(ip):032X}"),
            "v": "in-addr" if ip.version == 4 else "ip6",
            "h": helo_name,
            "c": str(ip),
            "r": receiver,
            "t": str(now),
        }


class Evaluation:
    """One call of check_host(), with all that it leads to.

    Attributes:
        terms: How many terms asked so far.
        void_lookups: How many questions had no answer so far.
        matched: The term of the first record, or of one that it redirects to, that matched.
        depends_on: What the result depends on.
    """

    __slots__ = (
        "_exp",
        "_limits",
        "_octets",
        "_resolver",
        "_reverse",
        "_sender",
        "_story",
        "_words",
        "depends_on",
        "matched",
        "terms",
        "void_lookups",
    )

    def __init__(
        self, sender: Sender, resolver: Resolver, limits: SpfLimits, story: Story | None
    ) -> None:
        self._sender = sender
        self._resolver = resolver
        self._limits = limits
        self._story = story
        self._exp: tuple[MacroString, str] | None = None
        self._reverse: list[str] | None = None
        self._octets = self._words = 0
        self.terms = 0
        self.void_lookups = 0
        self.matched = ""
        self.depends_on = Dependence()

    async def result(self, domain: str, *, included: bool = False) -> Result:
        """Return what the record of `domain` says.

        Raises:
            TempFailure: The DNS could not say.
            PermFailure: A record is broken, or the limits are used up.
        """
        record = await self._record(domain)
        if record is None:
            return Result.NONE
        self.depends_on.letters |= record.letters
        self.depends_on.by_network &= record.by_network
        for term in record.terms:
            if await self._matches(term, domain):
                return self._found(term, record, domain, included=included)
        if record.redirect is not None:
            return await self._redirected(record.redirect, domain, included=included)
        self._tell("no term matched", "RFC 7208 §4.7")
        return Result.NEUTRAL

    async def explanation(self, most: int) -> str:
        """Return what the domain says of its fail (RFC 7208 §6.2); empty when it says nothing.

        Of more than `most` characters not all may be there.
        """
        if self._exp is None:
            return ""
        target, domain = self._exp
        try:
            name = await self._expanded(target, domain)
            answer = await self._resolver.resolve(name, "TXT") if name else _NOTHING
            if answer.outcome is not Outcome.ANSWER or len(answer.records) != 1:
                return ""
            published = _text(answer.records[0])
            if len(published) > _MAX_EXPLAIN_STRING:
                return ""
            text = parse_explanation(published.decode("ascii"))
            self.depends_on.letters |= text.letters
            return text.expand(await self._values(text, domain), most)
        except (ParseError, UnicodeDecodeError, PermFailure):
            # RFC 7208 §6.2: whatever is wrong with it changes nothing of the result.
            return ""

    def _found(self, term: Term, record: Record, domain: str, *, included: bool) -> Result:
        if not included:
            self.matched = term.text
            # RFC 7208 §6.2: of an included record the explanation is not used.
            self._exp = (record.exp, domain) if record.exp is not None else None
        return term.result

    async def _redirected(self, target: MacroString, domain: str, *, included: bool) -> Result:
        self._count("redirect", "RFC 7208 §6.1")
        name = await self._expanded(target, domain)
        result = await self.result(name, included=included) if name else Result.NONE
        if result is Result.NONE:
            raise PermFailure(f"redirect to {name or 'no name'}, which has no record")
        return result

    async def _record(self, domain: str) -> Record | None:
        """Return the record of `domain` (RFC 7208 §4.4, §4.5); None without one."""
        # RFC 7208 §4.3: a single label has no policy, and is not asked.
        if "." not in domain:
            return None
        answer = await self._asked(domain, "TXT", void=False)
        texts = [text for text in map(_text, answer.records) if is_record(text)]
        if not texts:
            self._tell(f"{domain} has no SPF record", "RFC 7208 §4.5")
            return None
        if len(texts) > 1:
            raise PermFailure(f"{domain} has several SPF records")
        self._octets += len(texts[0])
        self._words += texts[0].count(b" ")
        if self._octets > _MAX_OCTETS or self._words > _MAX_WORDS:
            raise PermFailure(f"the records up to that of {domain} are too long")
        try:
            return parse_record(texts[0])
        except ParseError as err:
            raise PermFailure(f"{domain}: {err.what}") from err

    async def _matches(self, term: Term, domain: str) -> bool:
        if term.name in _FREE:
            matches = self._compares(term)
        else:
            self._count(term.text, "RFC 7208 §4.6.4")
            target = domain if term.target is None else await self._expanded(term.target, domain)
            # RFC 7208 §4.8: what becomes no name matches nothing.
            matches = await (self._asks(term, target) if target else self._nameless(term))
        if self._story is not None:
            verb = "matches" if matches else "does not match"
            self._story.decide(f"{domain}: {term.text} {verb}", _SECTIONS[term.name])
        return matches

    def _compares(self, term: Term) -> bool:
        if term.name == "all":
            return True
        v4 = term.name == "ip4"
        if v4 != (self._sender.ip.version == 4):
            return False
        return self._lies_in(term.network, term.length_v4 if v4 else term.length_v6)

    async def _asks(self, term: Term, target: str) -> bool:
        if term.name == "include":
            return await self._included(target)
        if term.name == "a":
            return await self._leads_here(target, term)
        if term.name == "mx":
            return await self._mail_leads_here(target, term)
        if term.name == "exists":
            # RFC 7208 §5.7: an A record, whatever the family of the client.
            return bool((await self._asked(target, "A")).records)
        return await self._confirmed(target) is not None

    async def _nameless(self, term: Term) -> bool:
        # A name that cannot be has no record either, which of an included one is a mistake; but it
        # is none of the domain's where it is only due to how the sender is called.
        if term.name == "include" and self._sender.local_part.isascii():
            raise PermFailure(f"{term.text} includes no name")
        return False

    async def _included(self, target: str) -> bool:
        result = await self.result(target, included=True)
        if result is Result.NONE:
            raise PermFailure(f"{target} is included and has no SPF record")
        return result is Result.PASS

    async def _leads_here(self, name: str, term: Term) -> bool:
        v4 = self._sender.ip.version == 4
        answer = await self._asked(name, "A" if v4 else "AAAA")
        length = term.length_v4 if v4 else term.length_v6
        # All are compared: the DNS may give them in another order next time.
        compared = [self._lies_in(number, length) for number in _addresses(answer, v4=v4)]
        return any(compared)

    async def _mail_leads_here(self, target: str, term: Term) -> bool:
        answer = await self._asked(target, "MX")
        if len(answer.records) > self._limits.mx_names:
            raise PermFailure(f"{target} has more than {self._limits.mx_names} MX names")
        for record in sorted(answer.records, key=lambda mx: mx[0]):
            name = canonical_name(str(record[-1]))
            if name is not None and await self._leads_here(name, term):
                return True
        return False

    def _lies_in(self, network: int, length: int) -> bool:
        """Compare the client's address, and note how much of it the comparison was about."""
        ip = self._sender.ip
        width = ip.max_prefixlen
        differing = (int(ip) ^ network).bit_length()
        if differing <= width - length:
            bits, lies_in = length, True
        else:
            bits, lies_in = width - differing + 1, False
        self.depends_on.bits = max(self.depends_on.bits, bits)
        return lies_in

    async def _reverse_names(self) -> list[str]:
        """Return the names of the client, not yet confirmed (RFC 7208 §5.5)."""
        if self._reverse is None:
            answer = await self._resolver.resolve(self._sender.ip.reverse_pointer, "PTR")
            if answer.outcome in (Outcome.NXDOMAIN, Outcome.NODATA):
                self._count_void(self._sender.ip.reverse_pointer, "PTR")
            # RFC 7208 §4.6.4: names past the limit are passed over; what failed is no name.
            names = [canonical_name(str(name)) for name in answer.records[: self._limits.ptr_names]]
            self._reverse = [name for name in names if name is not None]
        return self._reverse

    async def _confirmed(self, target: str) -> str | None:
        """Return a name of the client at or below `target` that leads back to it."""
        below = f".{target}"
        names = await self._reverse_names()
        # The name itself first, so that the p macro finds it before what lies below it.
        for name in sorted(names, key=lambda name: name != target):
            if (name == target or name.endswith(below)) and await self._leads_back(name):
                return name
        return None

    async def _leads_back(self, name: str) -> bool:
        # RFC 7208 §5.5: what fails here is passed over, else whoever owns the reverse zone of an
        # address would choose the result. For the same reason it is no void lookup.
        v4 = self._sender.ip.version == 4
        answer = await self._resolver.resolve(name, "A" if v4 else "AAAA")
        return int(self._sender.ip) in _addresses(answer, v4=v4)

    async def _expanded(self, text: MacroString, domain: str) -> str | None:
        """Return the name that `text` becomes; None where it becomes none."""
        if text.letters & {"s", "l"} and not self._sender.local_part.isascii():
            # RFC 8616 §4: a local part outside of ASCII cannot be part of a name.
            return None
        if not text.letters and len(text.pieces) == 1:
            return canonical_name(shortened_name(str(text.pieces[0])))
        values = await self._values(text, domain, counted=True)
        return canonical_name(shortened_name(text.expand(values)))

    async def _values(
        self, text: MacroString, domain: str, *, counted: bool = False
    ) -> dict[str, str]:
        values = {**self._sender.values, "d": domain}
        if "p" in text.letters:
            if counted and self._reverse is None:
                self._count("%{p}", "RFC 7208 §4.6.4")
            values["p"] = await self._client_name(domain)
        return values

    async def _client_name(self, domain: str) -> str:
        """Return the value of the p macro (RFC 7208 §7.3)."""
        if (name := await self._confirmed(domain)) is not None:
            return name
        for name in await self._reverse_names():
            if not name.endswith(f".{domain}") and await self._leads_back(name):
                return name
        return _UNKNOWN

    async def _asked(self, name: str, rrtype: Rrtype, *, void: bool = True) -> Answer:
        answer = await self._resolver.resolve(name, rrtype)
        if answer.outcome.temporary:
            raise TempFailure(f"{answer.outcome.value} for {rrtype} of {name}")
        if void and not answer.records:
            self._count_void(name, rrtype)
        return answer

    def _count(self, what: str, section: str) -> None:
        if self.terms >= self._limits.terms:
            raise PermFailure(f"more than {self._limits.terms} terms that ask the DNS, at {what}")
        self.terms += 1
        self._tell(f"{what}: asks, {self.terms} of {self._limits.terms}", section)

    def _count_void(self, name: str, rrtype: Rrtype) -> None:
        self.void_lookups += 1
        limit = self._limits.void_lookups
        if self.void_lookups > limit:
            raise PermFailure(f"more than {limit} void lookups, the last for {rrtype} of {name}")
        self._tell(f"void lookup, {self.void_lookups} of {limit}", "RFC 7208 §4.6.4")

    def _tell(self, words: str, section: str) -> None:
        if self._story is not None:
            self._story.decide(words, section)


def _text(record: object) -> bytes:
    """Return the strings of a TXT record as one (RFC 7208 §3.3)."""
    return b"".join(record) if isinstance(record, tuple) else b""


def _addresses(answer: Answer, *, v4: bool) -> Iterator[int]:
    family = IPv4Address if v4 else IPv6Address
    for record in answer.records[:_MAX_ADDRESSES]:
        yield int(family(str(record)))
