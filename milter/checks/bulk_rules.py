"""What large mailbox providers ask of who sends in bulk, and what a bulk mail lacks of it.

Gmail and Yahoo (since February 2024) and Outlook.com (since May 2025) ask senders of 5,000 and
more messages a day for SPF and DKIM, a DMARC record of the author's domain with one of the two
aligned, a name that leads to the client and back, TLS, and one-click unsubscription (RFC 8058).
Whoever sends in bulk to users of these has all of it; who lacks much of it does not. Whether the
sender's connection was encrypted is not judged: behind a mail server it is not ours to see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.checks.base import NOTHING, STRANGERS, Evidence, fact
from milter.checks.bulk import has_one_click, is_bulk
from milter.core.transaction import Stage
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message

_PASS: Final = "pass"  # noqa: S105 - a result, no password
# What was learned; a server that does not answer says nothing of the sender.
_LACKING: Final = frozenset(("none", "fail", "softfail", "neutral", "permerror", "policy"))


class BulkRulesCheck:
    """What bulk mail lacks of the rules of large mailbox providers."""

    name = "bulk_rules"
    stage = Stage.MESSAGE
    directions = STRANGERS
    symbols = frozenset(
        {
            *("BULK_NO_SPF", "BULK_NO_DKIM", "BULK_NO_DMARC", "BULK_NOT_ALIGNED"),
            *("BULK_NO_REVERSE_NAME", "BULK_NO_ONE_CLICK"),
        }
    )
    asks = False
    reads = frozenset({"spf", "dkim", "dmarc", "iprev"})

    async def combine(
        self, txn: Transaction, message: Message, resolver: Resolver, known: Sequence[Evidence]
    ) -> Evidence:
        """Return what is lacking; nothing for mail that is not sent in bulk."""
        if not is_bulk(message):
            return NOTHING
        found = (*_authenticated(known), *_connection(known), *_leaving(message))
        return Evidence(found) if found else NOTHING


def _authenticated(known: Sequence[Evidence]) -> Iterator[Finding]:
    if (spf := _result(known, "spf")) in _LACKING:
        yield Finding("BULK_NO_SPF", f"spf={spf}")
    signatures = fact(known, "dkim")
    results = [
        one.get("result")
        for one in (signatures if isinstance(signatures, list) else ())
        if isinstance(one, dict)
    ]
    if signatures is not None and not {_PASS, "temperror"} & set(results):
        yield Finding("BULK_NO_DKIM", f"{len(results)} signatures, none valid")
    dmarc = fact(known, "dmarc")
    if not isinstance(dmarc, dict):
        return
    domain = str(dmarc.get("domain", ""))
    if dmarc.get("result") == "none":
        yield Finding("BULK_NO_DMARC", f"{domain} has no record", {"domain": domain})
    elif dmarc.get("result") in _LACKING and not dmarc.get("aligned"):
        yield Finding("BULK_NOT_ALIGNED", domain, {"domain": domain})


def _connection(known: Sequence[Evidence]) -> Iterator[Finding]:
    if (iprev := _result(known, "iprev")) in _LACKING:
        yield Finding("BULK_NO_REVERSE_NAME", f"iprev={iprev}")


def _leaving(message: Message) -> Iterator[Finding]:
    if not has_one_click(message):
        yield Finding("BULK_NO_ONE_CLICK")


def _result(known: Sequence[Evidence], name: str) -> str:
    said = fact(known, name)
    return str(said.get("result", "")) if isinstance(said, dict) else ""
