"""Whether more comes from one origin than the policy's rates let through at once.

Leaky buckets in the store, shared by all workers and machines. All buckets of a message are filled
in one step, or none of them: mail that one rate holds back does not use up the others.
"""

from __future__ import annotations

from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

from milter.checks import origins
from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from policies.findings import Finding
from reputation.errors import StoreError
from reputation.keys import keyed_hash
from reputation.store import Drop
from reputation.subjects import network_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.core.address import Mailbox
    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.memory.recollection import Recollection
    from milter.message.document import Message
    from policies.rates import By, Rate
    from reputation.store import Store, Taken

_SPACE = "rates"
# Of each rate: a message to more recipients than that is counted for the first ones.
_MOST_BUCKETS = 200


class RateCheck:
    """Fills the buckets of the policy's rates.

    Args:
        memory: Where the buckets are.
        rates: Those that the policies read.
    """

    name = "rate"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    asks = False

    def __init__(self, memory: Recollection, rates: Sequence[Rate]) -> None:
        self._memory = memory
        self._rates = tuple(rates)
        self.symbols = frozenset({"RATE_TEMPERROR", *(rate.symbol for rate in rates)})
        by_author = any("author_domain" in rate.by for rate in rates)
        self.reads = frozenset({"spf", "dkim", "dmarc"} if by_author else ())

    async def combine(
        self, txn: Transaction, message: Message, resolver: Resolver, known: Sequence[Evidence]
    ) -> Evidence:
        """Return the symbol of each rate that is exhausted."""
        author = origins.proven_author(message, known)
        asked = [
            pour
            for rate in self._rates
            for pour in islice(_pours(rate, txn, author), _MOST_BUCKETS)
        ]
        if not asked:
            return NOTHING
        now = self._memory.store.clock()

        def take(store: Store) -> Taken:
            secret = store.secret(_SPACE)
            drops = [
                Drop(
                    _SPACE, keyed_hash(secret, *names), amount, rate.limit, rate.limit / rate.per_s
                )
                for rate, names, amount in asked
            ]
            return store.take(drops, now)

        try:
            taken = await self._memory.store.ask("take", take)
        except StoreError as err:
            return Evidence((Finding("RATE_TEMPERROR", err.what),))
        if not taken.full:
            return NOTHING
        full = {asked[index][0].symbol: asked[index] for index in reversed(taken.full)}
        findings = tuple(_finding(rate, names, taken) for rate, names, _ in full.values())
        return Evidence(findings, {"rate": {"wait_s": float(ceil(taken.wait_s))}})


def _pours(
    rate: Rate, txn: Transaction, author: str
) -> Iterator[tuple[Rate, tuple[bytes, ...], float]]:
    """Yield what `txn` pours into which bucket of `rate`; nothing where it lacks a name."""
    each = any(one.startswith("recipient") for one in rate.by)
    groups: dict[tuple[bytes, ...], int] = {}
    for recipient in txn.recipients if each else txn.recipients[:1]:
        names = [_name(one, txn, recipient, author) for one in rate.by]
        if all(names):
            key = (rate.symbol.encode(), *(name.lower().encode() for name in names))
            groups[key] = groups.get(key, 0) + 1
    for key, recipients in groups.items():
        counted = recipients if each else len(txn.recipients)
        amounts = {"messages": 1, "recipients": counted, "bytes": len(txn.message)}
        yield rate, key, float(amounts[rate.of])


def _name(by: By, txn: Transaction, recipient: Mailbox, author: str) -> str:
    connection = txn.connection
    client = connection.client_ip
    match by:
        case "client":
            return str(client or "")
        case "network":
            return network_of(client) if client is not None else ""
        case "account":
            return connection.account
        case "sender":
            return txn.mail_from.plain if txn.mail_from else "<>"
        case "sender_domain":
            return txn.mail_from.domain_key if txn.mail_from else "<>"
        case "recipient":
            return recipient.plain
        case "recipient_domain":
            return recipient.domain_key
        case "author_domain":
            return author.rpartition("@")[2]


def _finding(rate: Rate, names: Sequence[bytes], taken: Taken) -> Finding:
    whose = " ".join(name.decode(errors="replace") for name in names[1:])
    wait_s = ceil(taken.wait_s)
    evidence = f"{whose}: {rate.limit:g} {rate.of} in {rate.per_s:g} s; room again in {wait_s} s"
    return Finding(rate.symbol, evidence)
