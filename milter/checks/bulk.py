"""Mail to many: lists and newsletters, and whether one gets off them as RFC 8058 has it.

That mail is sent to many says nothing bad of it. Large mailbox providers ask bulk senders for
one-click unsubscription; who sends in bulk without any is told here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.core.transaction import Stage
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.core.transaction import Transaction
    from milter.message.document import Message

# RFC 2369 §3.2 for the angle brackets.
_URI: Final = re.compile(rb"<\s*((?:https?|mailto):[^<>]{1,2000})>", re.IGNORECASE)
_PRECEDENCE: Final = frozenset((b"bulk", b"list", b"junk"))
# Marks of programs that send newsletters.
_CAMPAIGN: Final = ("feedback-id", "x-campaign", "x-campaignid", "x-mailgun-sid", "x-sg-eid")
_READ: Final = 4_000


class BulkCheck:
    """Whether mail is of a list or sent in bulk, and how one unsubscribes."""

    name = "bulk"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset(
        {
            *("BULK_LIST", "BULK_MAIL", "BULK_ONE_CLICK", "BULK_NO_UNSUBSCRIBE"),
            *("BULK_UNSUBSCRIBE_INVALID",),
        }
    )

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return what tells mail to many, or nothing."""
        found = tuple(_seen(message)) if message is not None else ()
        return Evidence(found) if found else NOTHING


def _seen(message: Message) -> Iterator[Finding]:
    # RFC 2919 §2: a list names itself; RFC 2369 §3.4: it says where to post.
    is_list = message.count("list-id") > 0 and (
        message.count("list-post") > 0 or message.count("x-mailman-version") > 0
    )
    if is_list:
        yield Finding("BULK_LIST", message.decoded("list-id")[0][:120])
    unsubscribe = message.values("list-unsubscribe")
    is_bulk = (
        bool(unsubscribe)
        or any(value.lower() in _PRECEDENCE for value in message.values("precedence"))
        or any(message.count(name) for name in _CAMPAIGN)
    )
    if is_bulk and not is_list:
        yield Finding("BULK_MAIL")
    if unsubscribe:
        yield from _unsubscribing(message, unsubscribe)
    elif is_bulk and not is_list:
        yield Finding("BULK_NO_UNSUBSCRIBE")


def _unsubscribing(message: Message, values: list[bytes]) -> Iterator[Finding]:
    uris = [uri.lower() for value in values[:5] for uri in _URI.findall(value[:_READ])]
    if not uris:
        yield Finding("BULK_UNSUBSCRIBE_INVALID", "no address in angle brackets")
        return
    # RFC 8058 §3.1: one HTTPS address, and a field that says what is posted there.
    posted = [value.replace(b" ", b"").lower() for value in message.values("list-unsubscribe-post")]
    if b"list-unsubscribe=one-click" in posted and any(uri[:6] == b"https:" for uri in uris):
        yield Finding("BULK_ONE_CLICK")
