"""Bounces of mail that nobody here sent.

Spam with a forged reverse path comes back to whom it names, once from every server that took it
first and found out later. A real bounce is about a message that one of us sent, and says so: it
brings its header along (RFC 3464 §2, RFC 6522 §3). Memory knows what went out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.checks.base import NOTHING, STRANGERS, Evidence
from milter.core.transaction import Stage
from policies.findings import Finding
from reputation import bounces
from reputation.bounces import Origin
from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.memory.recollection import Recollection
    from milter.message.document import Message

_DAEMONS: Final = frozenset(
    ("mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon", "mdaemon")
)
_REPORT: Final = re.compile(rb"multipart/report\b.{0,200}\bdelivery-status\b", re.I | re.S)
_MARKS: Final = ("x-failed-recipients", "x-mailer-daemon-error")
# The header that a bounce brings along, be it a part of its own or quoted in a text.
_NAMED: Final = re.compile(
    rb"\n[> \t]{0,4}(?:Message-ID:[ \t]{0,4}(?:\r?\n[ \t]{1,8})?<([^<>\s]{1,250})>"
    rb"|X-Gatepost-Id:[ \t]{0,4}([0-9A-Z]{12})\b)",
    re.IGNORECASE,
)
_READ: Final = 262_144
_MOST_NAMES: Final = 20
_SYMBOLS: Final = {
    Origin.OURS: "BOUNCE_OURS",
    Origin.NOT_THEIRS: "BACKSCATTER_MESSAGE",
    Origin.NEVER_SENT: "BACKSCATTER",
}


class BackscatterCheck:
    """Whether a bounce is about mail that its recipient sent.

    Args:
        memory: Where it is remembered who sent what.
    """

    name = "backscatter"
    stage = Stage.MESSAGE
    directions = STRANGERS
    symbols = frozenset({"BOUNCE", *_SYMBOLS.values(), "BACKSCATTER_TEMPERROR"})
    asks = False
    reads: frozenset[str] = frozenset()

    def __init__(self, memory: Recollection) -> None:
        self._memory = memory

    async def combine(
        self, txn: Transaction, message: Message, resolver: Resolver, known: Sequence[Evidence]
    ) -> Evidence:
        """Return BOUNCE and what is known of the message it is about; nothing for other mail."""
        if txn.mail_from is not None or not txn.recipients or not is_bounce(message):
            return NOTHING
        # RFC 5321 §4.5.5: a notification goes to one reverse path.
        ours, names = txn.recipients[0].text, named(message)
        now = self._memory.store.clock()
        bounce = Finding("BOUNCE")
        try:
            origin = await self._memory.store.ask(
                "present", lambda store: bounces.origin(store, ours, names, now)
            )
        except StoreError as err:
            return Evidence((bounce, Finding("BACKSCATTER_TEMPERROR", err.what)))
        symbol = _SYMBOLS.get(origin)
        if symbol is None:
            return Evidence((bounce,))
        return Evidence((bounce, Finding(symbol, _words(origin, ours, names), {"address": ours})))


def is_bounce(message: Message) -> bool:
    """Return whether a message with the null reverse path reports that mail was not delivered."""
    values = message.values("content-type")
    if values and _REPORT.match(values[0]):
        return True
    if any(message.count(mark) for mark in _MARKS):
        return True
    authors = message.authors.addresses
    return bool(authors) and authors[0].local_part.lower() in _DAEMONS


def named(message: Message) -> tuple[str, ...]:
    """Return the ids of the message that a bounce brings along, Message-ID and ours."""
    start = max(message.body_start - 1, 0)
    found = _NAMED.finditer(message.raw, start, start + _READ)
    ids = ((match[1] or match[2]).decode("latin-1") for match in found)
    return tuple(dict.fromkeys(one for one, _ in zip(ids, range(_MOST_NAMES), strict=False)))


def _words(origin: Origin, ours: str, names: Sequence[str]) -> str:
    if origin is Origin.NEVER_SENT:
        return f"{ours} has sent nothing"
    of = f"of {ours}: {names[0]}" if names else f"of {ours}"
    return f"a message {of}" if origin is Origin.OURS else f"no message {of}"
