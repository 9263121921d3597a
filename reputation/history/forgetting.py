"""Somebody is forgotten: every record that names them goes, and every kept message that does.

All records are looked through, for the words of the index are those of the envelope, and a text
anywhere in a record can name somebody. Rarely done, it may take a minute over a million records.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reputation.errors import StoreError
from reputation.history.journal import MESSAGES, STREAM, Journal, secret_of, unzipped
from reputation.history.privacy import hider
from reputation.history.record import unpacked
from reputation.store import LAST_ID, Search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reputation.history.record import Record
    from reputation.store import Entry, Store

_PAGE: Final = 200
_A_LABEL: Final = "xn--"

Read = Callable[[bytes], str]


def _as_it_is(message: bytes) -> str:
    return message.decode("utf-8", "replace")


class Forgotten(NamedTuple):
    """What was erased.

    Attributes:
        records: Of messages.
        messages: Whole messages that were kept.
        unreadable: Records and messages that nobody can read and that were left.
    """

    records: int
    messages: int
    unreadable: int


class _Named:
    """Tells whether a text names somebody: the whole name, not a part of a longer one.

    Args:
        names: Each must be named: mailboxes, domains (with what is below them), addresses.
        secret: Of the hashes that stand for mailboxes where these are hidden.
        read: Returns what a person reads of a message.
    """

    def __init__(self, names: tuple[str, ...], secret: bytes, read: Read) -> None:
        hide = hider(secret).address
        self._read = read
        self._names = [re.compile(_any_spelling(name)) for name in names]
        self._texts = [
            re.compile("|".join([known.pattern, *([re.escape(hide(n))] if "@" in n else [])]))
            for known, n in zip(self._names, names, strict=True)
        ]
        self._raw = [re.compile(known.pattern.encode(), re.ASCII) for known in self._names]

    def record(self, record: Record) -> bool:
        told = "\n".join(
            text for each in fields(record) for text in _texts(getattr(record, each.name))
        ).lower()
        return all(pattern.search(told) for pattern in self._texts)

    def message(self, message: bytes) -> bool:
        told = message.lower()
        if all(pattern.search(told) for pattern in self._raw):
            return True
        read = self._read(message).lower()
        return all(pattern.search(read) for pattern in self._names)


def forget(store: Store, *names: str, read: Read = _as_it_is) -> Forgotten:
    """Erase all that the history has of messages that name all of `names`.

    Args:
        store: Where it is.
        names: Each must be named; domains in A-labels, which are looked for in both alphabets.
        read: Returns what a person reads of a message, whose octets may be encoded.

    Raises:
        StoreError: The store does not answer; what was erased until then stays so.
    """
    named = _Named(tuple(name.lower() for name in names), secret_of(store), read)
    records, with_them, unread = _records(store, named)
    messages, also_unread = _messages(store, named)
    return Forgotten(records, with_them + messages, unread + also_unread)


def _records(store: Store, named: _Named) -> tuple[int, int, int]:
    journal = Journal(store)
    records = messages = unreadable = 0
    for page in _pages(store, STREAM):
        going: list[int] = []
        for entry in page:
            try:
                record = unpacked(entry.payload)
            except StoreError:
                unreadable += 1
                continue
            if named.record(record):
                going.append(entry.number)
                messages += store.erase(MESSAGES, journal.message_numbers(record.txn_id))
        records += store.erase(STREAM, going) if going else 0
    return records, messages, unreadable


def _messages(store: Store, named: _Named) -> tuple[int, int]:
    """Erase messages that name somebody where their records do not."""
    messages = unreadable = 0
    for page in _pages(store, MESSAGES):
        going = []
        for entry in page:
            try:
                if named.message(unzipped(entry.payload)):
                    going.append(entry.number)
            except StoreError:
                unreadable += 1
        messages += store.erase(MESSAGES, going) if going else 0
    return messages, unreadable


def _pages(store: Store, stream: str) -> Iterator[list[Entry]]:
    """Give all entries, the youngest first, some at a time; those given may be erased."""
    search = Search(before=LAST_ID)
    while page := list(store.search(stream, search, _PAGE)):
        yield page
        search = Search(until=page[-1].at, before=page[-1].number)


def _any_spelling(name: str) -> str:
    """Return a pattern of `name` as it is kept, and as people write it."""
    return "|".join(map(_whole, dict.fromkeys((name, _in_own_letters(name)))))


def _in_own_letters(name: str) -> str:
    """Return `name` with U-labels for its A-labels (RFC 5890 §2.3.2.1)."""
    local, at, domain = name.rpartition("@")
    return local + at + ".".join(map(_u_label, domain.split(".")))


def _u_label(label: str) -> str:
    if not label.startswith(_A_LABEL):
        return label
    try:
        return label.removeprefix(_A_LABEL).encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _whole(name: str) -> str:
    """Return a pattern of `name` as a word of its own; of a domain also where it ends a longer one.

    Linear: it has no repetition.
    """
    before = r"(?<![\w.+=-])" if "@" in name else r"(?<![\w:-])"
    if ":" in name:
        # RFC 5321 §4.1.3: as an address stands in Received and HELO.
        before = rf"(?:{before}|(?<=ipv6:))"
    after = r"[\w-]|[.:]\w" if ":" in name else r"[\w-]|\.\w"
    return rf"{before}{re.escape(name)}(?!{after})"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
