"""Where records are kept, and how they are found: one stream, each entry with words.

A word is a keyed hash of what it stands for, so that the index tells nobody whom mail was for, and
so that it is short whatever a sender wrote. What was found by words is looked at once more, for two
texts may have the same short hash. What has no word (symbols, listeners) is looked for entry by
entry, the youngest first.
"""

from __future__ import annotations

import hashlib
import heapq
import zlib
from dataclasses import dataclass, replace
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from reputation.errors import StoreError
from reputation.history.privacy import hider
from reputation.history.record import packed, unpacked
from reputation.store import LAST_ID, Append, Retention, Search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reputation.history.record import Record
    from reputation.store import Entry, Store

STREAM: Final = "history"
MESSAGES: Final = "history-messages"
_SECRET: Final = "history"  # noqa: S105 - the name of one
_WORD_BYTES: Final = 8
_MOST_WORDS: Final = 64
# Stands for the recipients of a message for whom there are no words left; none is called so.
_MANY: Final = "*"
_PAGE: Final = 200
_DAY_S: Final = 86_400.0
# Mail compresses about threefold; what unpacks to more than any server takes is none of ours.
_LARGEST: Final = 2**28


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept, and of what.

    Attributes:
        records: Of messages.
        messages: Of whole messages.
        hashed: Whether addresses are kept as hashes, and what quotes the message not at all.
    """

    records: Retention
    messages: Retention
    hashed: bool = False


def retention(*, days: float, entries: int, total_bytes: int) -> Retention:
    """Return how much of a stream is kept, with the time in days."""
    return Retention(entries, total_bytes, days * _DAY_S)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records are wanted: those for which all that is said holds.

    Attributes:
        txn_id: The id of ours.
        sender: Reverse path or author: an address, or a domain.
        recipient: One of the recipients: an address, or a domain.
        message_id: With or without angle brackets.
        queue_id: What the mail server before or behind us calls it.
        client_ip: Address of the client.
        action: What was done.
        symbol: One that was found, by a check or a rule.
        listener: Name of the listener.
        direction: inbound, outbound or internal.
        shadow: A shadow policy that would have done something else.
        since: Not older, in seconds since the epoch.
        until: Younger than this not; `before` says more.
        before: Of those of exactly the time `until` only entries with lower numbers.
    """

    txn_id: str = ""
    sender: str = ""
    recipient: str = ""
    message_id: str = ""
    queue_id: str = ""
    client_ip: str = ""
    action: str = ""
    symbol: str = ""
    listener: str = ""
    direction: str = ""
    shadow: str = ""
    since: float = 0.0
    until: float = inf
    before: int = LAST_ID


class Line(NamedTuple):
    """A record, and the number by which a search goes on behind it (`Wanted.before`)."""

    number: int
    record: Record


class Page(NamedTuple):
    """Some records, and where to go on.

    Attributes:
        lines: The youngest first.
        rest: Wants those behind them; None: there are none.
    """

    lines: list[Line]
    rest: Wanted | None


def secret_of(store: Store) -> bytes:
    """Return what words and addresses are hashed with.

    Raises:
        StoreError: The store does not answer.
    """
    return store.secret(_SECRET)


def append(record: Record, keep: Keep, secret: bytes) -> Append:
    """Return the write that keeps `record`."""
    words = _words(record, secret)
    if keep.hashed:
        record = hider(secret).hide(record)
    return Append(STREAM, record.at, packed(record), words, keep.records)


def append_message(txn_id: str, at: float, message: bytes, keep: Keep, secret: bytes) -> Append:
    """Return the write that keeps the message of a record."""
    payload = zlib.compress(message, level=1)
    return Append(MESSAGES, at, payload, (_word(secret, "txn", txn_id),), keep.messages)


class Journal:
    """Reads the history of a store. Every method may raise `StoreError`.

    Args:
        store: Has it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._secret = secret_of(store)

    def latest(self, limit: int) -> list[Record]:
        """Return the youngest records, the youngest first."""
        return [line.record for line in self.search(Wanted(), limit)]

    def find(self, txn_id: str) -> Record | None:
        """Return the record of a transaction; None: there is none (any more)."""
        for line in self.search(Wanted(txn_id=txn_id), 1):
            return line.record
        return None

    def message(self, txn_id: str) -> bytes | None:
        """Return the message of a transaction; None: it is not kept (any more)."""
        words = (_word(self._secret, "txn", txn_id),)
        for entry in self._store.search(MESSAGES, Search(words), 1):
            return unzipped(entry.payload)
        return None

    def message_numbers(self, txn_id: str) -> list[int]:
        """Return the numbers under which the message of a transaction is kept."""
        words = (_word(self._secret, "txn", txn_id),)
        return [entry.number for entry in self._store.search(MESSAGES, Search(words), _PAGE)]

    def search(self, wanted: Wanted, limit: int) -> list[Line]:
        """Return at most `limit` records as `wanted`, the youngest first."""
        return list(islice(self.each(wanted), limit))

    def page(self, wanted: Wanted, limit: int, looked_at: int) -> Page:
        """Return at most `limit` records as `wanted`, having looked at `looked_at` at most.

        A search for what is rare goes through all that is there: who must not do so for long asks
        for the rest in steps.
        """
        fits = _Fitting(wanted, self._secret)
        lines: list[Line] = []
        for looked, entry in enumerate(self._entries(wanted), 1):
            record = _readable(entry)
            if record is not None and fits(record):
                lines.append(Line(entry.number, record))
            if len(lines) >= limit or looked >= looked_at:
                return Page(lines, replace(wanted, until=entry.at, before=entry.number))
        return Page(lines, None)

    def each(self, wanted: Wanted) -> Iterator[Line]:
        """Give all records as `wanted`, the youngest first; one that cannot be read is left out."""
        fits = _Fitting(wanted, self._secret)
        for entry in self._entries(wanted):
            record = _readable(entry)
            if record is not None and fits(record):
                yield Line(entry.number, record)

    def _entries(self, wanted: Wanted) -> Iterator[Entry]:
        """Give each entry that the words of `wanted` lead to, the youngest first."""
        ways = [self._led_to(wanted)]
        if wanted.recipient:
            ways.append(self._led_to(replace(wanted, recipient=_MANY)))
        last = 0
        for entry in heapq.merge(*ways, key=lambda one: (one.at, one.number), reverse=True):
            if entry.number != last:
                last = entry.number
                yield entry

    def _led_to(self, wanted: Wanted) -> Iterator[Entry]:
        words = tuple(_word(self._secret, *pair) for pair in _asked(wanted))
        search = Search(words, wanted.since, wanted.until, wanted.before)
        while page := self._store.search(STREAM, search, _PAGE):
            yield from page
            search = Search(words, wanted.since, page[-1].at, page[-1].number)


class _Fitting:
    """Whether a record is as wanted; said in full, hashed addresses included."""

    def __init__(self, wanted: Wanted, secret: bytes) -> None:
        self._wanted = wanted
        self._hide = hider(secret)

    def __call__(self, record: Record) -> bool:
        wanted = self._wanted
        return (
            wanted.txn_id in {"", record.txn_id}
            and wanted.action in {"", record.action}
            and wanted.listener in {"", record.listener}
            and wanted.direction in {"", record.direction}
            and (not wanted.client_ip or wanted.client_ip == record.client.get("ip"))
            and (not wanted.queue_id or wanted.queue_id in record.queue_ids)
            and (not wanted.message_id or _bare(wanted.message_id) == _bare(record.message_id))
            and self._among(wanted.sender, [record.mail_from, record.author])
            and self._among(wanted.recipient, record.recipients)
            and (not wanted.symbol or wanted.symbol in symbols_of(record))
            and (not wanted.shadow or any(each.shadow == wanted.shadow for each in record.shadows))
        )

    def _among(self, wanted: str, addresses: list[str]) -> bool:
        if not wanted:
            return True
        key = wanted.lower()
        if "@" not in key:
            return any(each.lower().rpartition("@")[2] == key for each in addresses if each)
        return any(each.lower() == key or each == self._hide.address(key) for each in addresses)


def symbols_of(record: Record) -> frozenset[str]:
    """Return all symbols that checks and rules found."""
    return frozenset(each.symbol for each in (*record.found, *record.ruled))


def _words(record: Record, secret: bytes) -> tuple[bytes, ...]:
    named = dict.fromkeys(
        [
            ("txn", record.txn_id),
            ("action", record.action),
            *(("shadow", each.shadow) for each in record.shadows),
            ("ip", str(record.client.get("ip", ""))),
            ("mid", _bare(record.message_id)),
            *(("queue", each) for each in record.queue_ids),
            *_address_words("from", [record.mail_from, record.author]),
            *_address_words("to", record.recipients),
        ]
    )
    pairs = [pair for pair in named if pair[1]]
    if len(pairs) > _MOST_WORDS:
        pairs[_MOST_WORDS - 1 :] = [("to", _MANY)]
    return tuple([_word(secret, *pair) for pair in pairs])


def _address_words(kind: str, addresses: list[str]) -> Iterator[tuple[str, str]]:
    for address in addresses:
        key = address.lower()
        yield kind, key
        yield kind, key.rpartition("@")[2]


def _asked(wanted: Wanted) -> Iterator[tuple[str, str]]:
    said = (
        ("txn", wanted.txn_id),
        ("mid", _bare(wanted.message_id)),
        ("queue", wanted.queue_id),
        ("from", wanted.sender.lower()),
        ("to", wanted.recipient.lower()),
        ("ip", wanted.client_ip),
        ("action", wanted.action),
        ("shadow", wanted.shadow),
    )
    return (pair for pair in said if pair[1])


def _word(secret: bytes, kind: str, text: str) -> bytes:
    told = f"{kind}:{text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(told, key=secret, digest_size=_WORD_BYTES).digest()


def _bare(message_id: str) -> str:
    return message_id.strip().removeprefix("<").removesuffix(">")


def _readable(entry: Entry) -> Record | None:
    try:
        return unpacked(entry.payload)
    except StoreError:
        return None


def unzipped(payload: bytes) -> bytes:
    """Return a message that was kept.

    Raises:
        StoreError: It cannot be read.
    """
    try:
        return zlib.decompressobj().decompress(payload, _LARGEST)
    except zlib.error as err:
        raise StoreError("a kept message that cannot be read", temporary=False) from err
