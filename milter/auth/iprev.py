"""Forward-confirmed reverse DNS of the client (RFC 8601 §3, result `policy.iprev`).

The names of an address are chosen by whoever owns the reverse zone; a name counts only when it
leads back. What a missing or false name means for the message is not decided here.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from milter.auth.results import Result
from milter.auth.story import story_of
from milter.dns.resolver import Outcome

if TYPE_CHECKING:
    from milter.core.connection import IpAddress
    from milter.dns.resolver import Answer, Resolver

# RFC 8601 §3: the number of names looked at is bounded, for an attacker may publish thousands.
MAX_NAMES: Final = 10
_MAX_ADDRESSES: Final = 100

# A PTR may hold any octets. What is no host name is not shown as one, nor asked for.
_HOST_NAME: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class IprevResult:
    """What the reverse zone says of an address.

    Attributes:
        result: PASS, FAIL, TEMPERROR or, without any name, PERMERROR (RFC 8601 §2.7.3).
        name: The first name that leads back to the address, in lower case; None without one.
        reverse_name: The first name in the reverse zone, confirmed or not; None without one.
        reason: Why it is no pass, in words.
    """

    result: Result
    name: str | None = None
    reverse_name: str | None = None
    reason: str = ""


async def check_iprev(ip: IpAddress, resolver: Resolver) -> IprevResult:
    """Look up the names of `ip`, and whether one of them leads back to it."""
    said = await _checked(ip, resolver)
    if story := story_of(resolver):
        why = f"{said.name} leads back to {ip}" if said.name else said.reason
        story.decide(f"{said.result}: {why}", "RFC 8601 §2.7.3")
    return said


async def _checked(ip: IpAddress, resolver: Resolver) -> IprevResult:
    address = _unmapped(ip)
    answer = await resolver.resolve(address.reverse_pointer, "PTR")
    if answer.outcome.temporary:
        return IprevResult(Result.TEMPERROR, reason=f"{answer.outcome.value} for the reverse name")
    names = _host_names(answer)
    if not names:
        return IprevResult(Result.PERMERROR, reason="no reverse name")
    return _judge(names, await _confirm(address, names, resolver))


def _judge(names: list[str], confirmed: list[bool | None]) -> IprevResult:
    for name, leads_back in zip(names, confirmed, strict=True):
        if leads_back:
            return IprevResult(Result.PASS, name, names[0])
    if None in confirmed:
        reason = f"no answer for the address of {names[confirmed.index(None)]}"
        return IprevResult(Result.TEMPERROR, None, names[0], reason)
    return IprevResult(Result.FAIL, None, names[0], f"{names[0]} does not lead back")


async def _confirm(ip: IpAddress, names: list[str], resolver: Resolver) -> list[bool | None]:
    """Return for each name whether it leads to `ip`; None where the DNS could not say."""
    if len(names) == 1:
        return [await _leads_to(ip, names[0], resolver)]
    # All at once: ten names on a dead server must not wait for each other.
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_leads_to(ip, name, resolver)) for name in names]
    return [task.result() for task in tasks]


async def _leads_to(ip: IpAddress, name: str, resolver: Resolver) -> bool | None:
    answer = await resolver.resolve(name, "A" if ip.version == 4 else "AAAA")
    if answer.outcome.temporary:
        return None
    return any(ip_address(str(record)) == ip for record in answer.records[:_MAX_ADDRESSES])


def _host_names(answer: Answer) -> list[str]:
    if answer.outcome is not Outcome.ANSWER:
        return []
    names = [str(record).lower() for record in answer.records[:MAX_NAMES]]
    return [name for name in dict.fromkeys(names) if _HOST_NAME.fullmatch(name)]


def _unmapped(ip: IpAddress) -> IpAddress:
    """Return `ip` without a scope id, and an IPv4 address mapped into IPv6 as itself."""
    if isinstance(ip, IPv6Address):
        return ip.ipv4_mapped or IPv6Address(ip.packed)
    return ip
