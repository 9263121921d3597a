"""Whether mail to the reverse path could be answered (RFC 5321 §5.1, RFC 7505).

A domain that takes no mail can have sent none that wants an answer, nor take our bounce. Trouble
with DNS yields nothing here: it is no sign of anything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from milter.checks.base import NOTHING, STRANGERS, Evidence
from milter.core.transaction import Stage
from milter.dns.resolver import Answer, Outcome
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message


class EnvelopeCheck:
    """Whether the domain of the reverse path exists for mail."""

    name = "envelope"
    stage = Stage.MAIL
    directions = STRANGERS
    symbols = frozenset({"SENDER_DOMAIN_MISSING", "SENDER_NULL_MX"})

    async def ask(
        self,
        txn: Transaction,
        message: Message | None,
        resolver: Resolver,
    ) -> Evidence:
        """Return what DNS says of the domain; nothing for the null path and for literals."""
        domain = txn.mail_from.domain_key if txn.mail_from else ""
        if not domain or domain.startswith("["):
            return NOTHING
        mx = await resolver.resolve(domain, "MX")
        if _is_null_mx(mx):
            return Evidence((_finding("SENDER_NULL_MX", domain, "a null MX"),))
        if mx.outcome is Outcome.NXDOMAIN or (
            mx.outcome is Outcome.NODATA and await _has_no_address(domain, resolver)
        ):
            return Evidence((_finding("SENDER_DOMAIN_MISSING", domain, "neither MX nor address"),))
        return NOTHING


def _is_null_mx(answer: Answer) -> bool:
    # RFC 7505 §3: one record with the root as its name. The root beside others means nothing.
    if answer.outcome is not Outcome.ANSWER or len(answer.records) != 1:
        return False
    record = answer.records[0]
    return isinstance(record, tuple) and record[-1] in ("", ".")


async def _has_no_address(domain: str, resolver: Resolver) -> bool:
    # RFC 5321 §5.1: without an MX the domain's own address takes its mail.
    answers = await asyncio.gather(resolver.resolve(domain, "A"), resolver.resolve(domain, "AAAA"))
    return all(answer.outcome in (Outcome.NODATA, Outcome.NXDOMAIN) for answer in answers)


def _finding(symbol: str, domain: str, what: str) -> Finding:
    return Finding(symbol, f"{domain}: {what}", {"domain": domain})
