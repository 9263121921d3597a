"""SPF: may this address send for this domain (RFC 7208).

pyspf evaluates, strictly, with the RFC's limits (§4.6.4: ten terms that ask, two void look-ups, ten
MX and PTR names); the bridge gives it our resolver. This module decides what is asked at all,
bounds what a record may cost, makes the domain's words safe, and turns whatever goes wrong into a
result. It does not decide what a result means for the message.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Final, Literal

import spf

from milter.auth.bridge import ask, run_with_dns
from milter.auth.results import Result
from milter.auth.spf_memory import KnownAnswers
from milter.core.address import domain_key
from milter.core.reply import printable
from milter.dns.names import canonical_name
from milter.dns.resolver import Answer, Outcome

if TYPE_CHECKING:
    from milter.auth.spf_memory import SpfMemory
    from milter.core.address import Mailbox
    from milter.core.connection import IpAddress
    from milter.dns.resolver import Rdata, Resolver, Rrtype

Identity = Literal["mailfrom", "helo"]

# RFC 7208 §4.6.4: at least 20 seconds for a whole evaluation; past them, temperror.
TIMEOUT_S: Final = 20.0
# pyspf searches a term once for each dot in it. A name has 127 labels at most, and no published
# term comes near 512 characters; records beyond 4096 would cost more than they could say.
_MAX_RECORD: Final = 4096
_MAX_TERM: Final = 512
_MAX_DOTS: Final = 127
# An explanation goes into a reply line of 512 octets (RFC 5321 §4.5.3.1.5).
_MAX_EXPLANATION: Final = 480
# Ten MX names with a TCP answer of thousands of addresses each would be seconds of comparing.
_MAX_ADDRESSES: Final = 100

_MODIFIER: Final = re.compile(rb"([A-Za-z][A-Za-z0-9_.-]*)=")
_KNOWN_MODIFIERS: Final = frozenset({b"redirect", b"exp"})
_NO_RECORD: Final = "no record"
_VERSION: Final = re.compile(rb"v=spf1(?: |$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SpfResult:
    """What SPF says.

    Attributes:
        result: One of the seven of RFC 7208 §2.6.
        identity: Which name was checked.
        domain: The domain that was asked, in lower case and A-labels; as given when it is no name.
        explanation: For FAIL, what the domain publishes as its reason: printable ASCII of at most
            480 characters, chosen by the domain's owner; empty when there is none.
        reason: Why there is no better result, in words; empty for pass, fail, softfail, neutral.
        mechanism: The term that matched, such as `-all`; empty when none did.
    """

    result: Result
    identity: Identity
    domain: str
    explanation: str = ""
    reason: str = ""
    mechanism: str = ""


async def check_spf(
    ip: IpAddress,
    mail_from: Mailbox | None,
    helo_name: str,
    resolver: Resolver,
    *,
    receiver: str = "unknown",
    timeout_s: float = TIMEOUT_S,
    memory: SpfMemory | None = None,
) -> SpfResult:
    """Check the MAIL FROM identity (RFC 7208 §2.4).

    Args:
        ip: Address of the client, after PROXY or XCLIENT.
        mail_from: The reverse path; None for `<>`, where postmaster at the HELO name is checked.
        helo_name: What the client said.
        resolver: Its answers are used as they come; nothing is kept here.
        receiver: Our name, for the `r` macro of explanations.
        timeout_s: Seconds for all look-ups together.
        memory: Where results are kept; None: nowhere.
    """
    if mail_from is None or not mail_from.domain:
        return await check_helo(
            ip, helo_name, resolver, receiver=receiver, timeout_s=timeout_s, memory=memory
        )
    domain = mail_from.domain_key
    asked = _Asked(ip, mail_from.local_part, domain, helo_name, "mailfrom", receiver)
    return await _remembered(asked, resolver, timeout_s, memory)


async def check_helo(
    ip: IpAddress,
    helo_name: str,
    resolver: Resolver,
    *,
    receiver: str = "unknown",
    timeout_s: float = TIMEOUT_S,
    memory: SpfMemory | None = None,
) -> SpfResult:
    """Check the HELO identity (RFC 7208 §2.3); arguments as for `check_spf`."""
    asked = _Asked(ip, "postmaster", domain_key(helo_name), helo_name, "helo", receiver)
    return await _remembered(asked, resolver, timeout_s, memory)


def install() -> None:
    """Make pyspf look names up through the bridge; once per process, and again without effect."""
    spf.DNSLookup = _look_up


@dataclass(frozen=True, slots=True)
class _Asked:
    ip: IpAddress
    local_part: str
    domain: str
    helo_name: str
    identity: Identity
    receiver: str


async def _remembered(
    asked: _Asked, resolver: Resolver, timeout_s: float, memory: SpfMemory | None
) -> SpfResult:
    if memory is None:
        return await _check(asked, KnownAnswers(resolver, lambda: 0.0), timeout_s)
    result = memory.find(asked.ip, asked.domain, asked.identity)
    if result is None:
        answers = KnownAnswers(resolver, memory.clock)
        result = await _check(asked, answers, timeout_s)
        # An error may be due to what this one sender wrote, or to a time of ours that ran out.
        if result.result not in (Result.TEMPERROR, Result.PERMERROR):
            memory.keep(asked.ip, result, answers)
    return result


async def _check(asked: _Asked, resolver: Resolver, timeout_s: float) -> SpfResult:
    # RFC 7208 §4.3: a literal, a single label or what is no name has no policy, and is not asked.
    if "." not in asked.domain or canonical_name(asked.domain) is None or asked.domain[0] == "[":
        return SpfResult(Result.NONE, asked.identity, asked.domain, reason="not a domain name")
    install()
    try:
        async with asyncio.timeout(timeout_s):
            # Most HELO names have no record; to find that out takes no evaluation.
            if not _may_have_record(await resolver.resolve(asked.domain, "TXT")):
                return SpfResult(Result.NONE, asked.identity, asked.domain, reason=_NO_RECORD)
            return await run_with_dns(lambda _: _evaluate(asked), resolver)
    except TimeoutError:
        reason = f"no answer from the DNS in {timeout_s:g} seconds"
        return SpfResult(Result.TEMPERROR, asked.identity, asked.domain, reason=reason)
    except Exception as err:  # noqa: BLE001 - hostile records reach pyspf's own asserts
        reason = printable(f"the record cannot be evaluated: {type(err).__name__}")
        return SpfResult(Result.PERMERROR, asked.identity, asked.domain, reason=reason)


def _may_have_record(answer: Answer) -> bool:
    """Return whether pyspf has anything to do; what failed is its business, too."""
    return answer.outcome.temporary or any(
        isinstance(record, tuple) and _VERSION.match(b"".join(record))  # type: ignore[arg-type]
        for record in answer.records
    )


def _evaluate(asked: _Asked) -> SpfResult:
    query = spf.query(
        i=str(_bare(asked.ip)),
        s=f"{asked.local_part}@{asked.domain}",
        h=asked.helo_name,
        receiver=asked.receiver,
        # The whole evaluation has its deadline from us; pyspf's own clock stays out of it.
        querytime=0,
    )
    # pyspf cuts at the first @, which may stand inside a quoted local part.
    query.l, query.o, query.d = asked.local_part, asked.domain, asked.domain
    query.validated_ptrs = partial(_validated_names, query)
    # An empty default tells the domain's own explanation from pyspf's.
    query.set_default_explanation("")
    word, _, text = query.check()
    result = Result(word)
    return SpfResult(
        result,
        asked.identity,
        asked.domain,
        explanation=printable(text)[:_MAX_EXPLANATION] if result is Result.FAIL else "",
        reason=_reason(result, query),
        mechanism=printable(query.mechanism or ""),
    )


def _validated_names(query: Any) -> list[str]:
    """Return the names of the client that lead back to it; a failing look-up is passed over.

    pyspf makes temperror of it, which lets whoever owns the reverse zone of an address choose the
    result (RFC 7208 §5.5).
    """
    names = []
    with suppress(spf.TempError):
        for name in query.dns_ptr(query.i)[: spf.MAX_PTR]:
            with suppress(spf.TempError):
                if query.cidrmatch(query.dns_a(name, query.A), query.cidrmax):
                    names.append(name)
    return names


def _reason(result: Result, query: Any) -> str:
    if result is Result.NONE:
        return _NO_RECORD
    if result in (Result.TEMPERROR, Result.PERMERROR):
        return printable(": ".join([query.prob, *query.mech[:1]]))
    return ""


def _bare(ip: IpAddress) -> IpAddress:
    """Return `ip` without a scope id, which pyspf cannot read (`fe80::1%eth0`)."""
    return IPv6Address(ip.packed) if ip.version == 6 else ip


def _look_up(
    name: str, rrtype: Rrtype, _strict: object = True, _timeout: object = 0
) -> list[tuple[tuple[str, str], object]]:
    """Answer pyspf: pairs of name and type with a record each, none for a void look-up."""
    # RFC 8616 §4: a macro that brings in a local part outside of ASCII matches nothing.
    if not name.isascii():
        return []
    answer = ask(name, rrtype)
    if answer.outcome is Outcome.ANSWER:
        return [((name, rrtype), record) for record in _bounded(rrtype, answer)]
    if answer.outcome.temporary:
        raise spf.TempError(f"{answer.outcome.value} for {rrtype} of {name}")
    return []


def _bounded(rrtype: Rrtype, answer: Answer) -> list[Rdata]:
    if rrtype == "TXT":
        return [_bounded_text(record) for record in answer.records if isinstance(record, tuple)]
    if rrtype in ("A", "AAAA"):
        return list(answer.records[:_MAX_ADDRESSES])
    return list(answer.records)


def _bounded_text(record: tuple[Any, ...]) -> tuple[bytes]:
    text = b"".join(record)
    if _VERSION.match(text):
        _refuse_costly(text)
        text = _with_plain_modifiers(text)
    elif len(text) > _MAX_EXPLANATION:
        # Not a policy and too long to be an explanation; empty, so that the count of records stays.
        text = b""
    return (text,)


def _with_plain_modifiers(text: bytes) -> bytes:
    """Return the record with modifiers as pyspf can read them.

    Their names have no case, and unknown ones may come as often as they like (RFC 7208 §6); pyspf
    knows `redirect` in lower case alone and refuses a second unknown one.
    """
    version, *terms = text.split(b" ")
    for i, term in enumerate(terms):
        if match := _MODIFIER.match(term):
            name = match[1].lower()
            mark = b"" if name in _KNOWN_MODIFIERS else b"_%d" % i
            terms[i] = name + mark + term[match.end(1) :]
    return b" ".join([version, *terms])


def _refuse_costly(text: bytes) -> None:
    terms = text.split(b" ")
    if len(text) > _MAX_RECORD or max(map(len, terms)) > _MAX_TERM:
        raise spf.PermError("the record is too long")
    if max(term.count(b".") for term in terms) > _MAX_DOTS:
        raise spf.PermError("a name in the record has too many labels")
