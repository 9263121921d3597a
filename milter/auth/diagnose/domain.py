"""All that is looked at of one domain, in the order in which it should be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.auth.diagnose.records import (
    diagnose_dkim,
    diagnose_dmarc,
    diagnose_mta_sts,
    diagnose_mx,
    diagnose_reverse,
    diagnose_tls_rpt,
)
from milter.auth.diagnose.report import Diagnosis, Grade, Item
from milter.auth.diagnose.sender_policy import diagnose_sender, diagnose_spf
from milter.core.address import domain_key
from milter.dns.resolver import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.core.connection import IpAddress
    from milter.dns.resolver import Answer, Resolver, Rrtype


class _Counting:
    """Asks each question once, and counts them."""

    def __init__(self, inner: Resolver) -> None:
        self._inner = inner
        self._answers: dict[tuple[str, Rrtype], Answer] = {}

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return the answer for `name`; see `Resolver`."""
        key = (name, rrtype)
        if key not in self._answers:
            self._answers[key] = await self._inner.resolve(name, rrtype)
        return self._answers[key]

    def __len__(self) -> int:
        return len(self._answers)


async def diagnose(
    domain: str, resolver: Resolver, ip: IpAddress | None = None, selectors: Sequence[str] = ()
) -> Diagnosis:
    """Return how `domain` stands.

    Args:
        domain: A domain name.
        resolver: Must carry its own deadline.
        ip: An address that sends for the domain; looked at with SPF and reverse DNS.
        selectors: Of DKIM; they cannot be found out from the DNS.
    """
    domain, asked = domain_key(domain), _Counting(resolver)
    if (await asked.resolve(domain, "TXT")).outcome is Outcome.NXDOMAIN:
        # RFC 8020 §2: nothing lies below it either; what else there is to say would mislead.
        return Diagnosis(domain, (_missing(domain),), len(asked))
    items = [await diagnose_spf(domain, asked)]
    if ip is not None:
        items.append(await diagnose_sender(domain, ip, asked))
    items += [await diagnose_dkim(domain, selector, asked) for selector in selectors]
    items.append(await diagnose_dmarc(domain, asked))
    items.append(await diagnose_mx(domain, asked))
    if ip is not None:
        items.append(await diagnose_reverse(ip, asked))
    items.append(await diagnose_mta_sts(domain, asked))
    items.append(await diagnose_tls_rpt(domain, asked))
    return Diagnosis(domain, tuple(items), len(asked))


def _missing(domain: str) -> Item:
    advice = (
        "This domain does not exist. Look at how it is written; if it is new, wait for its zone."
    )
    return Item("domain", Grade.PROBLEM, (f"{domain}: nxdomain",), advice)
