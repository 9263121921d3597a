"""A store in one SQLite file, shared by the workers of one machine.

WAL, so that readers and the one writer do not wait for each other. Each write is one transaction
that begins with BEGIN IMMEDIATE: one that begins as a reader and then writes fails with SQLITE_BUSY
at once, whatever the busy timeout says, when another process wrote in between.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SECRET_BYTES: Final = 32
# SQLite allows 32,766 parameters a statement; a message has at most some thousand recipients.
_KEYS_AT_ONCE: Final = 500
_PRESENT: Final = "SELECT key FROM expiring WHERE space = ? AND expires_at > ? AND key IN"

# The header of a database file, and where it keeps the number that `PRAGMA user_version` gives
# (https://sqlite.org/fileformat2.html, 1.3).
_MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_USER_VERSION: Final = slice(60, 64)

# Each entry brings the file from the version of its index to the next; entries are only ever added.
_MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE expiring (
            space TEXT NOT NULL, key BLOB NOT NULL, expires_at REAL NOT NULL,
            PRIMARY KEY (space, key)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX expiring_by_time ON expiring (expires_at)",
        "CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    ),
)


class SqliteStore:
    """Keeps keys in a file; see `reputation.store.Store`.

    Opened after a fork, never before: SQLite's locks do not survive one.

    Args:
        path: The file; it and its folder are made where they are missing, for the owner alone.
        random_bytes: Returns that many random bytes, as `os.urandom` does.
        busy_timeout_s: How long a write waits for another process.

    Raises:
        StoreError: The file cannot be opened, is no database, or was written by a newer version.
    """

    def __init__(
        self, path: Path, random_bytes: Callable[[int], bytes], busy_timeout_s: float = 1.0
    ) -> None:
        self._random_bytes = random_bytes
        self._lock = threading.Lock()
        self._connection = _open(path, busy_timeout_s)
        try:
            with _translated():
                self._set_up()
        except BaseException:
            self._connection.close()
            raise

    def put(self, space: str, keys: Sequence[bytes], expires_at: float) -> None:
        """Keep `keys` in `space` until `expires_at`; on the disk when this returns."""
        with self._writing() as connection:
            connection.executemany(
                "INSERT INTO expiring (space, key, expires_at) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
                [(space, key, expires_at) for key in keys],
            )

    def present(self, space: str, keys: Sequence[bytes], now: float) -> frozenset[bytes]:
        """Return those of `keys` that are held and expire after `now`."""
        found: set[bytes] = set()
        with self._lock, _translated():
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                some = keys[start : start + _KEYS_AT_ONCE]
                marks = ",".join("?" * len(some))
                # Only question marks are put into the text.
                query = f"{_PRESENT} ({marks})"
                rows = self._connection.execute(query, (space, now, *some))
                found.update(row[0] for row in rows)
        return frozenset(found)

    def secret(self, name: str) -> bytes:
        """Return the secret called `name`; the same in every process that shares the file."""
        with self._lock, _translated():
            value = self._read_secret(name)
        if value is not None:
            return value
        made = self._random_bytes(SECRET_BYTES)
        with self._writing() as connection:
            # Where another process was faster, its value stays.
            connection.execute(
                "INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (name, made),
            )
            return self._read_secret(name) or made

    def expire(self, now: float, limit: int) -> int:
        """Remove at most `limit` expired keys; return how many."""
        with self._writing() as connection:
            cursor = connection.execute(
                "DELETE FROM expiring WHERE (space, key) IN"
                " (SELECT space, key FROM expiring WHERE expires_at <= ? LIMIT ?)",
                (now, limit),
            )
            return cursor.rowcount

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _set_up(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        # Who is told 451 comes again and relies on what was written before; NORMAL could lose the
        # last writes with the power. These writes are rare, so the sync costs nothing that counts.
        self._connection.execute("PRAGMA synchronous = FULL")
        with self._writing() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(_MIGRATIONS):
                raise StoreError("the store was written by a newer version", temporary=False)
            for statement in (s for migration in _MIGRATIONS[version:] for s in migration):
                connection.execute(statement)
            # A pragma takes no parameters.
            connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def _read_secret(self, name: str) -> bytes | None:
        row = self._connection.execute(
            "SELECT value FROM secret WHERE name = ?", (name,)
        ).fetchone()
        return None if row is None else bytes(row[0])

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def examine(path: Path) -> None:
    """Look whether `SqliteStore` could open `path`; nothing is made or changed.

    Raises:
        StoreError: What stands in the way; `what` begins with the file or folder that does.
    """
    folder = path.parent
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is no folder", temporary=False)
    # A missing folder is made, one below another that is there. SQLite writes beside its file too.
    written_to = folder if folder.exists() else folder.parent
    if not os.access(written_to, os.W_OK | os.X_OK):
        raise StoreError(f"{written_to} is missing or may not be written to", temporary=False)
    if path.exists():
        _examine_file(path)


def _examine_file(path: Path) -> None:
    try:
        with path.open("r+b") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as err:
        raise StoreError(f"{path} cannot be used: {err.strerror}", temporary=False) from err
    if header and not header.startswith(_MAGIC):
        raise StoreError(f"{path} is no SQLite database", temporary=False)
    if int.from_bytes(header[_USER_VERSION], "big") > len(_MIGRATIONS):
        raise StoreError(f"{path} was written by a newer version", temporary=False)


def _open(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _make_private(path)
        return sqlite3.connect(
            path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
    except (OSError, sqlite3.Error) as err:
        raise StoreError(f"{path}: cannot open the store: {err}", temporary=False) from err


def _make_private(path: Path) -> None:
    """Make the file for its owner alone; SQLite would let everybody read the key of our hashes."""
    try:
        # Only where it is missing: closing a file drops all locks that this process holds on it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as err:
        # Locked, disk full, no such file: another time it may work.
        raise StoreError(f"store: {err}") from err
    except sqlite3.Error as err:
        raise StoreError(f"store: {err}", temporary=False) from err
