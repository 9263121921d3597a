"""Streams in tables: appending within a transaction, and looking for entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from reputation.store import Entry

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from reputation.store import Append, Retention, Search

# The entries that go are those that are too old, and the first ones: as many as are too many, or as
# bring the bytes below their bound. Each append removes a few, so that none waits for long.
_GO_AT_ONCE: Final = 100


class _Stream(NamedTuple):
    """A stream and how much is in it."""

    name: str
    entries: int
    total_bytes: int


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
    grown = _Stream(new.stream, entries + 1, total_bytes + len(new.payload))
    gone, gone_bytes = _trim(connection, grown, new.keep, new.at, _GO_AT_ONCE)
    connection.execute(
        "INSERT INTO stream (name, last, entries, total_bytes) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET last = excluded.last, entries = excluded.entries,"
        " total_bytes = excluded.total_bytes",
        (
            *(new.stream, number, grown.entries - gone),
            grown.total_bytes - gone_bytes,
        ),
    )


def trim(
    connection: sqlite3.Connection, stream: str, keep: Retention, now: float, limit: int
) -> int:
    """Remove what is too much or too old; return how many."""
    row = connection.execute(
        "SELECT entries, total_bytes FROM stream WHERE name = ?", (stream,)
    ).fetchone()
    known = _Stream(stream, *(row or (0, 0)))
    gone, gone_bytes = _trim(connection, known, keep, now, limit)
    _shrink(connection, stream, gone, gone_bytes)
    return gone


def _trim(
    connection: sqlite3.Connection,
    stream: _Stream,
    keep: Retention,
    now: float,
    limit: int,
) -> tuple[int, int]:
    """Remove what is too much or too old; return how many, and their bytes."""
    gone, gone_bytes = [], 0
    name, entries, total_bytes = stream
    most_bytes = _most_bytes(connection, keep)
    # By their times: a clock that was ahead once must not keep what stands behind its entries.
    old = connection.execute(
        "SELECT number, length(payload) FROM entry WHERE stream = ? AND at < ?"
        " ORDER BY at, number LIMIT ?",
        (name, now - keep.age_s, limit),
    )
    for number, length in old:
        gone.append(number)
        gone_bytes += length
    first = connection.execute(
        "SELECT number, length(payload) FROM entry WHERE stream = ? ORDER BY number LIMIT ?",
        (name, limit),
    )
    known = frozenset(gone)
    for number, length in first:
        if entries - len(gone) <= keep.entries and total_bytes - gone_bytes <= most_bytes:
            break
        if number not in known:
            gone.append(number)
            gone_bytes += length
    for table in ("entry", "entry_word") if gone else ():
        connection.executemany(
            f"DELETE FROM {table} WHERE stream = ? AND number = ?",  # noqa: S608 - our names
            [(name, number) for number in gone],
        )
    return len(gone), gone_bytes


def _most_bytes(connection: sqlite3.Connection, keep: Retention) -> float:
    if keep.share == 1:
        return keep.total_bytes
    pages, page_bytes = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("max_page_count", "page_size")
    )
    return min(keep.total_bytes, keep.share * pages * page_bytes)


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
    _shrink(connection, stream, gone, gone_bytes)
    return gone


def _shrink(connection: sqlite3.Connection, stream: str, gone: int, gone_bytes: int) -> None:
    connection.execute(
        "UPDATE stream SET entries = entries - ?, total_bytes = total_bytes - ? WHERE name = ?",
        (gone, gone_bytes, stream),
    )


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
