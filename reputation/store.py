"""What a store can do, and the values that go in and come out; `docs/decisions/store.md` says why.

Six kinds of memory, each of them atomic over threads, processes and machines: keys that expire,
records, leaky buckets, fading values, streams, sums. Names of spaces, streams and series are
chosen by who uses them; keys are bytes. Times are seconds since the epoch and are always given.

Methods may block for as long as a disk, a lock or a network takes; who runs an event loop asks
through `milter.memory`. They may be called from several threads. Every failure is a `StoreError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SECRET_BYTES: Final = 32
# Records that are kept for long are the last to make room: no more of a file that is nearly full
# than this part is left to those of a space.
LABELS: Final = "lesson-labels"
SPACE_SHARES: Final = {LABELS: 1 / 8}
# Sums have so many columns in every home.
MAX_AMOUNTS: Final = 4
# Larger than any id that a stream will reach, and exact as a double: Lua knows no other number.
LAST_ID: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Put:
    """Keep keys until a time; a key that is there keeps the later of the two times."""

    space: str
    keys: tuple[bytes, ...]
    expires_at: float


class Fade(NamedTuple):
    """Add to the fading values of a key.

    Attributes:
        space: Where the key lives.
        key: Whose values.
        amounts: What is added, place by place; missing places count as 0.
        at: When it was seen. What comes late counts less, as if it had come in time.
        half_life_s: After it a value is half of what it was; holds from this change on.
        keep_s: How long the key is kept after its last change.
    """

    space: str
    key: bytes
    amounts: tuple[float, ...]
    at: float
    half_life_s: float
    keep_s: float


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of a stream is kept; what is beyond goes when something is appended.

    Attributes:
        entries: At most so many entries.
        total_bytes: At most so many bytes of payload.
        age_s: No entry older than this beside the newest one.
        share: Nor more bytes than this part of what a home with a bound of its own may take: what
            a stream holds makes no room for others.
    """

    entries: int
    total_bytes: int
    age_s: float
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Append:
    """Put an entry at the end of a stream.

    Attributes:
        stream: Its name.
        at: When what it tells happened.
        payload: What it tells.
        words: What it can be found by.
        keep: What is kept of the stream.
    """

    stream: str
    at: float
    payload: bytes
    words: tuple[bytes, ...]
    keep: Retention


class Add(NamedTuple):
    """Add whole numbers to a row of a series.

    Attributes:
        series: A series has one width of slots; who wants several writes several series.
        slot: Number of the slot of time.
        key: What is counted.
        amounts: At most `MAX_AMOUNTS` numbers, place by place.
        expires_at: When the row may go; the latest one said holds.
    """

    series: str
    slot: int
    key: bytes
    amounts: tuple[int, ...]
    expires_at: float


Write = Put | Fade | Append | Add


@dataclass(frozen=True, slots=True)
class Drop:
    """What shall go into a leaky bucket.

    Attributes:
        space: Where the bucket lives.
        key: Which bucket.
        amount: How much. More than the bucket holds fits into an empty one, else nobody could
            ever send it.
        capacity: What the bucket holds.
        leak_per_s: How fast it runs empty; above 0.
    """

    space: str
    key: bytes
    amount: float
    capacity: float
    leak_per_s: float


@dataclass(frozen=True, slots=True)
class Taken:
    """How an attempt to fill buckets ended.

    Attributes:
        levels: Of each bucket, in the order asked, after the attempt.
        full: Numbers of the buckets without room; empty: everything went in.
        wait_s: After so many seconds there would be room in all of them.
    """

    levels: tuple[float, ...]
    full: tuple[int, ...] = ()
    wait_s: float = 0.0


class Faded(NamedTuple):
    """Fading values as they are now.

    Attributes:
        values: Place by place.
        first_at: When the key was first changed.
        last_at: When it was last changed.
    """

    values: tuple[float, ...]
    first_at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a stream.

    Attributes:
        number: Its id: above those of all entries that were there when it came.
        at: When what it tells happened.
        payload: What it tells.
    """

    number: int
    at: float
    payload: bytes


@dataclass(frozen=True, slots=True)
class Search:
    """Which entries of a stream are wanted.

    To go on behind an entry, ask again with its `at` as `until` and its number as `before`.

    Attributes:
        words: All of these.
        since: Not older.
        until: Not younger; an entry of exactly this time only where its number is below `before`.
        before: See `until`.
    """

    words: tuple[bytes, ...] = ()
    since: float = 0.0
    until: float = inf
    before: int = LAST_ID


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a series."""

    slot: int
    key: bytes
    amounts: tuple[int, ...]


class Store(Protocol):
    """Implemented by `sqlite`, by `redis`, and by `memory` for tests and for trying things out."""

    def write(self, batch: Sequence[Write], attempt: bytes = b"") -> None:
        """Do all of `batch` or nothing; what concerns one key happens in the order given.

        With the power the last batches may be lost, but no half of one.

        Args:
            batch: What to do.
            attempt: A name for it. Who does not know whether a batch arrived (the network broke)
                writes it again under the same name within minutes, and it is done once.
        """
        ...

    def put(self, space: str, keys: Sequence[bytes], expires_at: float) -> None:
        """Do what `Put` does; it is on the disk when this returns, where the store has a disk."""
        ...

    def present(self, space: str, keys: Sequence[bytes], now: float) -> frozenset[bytes]:
        """Return those of `keys` that were put into `space` and expire after `now`."""
        ...

    def records(self, space: str, keys: Sequence[bytes], now: float) -> Mapping[bytes, bytes]:
        """Return the records of those of `keys` that have one which expires after `now`."""
        ...

    def replace(
        self,
        space: str,
        key: bytes,
        *,
        old: bytes | None,
        new: bytes | None,
        now: float,
        expires_at: float,
        also: Append | None = None,
    ) -> bool:
        """Make `new` the record of `key` if it is `old` at `now`; return whether it was.

        None is no record: with it as `old` the first one wins, with it as `new` the record goes.
        `also` is appended in the same step: both happen or neither, whatever is killed meanwhile.
        """
        ...

    def take(self, drops: Sequence[Drop], now: float) -> Taken:
        """Fill all buckets of `drops`, or none where one of them has no room."""
        ...

    def faded(self, space: str, keys: Sequence[bytes], now: float) -> Mapping[bytes, Faded]:
        """Return the values, as they are at `now`, of those of `keys` that have any."""
        ...

    def follow(self, stream: str, after: int, limit: int) -> Sequence[Entry]:
        """Return at most `limit` entries with numbers above `after`, the oldest first."""
        ...

    def search(self, stream: str, wanted: Search, limit: int) -> Sequence[Entry]:
        """Return at most `limit` entries as `wanted`, the youngest first."""
        ...

    def erase(self, stream: str, numbers: Sequence[int]) -> int:
        """Take these entries out of the stream for good; return how many were there.

        For what somebody wants forgotten; what grows old goes by `Retention`.
        """
        ...

    def trim(self, stream: str, keep: Retention, now: float, limit: int) -> int:
        """Remove what is beyond `keep`, as appending does; return how many, about `limit` at most.

        For where little or nothing is appended any more, and bounds that were lowered.
        """
        ...

    def newest(self, stream: str) -> int:
        """Return the number of the last entry that was appended; 0 before the first.

        Below what a reader has seen already: the store was lost, and the reader starts again.
        """
        ...

    def sums(self, series: str, first: int, last: int) -> Sequence[Row]:
        """Return the rows of the slots `first` to `last`, both included, sorted."""
        ...

    def totals(self, series: str, first: int, last: int) -> Mapping[bytes, tuple[int, ...]]:
        """Return the sums over the slots `first` to `last`, both included, by key."""
        ...

    def secret(self, name: str) -> bytes:
        """Return the 32 random bytes called `name`; made at the first call, the same ever after."""
        ...

    def keys(self, space: str) -> Iterator[bytes]:
        """Give each key of `space` once: put, recorded, fading or a bucket; for people's questions.

        Those that come or go meanwhile may be given or not; expired ones too.
        """
        ...

    def forget(self, space: str, keys: Sequence[bytes]) -> int:
        """Remove all that `space` knows of `keys`; return of how many something was known."""
        ...

    def expire(self, now: float, limit: int) -> int:
        """Remove at most `limit` of each kind that expired at or before `now`; return how many.

        A store that removes them by itself returns 0. One that is nearly full makes room with
        what would expire first.
        """
        ...

    def close(self) -> None:
        """Give everything back; calling it twice is harmless, any other call afterwards fails."""
        ...


def add_rows(rows: Iterable[Row]) -> dict[bytes, tuple[int, ...]]:
    """Return the sums of `rows` by key: `totals`, where the home cannot add by itself."""
    totals: dict[bytes, tuple[int, ...]] = {}
    for row in rows:
        own = totals.get(row.key)
        totals[row.key] = (
            row.amounts
            if own is None
            else tuple([a + b for a, b in zip_longest(own, row.amounts, fillvalue=0)])
        )
    return totals
