"""The store over a Redis or Valkey server.

Everything has a time to live there, so that the server removes it by itself. When a key expires is
kept beside its value too and compared with the caller's time: clocks differ by some seconds between
machines, and the answer shall not.
"""

from __future__ import annotations

import os
from itertools import groupby
from math import isinf
from typing import TYPE_CHECKING, Any, Final

from reputation.decay import Fading
from reputation.redis import scripts
from reputation.redis.server import Call, Server
from reputation.store import SECRET_BYTES, Add, Append, Entry, Fade, Put, Row, Taken, add_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reputation.redis.server import Argument
    from reputation.store import Drop, Faded, Retention, Search, Write

# A cluster keeps keys with the same text in braces together, so that scripts may use several.
_PREFIX: Final = b"{gatepost}:"
_NO_GUARD: Final = _PREFIX + b"never"
_GUARD_MS: Final = 600_000
# What differs between the clocks of machines.
_SLACK_S: Final = 60.0
_SCAN_COUNT: Final = 1000
# A script holds up the server for as long as it runs.
_ERASED_AT_ONCE: Final = 200
# A server that was emptied tells nobody: as long may processes hash by what it had before.
_SECRETS_KEPT_S: Final = 60.0
_KINDS: Final = (b"e", b"r", b"b", b"f")


class RedisStore:
    """Keeps everything on a server; see `reputation.store.Store`.

    Args:
        server: The server.
        random_bytes: Returns that many random bytes, as `os.urandom` does.
        clock: Seconds since the epoch, for times to live.
    """

    def __init__(
        self,
        server: Server,
        random_bytes: Callable[[int], bytes],
        clock: Callable[[], float],
    ) -> None:
        self._server = server
        self._random_bytes = random_bytes
        self._clock = clock
        # Asked for with nearly every question. They change only where the server lost them.
        self._secrets: dict[str, bytes] = {}
        self._secrets_of = 0
        self._secrets_at = 0.0

    def write(self, batch: Sequence[Write], attempt: bytes = b"") -> None:
        """Do all of `batch` in one transaction."""
        calls = [
            call
            for kind, some in groupby(sorted(batch, key=_order), key=type)
            for call in self._calls(kind, list(some))
        ]
        if calls:
            guard = _PREFIX + b"g:" + (attempt or os.urandom(12))
            for call in calls:
                call.keys = [guard, *call.keys]
            self._server.call_all(calls, guard, _GUARD_MS)

    def put(self, space: str, keys: Sequence[bytes], expires_at: float) -> None:
        """Keep `keys` in `space` until `expires_at`."""
        call = self._put(Put(space, tuple(keys), expires_at))
        call.keys = [_NO_GUARD, *call.keys]
        self._server.call(call)

    def present(self, space: str, keys: Sequence[bytes], now: float) -> frozenset[bytes]:
        """Return those of `keys` that are held and expire after `now`."""
        found = self._values(b"e", space, keys)
        return frozenset(key for key, value in found.items() if float(value) > now)

    def records(self, space: str, keys: Sequence[bytes], now: float) -> Mapping[bytes, bytes]:
        """Return the records of `keys`."""
        cut = {
            key: value.partition(b"\n") for key, value in self._values(b"r", space, keys).items()
        }
        return {key: value for key, (expires, _, value) in cut.items() if float(expires) > now}

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
        arguments: list[Argument] = [now, int(old is not None), old or b""]
        arguments += [int(new is not None), new or b"", expires_at, self._ttl(expires_at)]
        keys = [_name(b"r", space, key)]
        if also is not None:
            keys += _stream(also.stream)
            arguments += _entry_arguments(also)
        return bool(self._server.call(Call(scripts.REPLACE, keys, arguments)))

    def take(self, drops: Sequence[Drop], now: float) -> Taken:
        """Fill all buckets of `drops`, or none."""
        if not drops:
            return Taken(())
        keys = [_name(b"b", drop.space, drop.key) for drop in drops]
        arguments: list[Argument] = [now]
        for drop in drops:
            arguments += [drop.amount, drop.capacity, drop.leak_per_s]
        wait, levels, full = self._server.call(Call(scripts.TAKE, keys, arguments))
        return Taken(tuple(map(float, levels)), tuple(full), float(wait))

    def faded(self, space: str, keys: Sequence[bytes], now: float) -> Mapping[bytes, Faded]:
        """Return the values of `keys` as they are at `now`."""
        found = {}
        for key, kept in self._values(b"f", space, keys).items():
            expires, first, last, half_life, *values = map(float, kept.split())
            if expires > now:
                found[key] = Fading(tuple(values), first, last, half_life).at(now)
        return found

    def follow(self, stream: str, after: int, limit: int) -> Sequence[Entry]:
        """Return entries with numbers above `after`."""
        entries, _, _ = _stream(stream)
        with self._server.answering():
            rows = self._server.client.xrange(entries, min=f"{after + 1}-0", count=limit)
        return [_entry(name, fields) for name, fields in rows]

    def search(self, stream: str, wanted: Search, limit: int) -> Sequence[Entry]:
        """Return entries as `wanted`, the youngest first."""
        entries, times, _ = _stream(stream)
        sets = [times + b":" + word for word in wanted.words] or [times]
        until = "+inf" if isinf(wanted.until) else wanted.until
        arguments: list[Argument] = [wanted.since, until, wanted.before, limit]
        rows = self._server.call(Call(scripts.SEARCH, [entries, *sets], arguments))
        return [_entry(name, dict(zip(flat[::2], flat[1::2], strict=True))) for name, flat in rows]

    def erase(self, stream: str, numbers: Sequence[int]) -> int:
        """Take these entries out of the stream."""
        gone = 0
        wanted = sorted(frozenset(numbers))
        for start in range(0, len(wanted), _ERASED_AT_ONCE):
            arguments: list[Argument] = [*wanted[start : start + _ERASED_AT_ONCE]]
            gone += self._server.call(Call(scripts.ERASE, list(_stream(stream)), arguments))
        return gone

    def trim(self, stream: str, keep: Retention, now: float, limit: int) -> int:
        """Remove what is beyond `keep`."""
        arguments: list[Argument] = [min(limit, _ERASED_AT_ONCE), keep.entries, keep.total_bytes]
        arguments.append(now - keep.age_s)
        return int(self._server.call(Call(scripts.TRIM, _stream(stream), arguments)))

    def newest(self, stream: str) -> int:
        """Return the number of the last entry."""
        with self._server.answering():
            return int(self._server.client.hget(_stream(stream)[2], "last") or 0)

    def sums(self, series: str, first: int, last: int) -> Sequence[Row]:
        """Return the rows of the slots `first` to `last`."""
        index = _PREFIX + b"t:" + series.encode()
        with self._server.answering():
            slots = self._server.client.zrangebyscore(index, first, last)
            pipeline = self._server.client.pipeline(transaction=False)
            for slot in slots:
                pipeline.hgetall(index + b":" + slot)
            hashes = pipeline.execute()
        return [
            row
            for slot, fields in zip(slots, hashes, strict=True)
            for row in _rows(int(slot), fields)
        ]

    def totals(self, series: str, first: int, last: int) -> Mapping[bytes, tuple[int, ...]]:
        """Return the sums over the slots `first` to `last`."""
        return add_rows(self.sums(series, first, last))

    def secret(self, name: str) -> bytes:
        """Return the secret called `name`; the same for all who share the server."""
        client, now = self._server.client, self._clock()
        if not 0 <= now - self._secrets_at < _SECRETS_KEPT_S:
            self._secrets.clear()
            self._secrets_at = now
        kept = self._secrets.get(name)
        if kept and self._secrets_of == self._server.connections:
            return kept
        key = _PREFIX + b"secret:" + name.encode()
        with self._server.answering():
            known = client.get(key)
            if known is None:
                client.set(key, self._random_bytes(SECRET_BYTES), nx=True)
                known = client.get(key)
        if self._secrets_of != self._server.connections:
            self._secrets_of = self._server.connections
            self._secrets.clear()
        self._secrets[name] = bytes(known)
        return self._secrets[name]

    def keys(self, space: str) -> Iterator[bytes]:
        """Give each key of `space`."""
        seen: set[bytes] = set()
        for kind in _KINDS:
            start = _name(kind, space, b"")
            with self._server.answering():
                for name in self._server.client.scan_iter(_literal(start) + b"*", _SCAN_COUNT):
                    key = name[len(start) :]
                    if key not in seen:
                        seen.add(key)
                        yield key

    def forget(self, space: str, keys: Sequence[bytes]) -> int:
        """Remove all that `space` knows of `keys`."""
        with self._server.answering():
            pipeline = self._server.client.pipeline(transaction=True)
            for key in keys:
                pipeline.delete(*[_name(kind, space, key) for kind in _KINDS])
            return sum(removed > 0 for removed in pipeline.execute())

    def expire(self, now: float, limit: int) -> int:
        """Return 0: the server removes what expired by itself."""
        # A store that is closed says so here as everywhere.
        assert self._server.client is not None  # noqa: S101
        return 0

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _calls(self, kind: type[Write], some: Sequence[Any]) -> list[Call]:
        if kind is Put:
            return [self._put(one) for one in some]
        if kind is Append:
            return [_append(one) for one in some]
        return [self._fades(some) if kind is Fade else self._adds(some)]

    def _put(self, new: Put) -> Call:
        keys = [_name(b"e", new.space, key) for key in new.keys]
        return Call(scripts.PUT, keys, [new.expires_at, self._ttl(new.expires_at)])

    def _fades(self, changes: Sequence[Fade]) -> Call:
        keys = [_name(b"f", change.space, change.key) for change in changes]
        arguments: list[Argument] = []
        for one in changes:
            arguments += [one.at, one.half_life_s, one.keep_s, self._ttl(one.at + one.keep_s)]
            arguments += [len(one.amounts), *one.amounts]
        return Call(scripts.FADE, keys, arguments)

    def _adds(self, rows: Sequence[Add]) -> Call:
        keys: list[bytes] = []
        arguments: list[Argument] = []
        for row in rows:
            index = _PREFIX + b"t:" + row.series.encode()
            keys += [index, index + b":%d" % row.slot]
            arguments += [row.slot, row.key, self._ttl(row.expires_at)]
            arguments += [len(row.amounts), *row.amounts]
        return Call(scripts.ADD, keys, arguments)

    def _ttl(self, expires_at: float) -> int:
        """Return milliseconds to live; 0: for ever."""
        if isinf(expires_at):
            return 0
        return max(1, int((expires_at - self._clock() + _SLACK_S) * 1000))

    def _values(self, kind: bytes, space: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        if not keys:
            return {}
        with self._server.answering():
            values = self._server.client.mget([_name(kind, space, key) for key in keys])
        found = zip(keys, values, strict=True)
        return {key: value for key, value in found if value is not None}


def _append(new: Append) -> Call:
    return Call(scripts.APPEND, list(_stream(new.stream)), _entry_arguments(new))


def _entry_arguments(new: Append) -> list[Argument]:
    keep = new.keep
    arguments: list[Argument] = [new.at, new.payload, keep.entries, keep.total_bytes]
    # A stream to which nothing is appended any more goes as a whole.
    arguments += [new.at - keep.age_s, int(keep.age_s * 1000) + 1, *sorted(set(new.words))]
    return arguments


def _order(one: Write) -> int:
    return (Put, Fade, Append, Add).index(type(one))


def _name(kind: bytes, space: str, key: bytes) -> bytes:
    return b"%b%b:%b:%b" % (_PREFIX, kind, space.encode(), key)


def _stream(name: str) -> tuple[bytes, bytes, bytes]:
    """Return the names of its entries, its times, and its numbers."""
    start = b"%bs:%b:" % (_PREFIX, name.encode())
    return start + b"entries", start + b"times", start + b"numbers"


def _entry(name: bytes, fields: Mapping[bytes, bytes]) -> Entry:
    return Entry(int(name.partition(b"-")[0]), float(fields[b"at"]), fields[b"payload"])


def _rows(slot: int, fields: Mapping[bytes, bytes]) -> list[Row]:
    amounts: dict[bytes, list[int]] = {}
    # The first byte of a field is the number of its amount, so that they come in order.
    for field, amount in sorted(fields.items()):
        amounts.setdefault(field[1:], []).append(int(amount))
    return [Row(slot, key, tuple(amounts[key])) for key in sorted(amounts)]


def _literal(text: bytes) -> bytes:
    """Return `text` as a pattern that matches nothing else."""
    return b"".join(b"\\" + bytes([c]) if c in b"*?[]\\" else bytes([c]) for c in text)
