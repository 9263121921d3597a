"""A store that forgets when the process ends: for tests, and for trying things out."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

from reputation.decay import BUCKET_AHEAD_S, Fading, add_fading, fill, leaked
from reputation.errors import StoreError
from reputation.store import SECRET_BYTES, Add, Append, Entry, Fade, Put, Row, add_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reputation.store import Drop, Faded, Retention, Search, Taken, Write

_Key = tuple[str, bytes]
K = TypeVar("K")
T = TypeVar("T")


@dataclass(slots=True)
class _Stream:
    last: int = 0
    total_bytes: int = 0
    entries: deque[tuple[Entry, frozenset[bytes]]] = field(default_factory=deque)

    def append(self, new: Append) -> None:
        self.last += 1
        self.entries.append((Entry(self.last, new.at, new.payload), frozenset(new.words)))
        self.total_bytes += len(new.payload)
        self.trim(new.keep, new.at)

    def trim(self, keep: Retention, now: float) -> int:
        before = len(self.entries)
        while self.entries and self._too_much(keep, now):
            self.total_bytes -= len(self.entries.popleft()[0].payload)
        return before - len(self.entries)

    def erase(self, numbers: frozenset[int]) -> int:
        kept = deque(pair for pair in self.entries if pair[0].number not in numbers)
        erased = len(self.entries) - len(kept)
        self.entries = kept
        self.total_bytes = sum(len(entry.payload) for entry, _ in kept)
        return erased

    def _too_much(self, keep: Retention, newest_at: float) -> bool:
        return (
            len(self.entries) > keep.entries
            or self.total_bytes > keep.total_bytes
            or self.entries[0][0].at < newest_at - keep.age_s
        )


class MemoryStore:
    """Keeps everything in dictionaries; see `reputation.store.Store`.

    Args:
        random_bytes: Returns that many random bytes, as `os.urandom` does.
        max_keys: Keys of each kind held at once; past them those that would expire first make room.
    """

    def __init__(self, random_bytes: Callable[[int], bytes], max_keys: int = 100_000) -> None:
        self._random_bytes = random_bytes
        self._max_keys = max_keys
        # Each kind: value and time of expiry by space and key.
        self._put: dict[_Key, tuple[None, float]] = {}
        self._records: dict[_Key, tuple[bytes, float]] = {}
        self._buckets: dict[_Key, tuple[tuple[float, float], float]] = {}
        self._fading: dict[_Key, tuple[Fading, float]] = {}
        self._sums: dict[tuple[str, int, bytes], tuple[tuple[int, ...], float]] = {}
        self._streams: dict[str, _Stream] = {}
        self._secrets: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._closed = False

    def write(self, batch: Sequence[Write], attempt: bytes = b"") -> None:
        """Do all of `batch`; what failed was not done, so `attempt` is not needed."""
        with self._open():
            for one in batch:
                match one:
                    case Put():
                        self._do_put(one)
                    case Fade():
                        self._do_fade(one)
                    case Append():
                        self._do_append(one)
                    case Add():
                        self._do_add(one)
            _make_room(self._put, self._max_keys)
            _make_room(self._fading, self._max_keys)
            _make_room(self._sums, self._max_keys)

    def put(self, space: str, keys: Sequence[bytes], expires_at: float) -> None:
        """Keep `keys` in `space` until `expires_at`."""
        self.write([Put(space, tuple(keys), expires_at)])

    def present(self, space: str, keys: Sequence[bytes], now: float) -> frozenset[bytes]:
        """Return those of `keys` that are held and expire after `now`."""
        with self._open():
            return frozenset(_alive(self._put, space, keys, now))

    def records(self, space: str, keys: Sequence[bytes], now: float) -> Mapping[bytes, bytes]:
        """Return the records of `keys`."""
        with self._open():
            return _alive(self._records, space, keys, now)

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
        """Make `new` the record of `key` if it is `old`, and append `also`."""
        with self._open():
            if _alive(self._records, space, [key], now).get(key) != old:
                return False
            if new is None:
                self._records.pop((space, key), None)
            else:
                self._records[space, key] = (new, expires_at)
                _make_room(self._records, self._max_keys)
            if also is not None:
                self._do_append(also)
            return True

    def take(self, drops: Sequence[Drop], now: float) -> Taken:
        """Fill all buckets of `drops`, or none."""
        with self._open():
            levels = [self._level(drop, now) for drop in drops]
            taken = fill(drops, levels)
            for drop, level in zip(drops, levels, strict=True) if taken.full else ():
                kept = self._buckets.get((drop.space, drop.key))
                if kept is not None and kept[0][1] > now + BUCKET_AHEAD_S:
                    empty_at = now + level / drop.leak_per_s
                    self._buckets[drop.space, drop.key] = ((level, now), empty_at)
            if not taken.full:
                for drop, level in zip(drops, taken.levels, strict=True):
                    empty_at = now + level / drop.leak_per_s
                    self._buckets[drop.space, drop.key] = ((level, now), empty_at)
                _make_room(self._buckets, self._max_keys)
            return taken

    def faded(self, space: str, keys: Sequence[bytes], now: float) -> Mapping[bytes, Faded]:
        """Return the values of `keys` as they are at `now`."""
        with self._open():
            found = _alive(self._fading, space, keys, now)
            return {key: fading.at(now) for key, fading in found.items()}

    def follow(self, stream: str, after: int, limit: int) -> Sequence[Entry]:
        """Return entries with numbers above `after`."""
        with self._open():
            entries = self._streams.get(stream, _Stream()).entries
            return [entry for entry, _ in entries if entry.number > after][:limit]

    def search(self, stream: str, wanted: Search, limit: int) -> Sequence[Entry]:
        """Return entries as `wanted`, the youngest first."""
        words, end = frozenset(wanted.words), (wanted.until, wanted.before)
        with self._open():
            found = [
                entry
                for entry, its_words in self._streams.get(stream, _Stream()).entries
                if wanted.since <= entry.at
                and (entry.at, entry.number) < end
                and words <= its_words
            ]
        return sorted(found, key=lambda entry: (entry.at, entry.number), reverse=True)[:limit]

    def erase(self, stream: str, numbers: Sequence[int]) -> int:
        """Take these entries out of the stream."""
        with self._open():
            kept = self._streams.get(stream)
            return kept.erase(frozenset(numbers)) if kept else 0

    def trim(self, stream: str, keep: Retention, now: float, limit: int) -> int:
        """Remove what is beyond `keep`, all at once."""
        with self._open():
            kept = self._streams.get(stream)
            return kept.trim(keep, now) if kept else 0

    def newest(self, stream: str) -> int:
        """Return the number of the last entry."""
        with self._open():
            return self._streams.get(stream, _Stream()).last

    def sums(self, series: str, first: int, last: int) -> Sequence[Row]:
        """Return the rows of the slots `first` to `last`."""
        with self._open():
            return [
                Row(slot, key, amounts)
                for (its, slot, key), (amounts, _) in sorted(self._sums.items())
                if its == series and first <= slot <= last
            ]

    def totals(self, series: str, first: int, last: int) -> Mapping[bytes, tuple[int, ...]]:
        """Return the sums over the slots `first` to `last`."""
        return add_rows(self.sums(series, first, last))

    def secret(self, name: str) -> bytes:
        """Return the secret called `name`."""
        with self._open():
            if name not in self._secrets:
                self._secrets[name] = self._random_bytes(SECRET_BYTES)
            return self._secrets[name]

    def keys(self, space: str) -> Iterator[bytes]:
        """Give each key of `space`."""
        with self._open():
            found = {key for kind in self._kinds() for its, key in kind if its == space}
        yield from sorted(found)

    def forget(self, space: str, keys: Sequence[bytes]) -> int:
        """Remove all that `space` knows of `keys`."""
        known = set()
        with self._open():
            for kind in self._kinds():
                known |= {key for key in keys if kind.pop((space, key), None) is not None}
        return len(known)

    def expire(self, now: float, limit: int) -> int:
        """Remove at most `limit` expired keys of each kind."""
        removed = 0
        with self._open():
            for kind in self._kinds():
                removed += _expire(kind, now, limit)
            removed += _expire(self._sums, now, limit)
        return removed

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._closed = True
            for kind in self._kinds():
                kind.clear()
            self._sums.clear()
            self._streams.clear()
            self._secrets.clear()

    def _do_put(self, new: Put) -> None:
        for key in new.keys:
            _, known = self._put.get((new.space, key), (None, new.expires_at))
            self._put[new.space, key] = (None, max(known, new.expires_at))

    def _do_fade(self, change: Fade) -> None:
        known, _ = self._fading.get((change.space, change.key), (None, 0.0))
        fading = add_fading(known, change)
        self._fading[change.space, change.key] = (fading, fading.last_at + change.keep_s)

    def _do_append(self, new: Append) -> None:
        self._streams.setdefault(new.stream, _Stream()).append(new)

    def _do_add(self, new: Add) -> None:
        row = (new.series, new.slot, new.key)
        amounts, expires_at = self._sums.get(row, ((), new.expires_at))
        both = zip_longest(amounts, new.amounts, fillvalue=0)
        self._sums[row] = (tuple([a + b for a, b in both]), max(expires_at, new.expires_at))

    def _level(self, drop: Drop, now: float) -> float:
        (level, at), _ = self._buckets.get((drop.space, drop.key), ((0.0, now), now))
        return leaked(level, now - at, drop.leak_per_s)

    def _kinds(self) -> tuple[dict[_Key, tuple[Any, float]], ...]:
        return (self._put, self._records, self._buckets, self._fading)

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed", temporary=False, reason="gone")
            yield


def _alive(
    kind: Mapping[_Key, tuple[T, float]], space: str, keys: Sequence[bytes], now: float
) -> dict[bytes, T]:
    found = ((key, kind.get((space, key))) for key in keys)
    return {key: held[0] for key, held in found if held is not None and held[1] > now}


def _expire(kind: dict[K, tuple[T, float]], now: float, limit: int) -> int:
    old = [key for key, (_, expires_at) in kind.items() if expires_at <= now][:limit]
    for key in old:
        del kind[key]
    return len(old)


def _make_room(kind: dict[K, tuple[T, float]], most: int) -> None:
    surplus = len(kind) - most
    if surplus > 0:
        for key in sorted(kind, key=lambda key: kind[key][1])[:surplus]:
            del kind[key]
