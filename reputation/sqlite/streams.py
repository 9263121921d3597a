"""Streams in tables: appending within a transaction, and looking for entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reputation.store import Entry

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from reputation.store import Append, Search

# The entries that go are those that are too old, and the first ones: as many as are too many, or as
# bring the bytes below their bound. Each append removes a few, so that none waits for long.
_GO_AT_ONCE: Final = 100


def append(connection: sqlite3.Connection, new: Append) -> None:
    """Put `new` at the end of its stream and remove what is beyond its retention."""
    row = connection.execute(
        "SELECT last, entries, total_bytes FROM stream WHERE name = ?", (new.stream,)
    ).fetchone()
    last, entries, total_bytes = row or (0, 0, 0)
    number = last + 1
    connection.execute(
        "INSERT INTO entry (stream, number, at, payload) VALUES (?, ?, ?, ?)",
        (new.stream, number, new.at, new.payload),
    )
    connection.executemany(
        "INSERT INTO entry_word (stream, word, at, number) VALUES (?, ?, ?, ?)",
        [(new.stream, word, new.at, number) for word in frozenset(new.words)],
    )
    gone, gone_bytes = _trim(
        connection, new, entries=entries + 1, total_bytes=total_bytes + len(new.payload)
    )
    connection.execute(
        "INSERT INTO stream (name, last, entries, total_bytes) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET last = excluded.last, entries = excluded.entries,"
        " total_bytes = excluded.total_bytes",
        (
            *(new.stream, number, entries + 1 - gone),
            total_bytes + len(new.payload) - gone_bytes,
        ),
    )


def _trim(
    connection: sqlite3.Connection, new: Append, *, entries: int, total_bytes: int
) -> tuple[int, int]:
    """Remove what is too much or too old; return how many, and their bytes."""
    keep, gone, gone_bytes = new.keep, [], 0
    # By their times: a clock that was ahead once must not keep what stands behind its entries.
    old = connection.execute(
        "SELECT number, length(payload) FROM entry WHERE stream = ? AND at < ?"
        " ORDER BY at, number LIMIT ?",
        (new.stream, new.at - keep.age_s, _GO_AT_ONCE),
    )
    for number, size in old:
        gone.append(number)
        gone_bytes += size
    first = connection.execute(
        "SELECT number, length(payload) FROM entry WHERE stream = ? ORDER BY number LIMIT ?",
        (new.stream, _GO_AT_ONCE),
    )
    known = frozenset(gone)
    for number, size in first:
        if entries - len(gone) <= keep.entries and total_bytes - gone_bytes <= keep.total_bytes:
            break
        if number not in known:
            gone.append(number)
            gone_bytes += size
    for table in ("entry", "entry_word") if gone else ():
        connection.executemany(
            f"DELETE FROM {table} WHERE stream = ? AND number = ?",  # noqa: S608 - our names
            [(new.stream, number) for number in gone],
        )
    return len(gone), gone_bytes


def erase(connection: sqlite3.Connection, stream: str, numbers: Sequence[int]) -> int:
    """Remove entries by their numbers; return how many there were."""
    gone, gone_bytes = 0, 0
    for number in frozenset(numbers):
        row = connection.execute(
            "DELETE FROM entry WHERE stream = ? AND number = ? RETURNING length(payload)",
            (stream, number),
        ).fetchone()
        if row is not None:
            gone, gone_bytes = gone + 1, gone_bytes + row[0]
            connection.execute(
                "DELETE FROM entry_word WHERE stream = ? AND number = ?", (stream, number)
            )
    connection.execute(
        "UPDATE stream SET entries = entries - ?, total_bytes = total_bytes - ? WHERE name = ?",
        (gone, gone_bytes, stream),
    )
    return gone


def follow(connection: sqlite3.Connection, stream: str, after: int, limit: int) -> list[Entry]:
    """Return entries with numbers above `after`, the oldest first."""
    rows = connection.execute(
        "SELECT number, at, payload FROM entry WHERE stream = ? AND number > ?"
        " ORDER BY number LIMIT ?",
        (stream, after, limit),
    )
    return [Entry(*row) for row in rows]


def search(connection: sqlite3.Connection, stream: str, wanted: Search, limit: int) -> list[Entry]:
    """Return entries as `wanted`, the youngest first."""
    table = "entry_word AS found" if wanted.words else "entry AS found"
    conditions = ["found.stream = ?", "found.at >= ?", "(found.at, found.number) < (?, ?)"]
    values: list[object] = [stream, wanted.since, wanted.until, wanted.before]
    if wanted.words:
        conditions.append("found.word = ?")
        values.append(wanted.words[0])
    for word in wanted.words[1:]:
        conditions.append(
            "EXISTS (SELECT 1 FROM entry_word AS also WHERE also.stream = found.stream"
            " AND also.word = ? AND also.at = found.at AND also.number = found.number)"
        )
        values.append(word)
    # Names of ours and question marks are all that is put into the text.
    query = (
        "SELECT entry.number, entry.at, entry.payload FROM"  # noqa: S608
        f" (SELECT found.at, found.number FROM {table} WHERE {' AND '.join(conditions)}"
        " ORDER BY found.at DESC, found.number DESC LIMIT ?) AS hit"
        " JOIN entry ON entry.stream = ? AND entry.number = hit.number"
        " ORDER BY hit.at DESC, hit.number DESC"
    )
    return [Entry(*row) for row in connection.execute(query, (*values, limit, stream))]


def newest(connection: sqlite3.Connection, stream: str) -> int:
    """Return the number of the last entry that was appended."""
    row = connection.execute("SELECT last FROM stream WHERE name = ?", (stream,)).fetchone()
    return 0 if row is None else int(row[0])
