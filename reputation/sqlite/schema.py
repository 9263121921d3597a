"""The tables of the file, and how a file of an older version comes to have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reputation.errors import StoreError

if TYPE_CHECKING:
    import sqlite3

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
    (
        """
        CREATE TABLE record (
            space TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, expires_at REAL NOT NULL,
            PRIMARY KEY (space, key)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX record_by_time ON record (expires_at)",
        """
        CREATE TABLE bucket (
            space TEXT NOT NULL, key BLOB NOT NULL, level REAL NOT NULL, at REAL NOT NULL,
            expires_at REAL NOT NULL,
            PRIMARY KEY (space, key)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX bucket_by_time ON bucket (expires_at)",
        # vals: doubles, little endian.
        """
        CREATE TABLE fading (
            space TEXT NOT NULL, key BLOB NOT NULL, vals BLOB NOT NULL, first_at REAL NOT NULL,
            last_at REAL NOT NULL, half_life_s REAL NOT NULL, expires_at REAL NOT NULL,
            PRIMARY KEY (space, key)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX fading_by_time ON fading (expires_at)",
        """
        CREATE TABLE total (
            series TEXT NOT NULL, slot INTEGER NOT NULL, key BLOB NOT NULL,
            a0 INTEGER NOT NULL, a1 INTEGER NOT NULL, a2 INTEGER NOT NULL, a3 INTEGER NOT NULL,
            amounts INTEGER NOT NULL, expires_at REAL NOT NULL,
            PRIMARY KEY (series, slot, key)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX total_by_time ON total (expires_at)",
        """
        CREATE TABLE stream (
            name TEXT PRIMARY KEY, last INTEGER NOT NULL, entries INTEGER NOT NULL,
            total_bytes INTEGER NOT NULL
        ) WITHOUT ROWID
        """,
        # Payloads may be large: a table without row ids would keep them within its keys.
        """
        CREATE TABLE entry (
            stream TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL, payload BLOB NOT NULL,
            PRIMARY KEY (stream, number)
        )
        """,
        "CREATE INDEX entry_by_time ON entry (stream, at, number)",
        """
        CREATE TABLE entry_word (
            stream TEXT NOT NULL, word BLOB NOT NULL, at REAL NOT NULL, number INTEGER NOT NULL,
            PRIMARY KEY (stream, word, at, number)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX entry_word_by_entry ON entry_word (stream, number)",
    ),
)
VERSION: Final = len(_MIGRATIONS)
# What has a space, a key and a time of expiry.
KEYED: Final = ("expiring", "record", "bucket", "fading")
EXPIRING: Final = (*KEYED, "total")


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the tables; 0: there are none."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to date, within a transaction of the caller.

    Raises:
        StoreError: A newer version wrote the file.
    """
    version = version_of(connection)
    if version > VERSION:
        raise StoreError("the store was written by a newer version", temporary=False)
    for statement in (s for migration in _MIGRATIONS[version:] for s in migration):
        connection.execute(statement)
    # A pragma takes no parameters.
    connection.execute(f"PRAGMA user_version = {VERSION}")
