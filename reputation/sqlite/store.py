"""The store over one connection to the file.

WAL, so that readers and the one writer do not wait for each other. Each write is one transaction
that begins with BEGIN IMMEDIATE: one that begins as a reader and then writes fails with SQLITE_BUSY
at once, whatever the busy timeout says, when another process wrote in between.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from reputation.decay import BUCKET_AHEAD_S, fill, leaked
from reputation.errors import StoreError
from reputation.sqlite import fading, streams, writes
from reputation.sqlite.file import beside, identity_of, leave_to_another, open_file, translated
from reputation.sqlite.schema import EXPIRING, KEYED, VERSION, migrate, version_of
from reputation.store import SECRET_BYTES, SPACE_SHARES, Put, Row

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reputation.store import Append, Drop, Entry, Faded, Retention, Search, Taken, Write

# SQLite allows 32,766 parameters a statement; a message has at most some thousand recipients.
_KEYS_AT_ONCE: Final = 500
_PAGE_BYTES: Final = 4096
# From here on what would expire first makes room.
_NEARLY_FULL: Final = 0.9
_KEYS_A_STEP: Final = 1000
# A short record with its place in the index by time.
_ROW_BYTES: Final = 128


class SqliteStore:
    """Keeps everything in a file; see `reputation.store.Store`.

    Opened after a fork, never before: SQLite's locks do not survive one.

    Args:
        path: The file; it and its folder are made where they are missing, for the owner alone.
        random_bytes: Returns that many random bytes, as `os.urandom` does.
        busy_timeout_s: How long a write waits for another process.
        max_bytes: What the file may grow to; its log beside it comes on top.

    Raises:
        StoreError: The file cannot be opened, is no database, or was written by a newer version.
    """

    def __init__(
        self,
        path: Path,
        random_bytes: Callable[[int], bytes],
        busy_timeout_s: float = 1.0,
        max_bytes: int = 2**30,
    ) -> None:
        self._random_bytes = random_bytes
        self._max_pages = max(max_bytes // _PAGE_BYTES, 100)
        self._lock = threading.Lock()
        # They never change, and are asked for with nearly every question.
        self._secrets: dict[str, bytes] = {}
        self._path = path
        self._connection = open_file(path, busy_timeout_s)
        self._identity = identity_of(path)
        try:
            with translated():
                self._set_up()
            self._beside = beside(path)
        except BaseException:
            self._connection.close()
            raise

    def write(self, batch: Sequence[Write], attempt: bytes = b"") -> None:
        """Do all of `batch` in one transaction; what failed was not done, so it needs no name."""
        with self._writing() as connection:
            writes.do(connection, batch)

    def put(self, space: str, keys: Sequence[bytes], expires_at: float) -> None:
        """Keep `keys` in `space` until `expires_at`; on the disk when this returns."""
        with self._writing(synchronous="FULL") as connection:
            writes.put(connection, Put(space, tuple(keys), expires_at))

    def present(self, space: str, keys: Sequence[bytes], now: float) -> frozenset[bytes]:
        """Return those of `keys` that are held and expire after `now`."""
        return frozenset(self._alive("SELECT key FROM expiring", space, keys, now))

    def records(self, space: str, keys: Sequence[bytes], now: float) -> Mapping[bytes, bytes]:
        """Return the records of `keys`."""
        found = self._alive("SELECT key, value FROM record", space, keys, now)
        return {key: row[0] for key, row in found.items()}

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
        where = "space = ? AND key = ?"
        with self._writing() as connection:
            row = connection.execute(
                f"SELECT value FROM record WHERE {where} AND expires_at > ?",  # noqa: S608 - ours
                (space, key, now),
            ).fetchone()
            if (None if row is None else row[0]) != old:
                return False
            if new is None:
                connection.execute(f"DELETE FROM record WHERE {where}", (space, key))  # noqa: S608
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO record (space, key, value, expires_at)"
                    " VALUES (?, ?, ?, ?)",
                    (space, key, new, expires_at),
                )
            if also is not None:
                streams.append(connection, also)
            return True

    def take(self, drops: Sequence[Drop], now: float) -> Taken:
        """Fill all buckets of `drops`, or none."""
        with self._writing() as connection:
            taken = fill(drops, [_level(connection, drop, now) for drop in drops])
            if taken.full:
                # Filled by a clock that was ahead: from now on it runs empty.
                connection.executemany(
                    "UPDATE bucket SET at = ?, expires_at = ? + level / ?"
                    " WHERE space = ? AND key = ? AND at > ?",
                    [
                        (now, now, drop.leak_per_s, drop.space, drop.key, now + BUCKET_AHEAD_S)
                        for drop in drops
                    ],
                )
            else:
                connection.executemany(
                    "INSERT OR REPLACE INTO bucket (space, key, level, at, expires_at)"
                    " VALUES (?, ?, ?, ?, ?)",
                    [
                        (drop.space, drop.key, level, now, now + level / drop.leak_per_s)
                        for drop, level in zip(drops, taken.levels, strict=True)
                    ],
                )
            return taken

    def faded(self, space: str, keys: Sequence[bytes], now: float) -> Mapping[bytes, Faded]:
        """Return the values of `keys` as they are at `now`."""
        found = self._alive(fading.SELECT, space, keys, now)
        return {key: fading.fading_of(*row).at(now) for key, row in found.items()}

    def follow(self, stream: str, after: int, limit: int) -> Sequence[Entry]:
        """Return entries with numbers above `after`."""
        with self._using():
            return streams.follow(self._connection, stream, after, limit)

    def search(self, stream: str, wanted: Search, limit: int) -> Sequence[Entry]:
        """Return entries as `wanted`, the youngest first."""
        with self._using():
            return streams.search(self._connection, stream, wanted, limit)

    def erase(self, stream: str, numbers: Sequence[int]) -> int:
        """Take these entries out of the stream; their bytes are overwritten in the file."""
        with self._overwriting() as connection:
            return streams.erase(connection, stream, numbers)

    def trim(self, stream: str, keep: Retention, now: float, limit: int) -> int:
        """Remove what is beyond `keep`."""
        with self._overwriting() as connection:
            return streams.trim(connection, stream, keep, now, limit)

    def newest(self, stream: str) -> int:
        """Return the number of the last entry."""
        with self._using():
            return streams.newest(self._connection, stream)

    def sums(self, series: str, first: int, last: int) -> Sequence[Row]:
        """Return the rows of the slots `first` to `last`."""
        with self._using():
            rows = self._connection.execute(
                "SELECT slot, key, amounts, a0, a1, a2, a3 FROM total"
                " WHERE series = ? AND slot BETWEEN ? AND ? ORDER BY slot, key",
                (series, first, last),
            )
            return [Row(slot, key, tuple(rest[:used])) for slot, key, used, *rest in rows]

    def totals(self, series: str, first: int, last: int) -> Mapping[bytes, tuple[int, ...]]:
        """Return the sums over the slots `first` to `last`."""
        with self._using():
            rows = self._connection.execute(
                "SELECT key, max(amounts), sum(a0), sum(a1), sum(a2), sum(a3) FROM total"
                " WHERE series = ? AND slot BETWEEN ? AND ? GROUP BY key",
                (series, first, last),
            )
            return {key: tuple(rest[:used]) for key, used, *rest in rows}

    def secret(self, name: str) -> bytes:
        """Return the secret called `name`; the same in every process that shares the file."""
        if known := self._secrets.get(name):
            return known
        with self._using():
            value = self._read_secret(name)
        if value is not None:
            self._secrets[name] = value
            return value
        made = self._random_bytes(SECRET_BYTES)
        with self._writing(synchronous="FULL") as connection:
            # Where another process was faster, its value stays.
            connection.execute(
                "INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (name, made),
            )
            return self._read_secret(name) or made

    def keys(self, space: str) -> Iterator[bytes]:
        """Give each key of `space`, in steps between which others may write."""
        tables = " UNION ".join(
            f"SELECT key FROM {table} WHERE space = :space AND key > :after"  # noqa: S608 - ours
            for table in KEYED
        )
        after = b""
        while True:
            with self._using():
                rows = self._connection.execute(
                    f"{tables} ORDER BY key LIMIT :limit",
                    {"space": space, "after": after, "limit": _KEYS_A_STEP},
                ).fetchall()
            if not rows:
                return
            yield from (row[0] for row in rows)
            after = rows[-1][0]

    def forget(self, space: str, keys: Sequence[bytes]) -> int:
        """Remove all that `space` knows of `keys`."""
        known = set()
        with self._overwriting() as connection:
            for table in KEYED:
                query = f"DELETE FROM {table} WHERE space = ? AND key = ?"  # noqa: S608 - ours
                known |= {key for key in keys if connection.execute(query, (space, key)).rowcount}
        return len(known)

    def expire(self, now: float, limit: int) -> int:
        """Remove at most `limit` expired rows of each kind; more time passes in a full file."""
        removed = 0
        with self._writing() as connection:
            until = now
            if self._is_nearly_full():
                shrunk = self._shrink(connection, limit)
                removed += shrunk
                until = now if shrunk else max(now, self._cut_off(limit))
            for table in EXPIRING:
                key = "series, slot, key" if table == "total" else "space, key"
                cursor = connection.execute(
                    f"DELETE FROM {table} WHERE ({key}) IN"  # noqa: S608 - names of ours
                    f" (SELECT {key} FROM {table} WHERE expires_at <= ?"
                    " ORDER BY expires_at LIMIT ?)",
                    (until, limit),
                )
                removed += cursor.rowcount
        return removed

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _set_up(self) -> None:
        # Holds only for a file that is still empty.
        self._connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(f"PRAGMA max_page_count = {self._max_pages}")
        # Who only reads opens a file that is up to date while another writes to it.
        if version_of(self._connection) != VERSION:
            with self._writing(synchronous="FULL") as connection:
                migrate(connection)

    def _is_nearly_full(self) -> bool:
        pages, free = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count")
        )
        return bool(pages - free > _NEARLY_FULL * self._max_pages)

    def _shrink(self, connection: sqlite3.Connection, limit: int) -> int:
        """Remove at most `limit` records of each space that is beyond its share; return how many.

        Labels are kept for long, so that all that protects mail would expire before they do.
        """
        removed = 0
        for space, share in SPACE_SHARES.items():
            most = int(share * self._max_pages * _PAGE_BYTES / _ROW_BYTES)
            query = "SELECT count(*) FROM record WHERE space = ?"
            beyond = connection.execute(query, (space,)).fetchone()[0] - most
            removed += connection.execute(
                "DELETE FROM record WHERE space = :space AND key IN (SELECT key FROM record"
                " WHERE space = :space ORDER BY expires_at LIMIT :limit)",
                {"space": space, "limit": min(max(beyond, 0), limit)},
            ).rowcount
        return removed

    def _cut_off(self, limit: int) -> float:
        """Return when those `limit` rows will have expired that expire first of all tables.

        One time for all of them: statistics of a year shall not go for keys that last a day.
        """
        times: list[float] = []
        for table in EXPIRING:
            query = f"SELECT expires_at FROM {table} ORDER BY expires_at LIMIT ?"  # noqa: S608 - ours
            times += [row[0] for row in self._connection.execute(query, (limit,))]
        return max(sorted(times)[:limit], default=float("-inf"))

    def _read_secret(self, name: str) -> bytes | None:
        row = self._connection.execute(
            "SELECT value FROM secret WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def _alive(
        self, select: str, space: str, keys: Sequence[bytes], now: float
    ) -> dict[bytes, tuple[Any, ...]]:
        """Return the columns after the key by key, of rows that are not expired."""
        found: dict[bytes, tuple[Any, ...]] = {}
        if not keys:
            return found
        with self._using():
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                some = keys[start : start + _KEYS_AT_ONCE]
                marks = ",".join("?" * len(some))
                # Only question marks are put into the text.
                query = f"{select} WHERE space = ? AND expires_at > ? AND key IN ({marks})"
                rows = self._connection.execute(query, (space, now, *some))
                found.update((row[0], row[1:]) for row in rows)
        return found

    @contextmanager
    def _using(self) -> Iterator[None]:
        with self._lock, translated():
            # Removed, or set aside by another process: what is written to it nobody would read.
            if self._identity != identity_of(self._path):
                leave_to_another(self._path, self._beside)
                raise StoreError("the file was replaced", temporary=False, reason="gone")
            yield

    @contextmanager
    def _overwriting(self) -> Iterator[sqlite3.Connection]:
        """Give a transaction that leaves nothing of what it removes in the file."""
        with self._using():
            usual = self._connection.execute("PRAGMA secure_delete").fetchone()[0]
            self._connection.execute("PRAGMA secure_delete = ON")
        try:
            with self._writing(synchronous="FULL") as connection:
                yield connection
        finally:
            with self._using():
                self._connection.execute(f"PRAGMA secure_delete = {usual}")
                # The log beside the file is emptied, too, unless somebody reads it just now.
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def _writing(self, synchronous: str = "NORMAL") -> Iterator[sqlite3.Connection]:
        """Give a transaction.

        Who is told 451 comes again and relies on what was written before, so that is synced (FULL);
        of what is only counted the power may take the last batches (NORMAL).
        """
        with self._using():
            self._connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _level(connection: sqlite3.Connection, drop: Drop, now: float) -> float:
    row = connection.execute(
        "SELECT level, at FROM bucket WHERE space = ? AND key = ?", (drop.space, drop.key)
    ).fetchone()
    return 0.0 if row is None else leaked(row[0], now - row[1], drop.leak_per_s)
