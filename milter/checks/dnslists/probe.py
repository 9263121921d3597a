"""The test points of a DNS list (RFC 5782 §5): whether it works, and whether it lists the world."""

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


async def probe(dns_list: DnsList, resolver: Resolver) -> Probe:
    """Ask the test points of `dns_list`, all at once.

    Deviation: RFC 5782 §5 wants ::FFFF:7F00:2 in every list of IPv6 addresses; lists that hold them
    and not it are many, so only that ::FFFF:7F00:1 is in none is asked.
    """
    points = dns_list.points
    names = [points.listed, points.not_listed]
    if dns_list.content == "addresses" and dns_list.ipv6:
        names.append(NOT_LISTED_IPV6)
    answers = await asyncio.gather(*[_ask(name, dns_list, resolver) for name in names])
    listed, not_listed, *wide = answers
    trouble = _why_not_listed(dns_list, listed)
    for answer in (not_listed, *wide):
        trouble = trouble or _why_listed(dns_list, answer)
    return Probe(listed, not_listed, trouble)


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


def _why_listed(dns_list: DnsList, answer: Answer | None) -> str:
    if answer is None:
        return ""
    if trouble := _refusal(dns_list, answer):
        return trouble
    if answer.outcome is Outcome.ANSWER:
        shown = _shown(dns_list, dns_list.points.not_listed)
        return f"it lists {shown}, which no list may list: it lists the world"
    return ""


def _refusal(dns_list: DnsList, answer: Answer) -> str:
    outcome = outcome_of(dns_list, said(dns_list, "", "", answer))
    if outcome == "temperror":
        return f"it cannot be asked: {answer.outcome.value}"
    if outcome == "error":
        return f"it refuses us: {', '.join(str(record) for record in answer.records)}"
    return ""


def _shown(dns_list: DnsList, name: str) -> str:
    """Return a test point as people write it."""
    if dns_list.content != "addresses":
        return name
    return ".".join(reversed(name.split(".")))
