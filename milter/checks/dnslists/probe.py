"""The test points of a DNS list (RFC 5782 §5): whether it works, and whether it lists the world.

What a list must not list is in the cache of a site's resolver for as long as the list's SOA says,
and tells how the list was. So something is asked beside it that nobody asked before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milter.checks.dnslists.answers import outcome_of, said
from milter.dns.resolver import Outcome
from policies.dnslists import NOT_LISTED_IPV6

if TYPE_CHECKING:
    from milter.dns.resolver import Answer, Resolver
    from policies.dnslists import DnsList


@dataclass(frozen=True, slots=True)
class Probe:
    """How a list answered.

    Attributes:
        listed: What it says of what it must list; None where there is no such name.
        not_listed: What it says of what it must not list; None likewise.
        trouble: What is wrong with it, in words; empty when all is well.
    """

    listed: Answer | None
    not_listed: Answer | None
    trouble: str


async def probe(dns_list: DnsList, resolver: Resolver, chance: bytes) -> Probe:
    """Ask the test points of `dns_list`, all at once; `chance` is twenty random octets.

    Deviation: RFC 5782 §5 wants ::FFFF:7F00:2 in every list of IPv6 addresses; lists that hold them
    and not it are many, so only that ::FFFF:7F00:1 is in none is asked.
    """
    points = dns_list.points
    names = [points.listed, points.not_listed]
    if points.not_listed:
        names.append(_new_name(dns_list, chance))
        if dns_list.content == "addresses" and dns_list.ipv6:
            names.append(NOT_LISTED_IPV6)
    answers = await asyncio.gather(*[_ask(name, dns_list, resolver) for name in names])
    trouble = _why_not_listed(dns_list, answers[0])
    for name, answer in zip(names[1:], answers[1:], strict=True):
        trouble = trouble or _why_listed(dns_list, name, answer)
    return Probe(answers[0], answers[1], trouble)


def _new_name(dns_list: DnsList, chance: bytes) -> str:
    """Return what no list can hold: an address of one's own machine, a hash of nothing, no domain.

    RFC 6761 §6.4: no name below `invalid` is a domain. The lower half of 127.0.0.0/8 is left to
    test points.
    """
    if dns_list.hashed is not None:
        return chance.hex()
    if dns_list.content == "addresses":
        return f"{chance[0]}.{chance[1]}.{chance[2] | 128}.127"
    return f"{chance[:8].hex()}.invalid"


async def _ask(name: str, dns_list: DnsList, resolver: Resolver) -> Answer | None:
    return await resolver.resolve(f"{name}.{dns_list.query_zone}", "A") if name else None


def _why_not_listed(dns_list: DnsList, answer: Answer | None) -> str:
    if answer is None:
        return ""
    if trouble := _refusal(dns_list, answer):
        return trouble
    if answer.outcome is not Outcome.ANSWER:
        return f"it does not list its test point {_shown(dns_list, dns_list.points.listed)}"
    return ""


def _why_listed(dns_list: DnsList, name: str, answer: Answer | None) -> str:
    if answer is None:
        return ""
    if trouble := _refusal(dns_list, answer):
        return trouble
    if answer.outcome is Outcome.ANSWER:
        return f"it lists {_shown(dns_list, name)}, which no list may list: it lists the world"
    return ""


def _refusal(dns_list: DnsList, answer: Answer) -> str:
    told = said(dns_list, "", "", answer)
    outcome = outcome_of(dns_list, told)
    if outcome == "temperror":
        return f"it cannot be asked: {told.trouble}"
    if outcome == "error":
        return f"it refuses us: {', '.join(str(record) for record in answer.records)}"
    return ""


def _shown(dns_list: DnsList, name: str) -> str:
    """Return a test point as people write it."""
    if dns_list.content != "addresses":
        return name
    if name == NOT_LISTED_IPV6:
        return "::ffff:127.0.0.1"
    return ".".join(reversed(name.split(".")))
