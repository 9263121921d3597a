"""The way into SPF: what is asked about at all, what is remembered, and what goes wrong.

Whatever happens becomes one of the seven results, with words. What a result means for the message
is not decided here.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

from milter.auth.results import Result
from milter.auth.spf.evaluation import Evaluation, PermFailure, Sender, TempFailure
from milter.auth.spf.memory import KnownAnswers
from milter.auth.spf.result import DEFAULT_LIMITS, Identity, SpfLimits, SpfResult
from milter.auth.story import story_of
from milter.core.address import domain_key
from milter.core.reply import printable
from milter.dns.names import canonical_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.auth.spf.memory import SpfMemory
    from milter.core.address import Mailbox
    from milter.core.connection import IpAddress
    from milter.dns.resolver import Resolver

_POSTMASTER: Final = "postmaster"
# An explanation goes into a reply line of 512 octets (RFC 5321 §4.5.3.1.5).
_MAX_EXPLANATION: Final = 480


@dataclass(frozen=True, slots=True)
class SpfMeans:
    """What SPF is checked with; one for the life of a check.

    Attributes:
        receiver: Our name, for the `r` macro of explanations.
        limits: What one evaluation may cost.
        memory: Where results are kept; None: nowhere.
        wall_clock: Seconds since 1970, for the `t` macro of explanations.
    """

    receiver: str = "unknown"
    limits: SpfLimits = DEFAULT_LIMITS
    memory: SpfMemory | None = None
    wall_clock: Callable[[], float] = field(default=time.time)


DEFAULT_MEANS: Final = SpfMeans()


async def check_spf(
    ip: IpAddress,
    mail_from: Mailbox | None,
    helo_name: str,
    resolver: Resolver,
    means: SpfMeans = DEFAULT_MEANS,
) -> SpfResult:
    """Check the MAIL FROM identity (RFC 7208 §2.4).

    Args:
        ip: Address of the client, after PROXY or XCLIENT.
        mail_from: The reverse path; None for `<>`, where postmaster at the HELO name is checked.
        helo_name: What the client said.
        resolver: Its answers are used as they come.
        means: What is checked with.
    """
    if mail_from is None or not mail_from.domain:
        return await check_helo(ip, helo_name, resolver, means)
    asked = _Asked(_plain(ip), mail_from.local_part, mail_from.domain_key, helo_name, "mailfrom")
    return await _remembered(asked, resolver, means)


async def check_helo(
    ip: IpAddress, helo_name: str, resolver: Resolver, means: SpfMeans = DEFAULT_MEANS
) -> SpfResult:
    """Check the HELO identity (RFC 7208 §2.3); arguments as for `check_spf`."""
    asked = _Asked(_plain(ip), _POSTMASTER, domain_key(helo_name), helo_name, "helo")
    return await _remembered(asked, resolver, means)


def remembered_helo(ip: IpAddress, helo_name: str, memory: SpfMemory) -> SpfResult | None:
    """Return what `check_helo` would return without asking; None where it would ask."""
    return memory.find(_plain(ip), domain_key(helo_name), "helo", helo_name)


@dataclass(frozen=True, slots=True)
class _Asked:
    ip: IpAddress
    local_part: str
    domain: str
    helo_name: str
    identity: Identity


async def _remembered(asked: _Asked, resolver: Resolver, means: SpfMeans) -> SpfResult:
    # Whoever wants to read how a result came about must see it come about.
    memory = None if story_of(resolver) else means.memory
    if memory is None:
        return await _check(asked, resolver, means, None)
    found = memory.find(asked.ip, asked.domain, asked.identity, asked.helo_name)
    return found or await _check(asked, resolver, means, memory)


async def _check(
    asked: _Asked, resolver: Resolver, means: SpfMeans, memory: SpfMemory | None
) -> SpfResult:
    # RFC 7208 §4.3: a literal, a single label or what is no name has no policy, and is not asked.
    if "." not in asked.domain or canonical_name(asked.domain) is None or asked.domain[0] == "[":
        return SpfResult(Result.NONE, asked.identity, asked.domain, reason="not a domain name")
    story = story_of(resolver)
    answers = KnownAnswers(resolver, memory.clock if memory else _no_time)
    sender = Sender(
        asked.ip,
        asked.local_part or _POSTMASTER,
        asked.domain,
        # RFC 8616 §4: a name of a macro is written in A-labels.
        helo_name=asked.helo_name if asked.helo_name.isascii() else domain_key(asked.helo_name),
        receiver=means.receiver,
        now=int(means.wall_clock()),
    )
    evaluation = Evaluation(sender, answers, means.limits, story)
    said = await _evaluated(evaluation, asked, means.limits.timeout_s)
    if story is not None:
        identity = "HELO" if said.identity == "helo" else "MAIL FROM"
        words = f"SPF of {asked.domain} ({identity}) for {asked.ip}: {said.result}"
        story.decide(words, "RFC 7208 §2.6")
    # An error may be due to what this one sender wrote, or to a time of ours that ran out.
    if memory is not None and said.result not in (Result.TEMPERROR, Result.PERMERROR):
        memory.keep(asked.ip, said, asked.helo_name, evaluation.depends_on, answers.hold_until)
    return said


async def _evaluated(evaluation: Evaluation, asked: _Asked, timeout_s: float) -> SpfResult:
    result, explanation, reason = None, "", ""
    try:
        # RFC 7208 §4.6.4: a bound on the time of all of it, too.
        async with asyncio.timeout(timeout_s):
            result = await evaluation.result(asked.domain)
            if result is Result.FAIL:
                explanation = await evaluation.explanation(_MAX_EXPLANATION)
    except TimeoutError:
        # A fail whose explanation does not come is still a fail.
        if result is None:
            result, reason = Result.TEMPERROR, f"no answer from the DNS in {timeout_s:g} seconds"
    except TempFailure as failure:
        result, reason = Result.TEMPERROR, str(failure)
    except PermFailure as failure:
        result, reason = Result.PERMERROR, str(failure)
    if result is Result.NONE:
        reason = "no record"
    return SpfResult(
        result,
        asked.identity,
        asked.domain,
        explanation=_fit(explanation),
        reason=printable(reason),
        mechanism=printable(evaluation.matched),
        terms=evaluation.terms,
        void_lookups=evaluation.void_lookups,
    )


def _fit(explanation: str) -> str:
    # One that is cut could say the contrary of what was meant.
    return printable(explanation) if len(explanation) <= _MAX_EXPLANATION else ""


def _no_time() -> float:
    return 0.0


def _plain(ip: IpAddress) -> IpAddress:
    """Return `ip` without a scope id, and an IPv4 address mapped into IPv6 as itself."""
    if isinstance(ip, IPv6Address):
        # RFC 7208 §5: what is mapped is compared as IPv4.
        return ip.ipv4_mapped or IPv6Address(int(ip))
    return ip
