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
# Marks of programs that send newsletters. Not those of services that send receipts and resets of
# passwords, too, and mark all of it alike: Feedback-ID, X-SG-EID, X-Mailgun-Sid.
_CAMPAIGN: Final = ("x-campaign", "x-campaignid")
_READ: Final = 4_000
_MOST_FIELDS: Final = 5


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


def is_list(message: Message) -> bool:
    """Return whether a message comes from a mailing list."""
    # RFC 2919 §2: a list names itself; RFC 2369 §3.4: it says where to post.
    return message.count("list-id") > 0 and (
        message.count("list-post") > 0 or message.count("x-mailman-version") > 0
    )


def is_bulk(message: Message) -> bool:
    """Return whether a message is sent to many, and by no mailing list."""
    marked = (
        message.count("list-unsubscribe") > 0
        or (_by_precedence(message) and not _by_a_program(message))
        or any(message.count(name) for name in _CAMPAIGN)
    )
    return marked and not is_list(message)


def _by_precedence(message: Message) -> bool:
    return any(value.lower() in _PRECEDENCE for value in message.values("precedence"))


def _by_a_program(message: Message) -> bool:
    # RFC 3834 §5: an answer of somebody who is away, or a notice. They ask by Precedence that none
    # answers them, and go to one person.
    return any(not value.lower().startswith(b"no") for value in message.values("auto-submitted"))


def has_one_click(message: Message) -> bool:
    """Return whether one gets off by one click.

    RFC 8058 §3.1: one HTTPS address, and a field that says what is posted there.
    """
    posted = [value.replace(b" ", b"").lower() for value in message.values("list-unsubscribe-post")]
    ways = _ways(message)
    return b"list-unsubscribe=one-click" in posted and any(uri[:6] == b"https:" for uri in ways)


def _seen(message: Message) -> Iterator[Finding]:
    if is_list(message):
        yield Finding("BULK_LIST", message.decoded("list-id")[0][:120])
    bulk = is_bulk(message)
    if bulk:
        yield Finding("BULK_MAIL")
    if message.count("list-unsubscribe"):
        if not _ways(message):
            yield Finding("BULK_UNSUBSCRIBE_INVALID", "no address in angle brackets")
        elif has_one_click(message):
            yield Finding("BULK_ONE_CLICK")
    elif bulk:
        yield Finding("BULK_NO_UNSUBSCRIBE")


def _ways(message: Message) -> list[bytes]:
    values = message.values("list-unsubscribe")[:_MOST_FIELDS]
    return [uri.lower() for value in values for uri in _URI.findall(value[:_READ])]
