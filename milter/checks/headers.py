"""Whether the header is what RFC 5322 §3.6 asks for.

Looks at form alone: who the author claims to be is judged elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from milter.message.charsets import decode_raw
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from policies.facts import FactValue

# RFC 5322 §3.6: at most once each. From and Subject have symbols of their own.
_ONCE: Final = {
    "to": "To",
    "cc": "Cc",
    "reply-to": "Reply-To",
    "sender": "Sender",
    "date": "Date",
    # RFC 2045 §3: readers differ in which of several they take.
    "mime-version": "MIME-Version",
    "content-type": "Content-Type",
    "content-transfer-encoding": "Content-Transfer-Encoding",
}
# RFC 5322 §3.6.4, leniently: quoted parts and odd characters are common, a missing @ is not.
_MESSAGE_ID: Final = re.compile(rb"<[^\s<>@]{1,900}@[^\s<>]{1,900}>")
_SHOWN: Final = 80


class HeadersCheck:
    """Form of the header, and the facts that it yields."""

    name = "headers"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    symbols = frozenset(
        {
            *("FROM_MISSING", "FROM_SEVERAL", "FROM_INVALID", "DATE_MISSING", "DATE_INVALID"),
            *("MESSAGE_ID_MISSING", "MESSAGE_ID_INVALID", "SUBJECT_SEVERAL", "HEADER_DOUBLED"),
            *("HEADER_8BIT", "MESSAGE_ID_SEVERAL"),
        }
    )

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return what is wrong with the form, and the facts subject, author_domain and headers."""
        if message is None:
            return NOTHING
        findings = (
            *_from(message),
            *_date(message),
            *_message_id(message),
            *_several(message),
            *_eight_bit(message),
        )
        counts: dict[str, FactValue] = dict(message.counts)
        domains = message.author_domains
        facts: dict[str, FactValue] = {
            "subject": message.subject,
            "author_domain": domains[0] if domains else "",
            "headers": counts,
        }
        return Evidence(findings, facts)


def _from(message: Message) -> Iterator[Finding]:
    count, authors = message.count("from"), message.authors
    if count == 0:
        # Where it stands past what is read, MESSAGE_LIMIT tells so.
        if not authors.addresses:
            yield Finding("FROM_MISSING")
        return
    if count > 1:
        yield Finding("FROM_SEVERAL", f"{count} From fields")
    # RFC 5322 §3.6.2: at least one mailbox, and each of them one by the grammar.
    if authors.guessed or not authors.addresses:
        yield Finding("FROM_INVALID", _shown(message.values("from")[0]))


def _date(message: Message) -> Iterator[Finding]:
    values = message.values("date")
    if not values:
        if "date" not in message.cut_off:
            yield Finding("DATE_MISSING")
    elif message.date is None:
        yield Finding("DATE_INVALID", _shown(values[0]))


def _message_id(message: Message) -> Iterator[Finding]:
    values = message.values("message-id")
    if not values:
        if "message-id" not in message.cut_off:
            yield Finding("MESSAGE_ID_MISSING")
    elif not _MESSAGE_ID.fullmatch(values[0]):
        yield Finding("MESSAGE_ID_INVALID", _shown(values[0]))
    # Apart from other fields that stand twice: gateways of forums put theirs above the author's.
    if len(values) > 1:
        yield Finding("MESSAGE_ID_SEVERAL", f"{len(values)} Message-ID fields")


def _several(message: Message) -> Iterator[Finding]:
    if (count := message.count("subject")) > 1:
        yield Finding("SUBJECT_SEVERAL", f"{count} Subject fields")
    for name, shown in _ONCE.items():
        if (count := message.count(name)) > 1:
            yield Finding("HEADER_DOUBLED", f"{count} {shown} fields", {"header": shown})


def _eight_bit(message: Message) -> Iterator[Finding]:
    header = message.raw[: message.body_start]
    if header.isascii():
        return
    try:
        # RFC 6532 §3.2 allows UTF-8, and nobody tells us here whether SMTPUTF8 was asked for.
        header.decode("utf-8")
    except UnicodeDecodeError as error:
        yield Finding("HEADER_8BIT", f"byte {header[error.start]:#04x} at offset {error.start}")


def _shown(value: bytes) -> str:
    return decode_raw(value[:_SHOWN])
