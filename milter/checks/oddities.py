"""What is odd about a header that breaks no rule: dates, ids, subjects and marks of urgency.

Homemade programs that send spam get details wrong which no mail program gets wrong. Most of it is
forbidden by nothing, and weighs little alone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from milter.checks.base import NOTHING, RECEIVED, Evidence
from milter.core.transaction import Stage
from milter.message.addresses import parse_addresses
from milter.message.dates import parse_date
from milter.message.guard import Notes
from milter.message.received import hops_outside
from policies.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milter.core.transaction import Transaction
    from milter.message.document import Message

_AHEAD: Final = timedelta(hours=3)
_BEHIND: Final = timedelta(days=4)
_HOST: Final = re.compile(rb"@([^\s<>@]{1,255})>")
_RAW_ADDRESS: Final = re.compile(rb"\[?\d{1,3}(?:\.\d{1,3}){3}\]?|\[IPv6:[0-9a-f:.]{2,45}\]", re.I)
_MIMEOLE_ID: Final = re.compile(rb"<[0-9a-f]{12}\$[0-9a-f]{8}\$[0-9a-f]{8}@")
# A word at the end that tells copies of one message apart, pushed out of sight.
_TAIL: Final = re.compile(r"\s{5,}(\S{1,60})\Z")
_UNDISCLOSED: Final = re.compile(rb"undisclosed[ -]?recipients?", re.IGNORECASE)
# No name with a quote or bracket in it: what is not simple is not compared.
_ONE_ADDRESS: Final = re.compile(rb"(?:[^<>@,\"]*<)?([^\s<>@,\"]+@[^\s<>@,\"]+)>?")
# Mailboxes whose names are words of subjects.
_ROLE_NAMES: Final = """
abuse account accounts admin billing career careers contact customer customers events hello help
hostmaster hotel info invoice invoices jobs kontakt mail mailer marketing media news newsletter
office order orders payroll post postmaster press privacy purchasing reception root sales school
security service services shop staff students support team user users webmaster welcome work
"""
_ROLES: Final = frozenset(_ROLE_NAMES.split())
_LEAST_MAILBOX: Final = 4
_MOST_NAMED: Final = 5
_MOST_OF_TO: Final = 1000
_MAILBOX: Final = re.compile(r"([^\s<>@,;:\"()]+)@")
# What may stand beside a name that is called.
_AROUND: Final = " \t,;:!?@<>()\"'*-"
_GOES_ON: Final = re.compile(rb"[\w.-]")
_URGENT: Final = re.compile(rb"1\b|urgent\b|highest\b", re.IGNORECASE)
_MICROSOFT: Final = re.compile(rb"(?:produced by )?microsoft", re.IGNORECASE)
_LONG_ENOUGH: Final = 3
_SHOWN: Final = 80


class OdditiesCheck:
    """Oddities of Date, Message-ID, Received, Subject, To and the marks of urgency.

    Args:
        clock: Seconds since 1970.
    """

    name = "oddities"
    stage = Stage.MESSAGE
    directions = RECEIVED
    symbols = frozenset(
        {
            *("DATE_IMPOSSIBLE", "DATE_FUTURE", "DATE_PAST", "MESSAGE_ID_RAW_ADDRESS"),
            *("MESSAGE_ID_RECIPIENT", "MESSAGE_ID_MIMEOLE", "RECEIVED_UNDATED"),
            *("SUBJECT_MISSING", "SUBJECT_EMPTY", "SUBJECT_TAIL", "SUBJECT_ENCODED_NEEDLESSLY"),
            *("SUBJECT_NAMES_MAILBOX", "TO_UNDISCLOSED", "FROM_IS_TO"),
            *("PRIORITY_HIGH", "PRIORITY_WITHOUT_MAILER"),
        }
    )

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return what is odd, or nothing."""
        if message is None:
            return NOTHING
        found = (
            *self._date(txn, message),
            *_message_id(message),
            *_received(txn, message),
            *_subject(message),
            *_called(txn, message),
            *_addressed(message),
            *_priority(message),
        )
        return Evidence(found) if found else NOTHING

    def _date(self, txn: Transaction, message: Message) -> Iterator[Finding]:
        dated = message.date
        if dated is None:
            return
        if dated.impossible:
            yield Finding("DATE_IMPOSSIBLE", dated.impossible)
        taken = _taken(txn, message)
        # Mail that is scanned years later is not late: only a host that had it can say so.
        ahead = dated.moment - (taken or datetime.fromtimestamp(self._clock(), UTC))
        if ahead > _AHEAD:
            yield Finding("DATE_FUTURE", f"{_span(ahead)} after it was sent on")
        elif taken is not None and -ahead > _BEHIND:
            yield Finding("DATE_PAST", f"{_span(-ahead)} before it was sent on")


def _taken(txn: Transaction, message: Message) -> datetime | None:
    """Return when the last host before ours took the message, as it says; None: it does not."""
    values = hops_outside(message.values("received"), txn.connection)
    return parse_date(values[0].rpartition(b";")[2].strip()) if values else None


def _message_id(message: Message) -> Iterator[Finding]:
    values = message.values("message-id")
    host = _HOST.search(values[0]) if values else None
    if host is None:
        return
    shown = values[0][:_SHOWN].decode("latin-1")
    if _RAW_ADDRESS.fullmatch(host[1]):
        yield Finding("MESSAGE_ID_RAW_ADDRESS", shown)
    named = host[1].lower()
    recipients = [value.lower() for value in message.values("to")[:1]]
    authors = {domain.encode("ascii", "replace") for domain in message.author_domains}
    if recipients and _is_at(named, recipients[0]) and named not in authors:
        yield Finding("MESSAGE_ID_RECIPIENT", shown)
    if _MIMEOLE_ID.match(values[0]) and not _names_a_mailer(message):
        yield Finding("MESSAGE_ID_MIMEOLE", shown)


def _is_at(domain: bytes, addresses: bytes) -> bool:
    """Return whether an address is of `domain`, and not of one that only begins like it."""
    behind = addresses.split(b"@" + domain)[1:]
    return any(not _GOES_ON.match(rest) for rest in behind)


def _names_a_mailer(message: Message) -> bool:
    return any(message.count(name) for name in ("x-mailer", "x-mimeole", "user-agent"))


def _received(txn: Transaction, message: Message) -> Iterator[Finding]:
    # RFC 5322 §3.6.7: each has a date, behind a semicolon.
    values = hops_outside(message.values("received"), txn.connection)
    if any(b";" not in value for value in values):
        yield Finding("RECEIVED_UNDATED")


def _subject(message: Message) -> Iterator[Finding]:
    values = message.values("subject")
    subject = message.subject
    if not values:
        if "subject" not in message.cut_off:
            yield Finding("SUBJECT_MISSING")
    elif not subject.strip():
        yield Finding("SUBJECT_EMPTY")
    if tail := _TAIL.search(subject[-_SHOWN:]):
        yield Finding("SUBJECT_TAIL", tail[1])
    plain = subject.isascii() and len(subject) > _LONG_ENOUGH
    # RFC 2047 §1: encoded words are for characters that are not ASCII. A line break or `=?` in the
    # text has to be hidden all the same.
    if plain and values and b"=?" in values[0] and subject.isprintable() and "=?" not in subject:
        yield Finding("SUBJECT_ENCODED_NEEDLESSLY", subject[:_SHOWN])


def _called(txn: Transaction, message: Message) -> Iterator[Finding]:
    """Yield that the subject calls the recipient by the mailbox: the author knows no more.

    On a list it is the list that is named, and who writes the name beside the address knows it.
    """
    subject = message.subject.casefold()
    if not subject or message.count("list-id"):
        return
    written = b"".join(message.values("to")[:1])[:_MOST_OF_TO].decode("utf-8", "replace").casefold()
    reached = [each.local_part.casefold() for each in txn.recipients[:_MOST_NAMED]]
    for mailbox in dict.fromkeys([*reached, *_MAILBOX.findall(written)[:_MOST_NAMED]]):
        telling = len(mailbox) >= _LEAST_MAILBOX and mailbox not in _ROLES
        if telling and _stands_alone(mailbox, subject) and mailbox not in _names_of(message):
            yield Finding("SUBJECT_NAMES_MAILBOX", message.subject[:_SHOWN], {"name": mailbox})
            return


def _names_of(message: Message) -> str:
    """Return the names that stand beside the addresses in To."""
    to = parse_addresses(message.values("to")[:1], Notes(), message.bounds).addresses
    return " ".join([each.display_name for each in to[:_MOST_NAMED]]).casefold()


def _stands_alone(word: str, text: str) -> bool:
    start = text.find(word)
    end = start + len(word)
    return start >= 0 and not (text[start - 1 : start] + text[end : end + 1]).strip(_AROUND)


def _addressed(message: Message) -> Iterator[Finding]:
    values = message.values("to")
    without = not values and not message.count("cc") and not {"to", "cc"} & message.cut_off
    if without or any(map(_UNDISCLOSED.search, values[:1])):
        yield Finding("TO_UNDISCLOSED")
    authors = message.authors.addresses
    # In the simplest form only: who is among several, writes to himself as well. And lists put
    # their own address in the author's place, for DMARC's sake.
    alone = values and authors and not message.count("list-id")
    found = _ONE_ADDRESS.fullmatch(values[0]) if alone else None
    if (
        found
        and found[1].lower() == f"{authors[0].local_part}@{authors[0].domain}".encode().lower()
    ):
        yield Finding("FROM_IS_TO", values[0][:_SHOWN].decode("utf-8", "replace"))


def _priority(message: Message) -> Iterator[Finding]:
    values = [*message.values("x-priority")[:1], *message.values("x-msmail-priority")[:1]]
    if any(_URGENT.match(value) for value in values):
        yield Finding("PRIORITY_HIGH")
    # Only programs of Microsoft write this field, and all of them say who they are.
    says = [*message.values("x-mailer"), *message.values("x-mimeole")]
    if message.count("x-msmail-priority") and not any(map(_MICROSOFT.match, says)):
        yield Finding("PRIORITY_WITHOUT_MAILER")


def _span(time: timedelta) -> str:
    hours = int(time.total_seconds() // 3600)
    return f"{hours} hours" if hours < 2 * 24 else f"{hours // 24} days"
