"""DNS lists asked for the client's address (RFC 5782 §2.1, §2.4).

What an answer means is the policy's table (`policies.dnslists`); a refusal, a dead list or one that
cannot be asked is never a listing. No address that means something only locally leaves our network,
and nobody but the client is asked about.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from milter.checks.base import NOTHING, STRANGERS, Evidence
from milter.checks.networks import LOCAL_NETWORKS
from milter.core.transaction import Stage
from milter.dns.resolver import Outcome
from policies.dnslists import ERROR, DnsList, Listed
from policies.findings import Finding
from policies.ranges import AddressRanges, plain_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.checks.networks import Network
    from milter.core.connection import IpAddress
    from milter.core.transaction import Transaction
    from milter.dns.resolver import Answer, Resolver
    from milter.message.document import Message


class DnsListsCheck:
    """What the DNS lists of the policies say about the client's address.

    Args:
        lists: Those that ask for `client_ip`.
        never_ask: Networks whose addresses no list is asked about.
    """

    name = "dnslists"
    stage = Stage.CONNECT
    directions = STRANGERS

    def __init__(
        self, lists: Sequence[DnsList], never_ask: Sequence[Network] = LOCAL_NETWORKS
    ) -> None:
        self._lists = tuple(lists)
        self._never_ask = AddressRanges.of_networks(never_ask)
        self.symbols = frozenset(
            {"DNS_LIST_UNKNOWN", "DNS_LIST_ERROR", "DNS_LIST_TEMPERROR"}
        ).union(*(dns_list.symbols for dns_list in self._lists))

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Return a finding for each symbol of each list; all lists are asked at once."""
        client = txn.connection.client_ip
        if client is None or client in self._never_ask:
            return NOTHING
        questions = [
            resolver.resolve(query_name(client, dns_list.query_zone), "A")
            for dns_list in self._lists
        ]
        answers = await asyncio.gather(*questions)
        findings: list[Finding] = []
        for dns_list, answer in zip(self._lists, answers, strict=True):
            findings += _findings(dns_list, answer, str(plain_address(client)))
        return Evidence(tuple(findings)) if findings else NOTHING


def query_name(ip: IpAddress, zone: str) -> str:
    """Return the name to look up for `ip` in `zone` (RFC 5782 §2.1, §2.4).

    IPv4 octets, or IPv6 nibbles, are written in reverse order before the zone.

    >>> from ipaddress import IPv4Address
    >>> query_name(IPv4Address("192.0.2.99"), "bl.example")
    '99.2.0.192.bl.example'
    """
    reverse, _, _ = plain_address(ip).reverse_pointer.rsplit(".", 2)
    return f"{reverse}.{zone}"


def _findings(dns_list: DnsList, answer: Answer, client: str) -> list[Finding]:
    details = {"client_ip": client, "zone": dns_list.zone}
    if answer.outcome.temporary:
        evidence = f"{answer.outcome.value} from {dns_list.zone}"
        return [Finding("DNS_LIST_TEMPERROR", evidence, details)]
    if answer.outcome is not Outcome.ANSWER:
        return []
    # RFC 5782 §2.3: a list may hold an address for several reasons, with an answer for each.
    seen: dict[str, list[str]] = {}
    for record in answer.records:
        judged = dns_list.judge(str(record))
        if judged is ERROR:
            # A list that refuses us may say more beside it; none of that is to be believed.
            evidence = f"{record} from {dns_list.zone}"
            return [Finding("DNS_LIST_ERROR", evidence, details)]
        symbols = judged.symbols if isinstance(judged, Listed) else ("DNS_LIST_UNKNOWN",)
        for symbol in symbols:
            seen.setdefault(symbol, []).append(str(record))
    return [
        Finding(symbol, f"{', '.join(records)} from {dns_list.zone}", details)
        for symbol, records in seen.items()
    ]
