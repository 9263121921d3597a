"""Fading values in the file: those of a batch are read together, merged here and written together.

Nobody else writes meanwhile, for the transaction began with BEGIN IMMEDIATE.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from reputation.decay import Fading, add_fading

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from reputation.store import Fade

SELECT: Final = "SELECT key, vals, first_at, last_at, half_life_s FROM fading"
# SQLite allows 32,766 parameters a statement.
_KEYS_AT_ONCE: Final = 500
# A key keeps its time of expiry where that would move by less than this part of the time that it is
# kept: moving it in the index costs more than all the rest.
_NOT_MOVED: Final = 1 / 64


class _Kept(NamedTuple):
    """What is kept of a key.

    Attributes:
        fading: Its values.
        expires_at: When it goes.
        moved: Whether that is not what the file says.
    """

    fading: Fading
    expires_at: float
    moved: bool


def fading_of(packed: bytes, first_at: float, last_at: float, half_life_s: float) -> Fading:
    """Return what a row of `SELECT` holds behind its key."""
    values = struct.unpack(f"<{len(packed) // 8}d", packed)
    return Fading(values, first_at, last_at, half_life_s)


def fade(connection: sqlite3.Connection, changes: Iterable[Fade]) -> None:
    """Do `changes`, those of each key in their order."""
    spaces: dict[str, list[Fade]] = {}
    for change in changes:
        spaces.setdefault(change.space, []).append(change)
    for space, its in spaces.items():
        kept = dict(_read(connection, space, list({change.key for change in its})))
        for change in its:
            kept[change.key] = _changed(kept.get(change.key), change)
        _write(connection, space, kept)


def _read(
    connection: sqlite3.Connection, space: str, keys: Sequence[bytes]
) -> Iterator[tuple[bytes, _Kept]]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        query = SELECT.replace(" FROM", ", expires_at FROM") + " WHERE space = ? AND key IN "
        marks = ",".join("?" * len(some))
        for key, *row, expires_at in connection.execute(f"{query}({marks})", (space, *some)):
            yield key, _Kept(fading_of(*row), expires_at, moved=False)


def _changed(known: _Kept | None, change: Fade) -> _Kept:
    if known is None:
        return _Kept(add_fading(None, change), change.at + change.keep_s, moved=True)
    fading = add_fading(known.fading, change)
    expires_at = fading.last_at + change.keep_s
    if 0 <= expires_at - known.expires_at < _NOT_MOVED * change.keep_s:
        return known._replace(fading=fading)
    return _Kept(fading, expires_at, moved=True)


def _write(connection: sqlite3.Connection, space: str, kept: dict[bytes, _Kept]) -> None:
    moved, stayed = [], []
    for key, (fading, expires_at, is_moved) in kept.items():
        packed = struct.pack(f"<{len(fading.values)}d", *fading.values)
        row = (packed, fading.first_at, fading.last_at, fading.half_life_s)
        if is_moved:
            moved.append((*row, expires_at, space, key))
        else:
            stayed.append((*row, space, key))
    connection.executemany(
        "INSERT INTO fading (vals, first_at, last_at, half_life_s, expires_at, space, key)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET vals = excluded.vals,"
        " first_at = excluded.first_at, last_at = excluded.last_at,"
        " half_life_s = excluded.half_life_s, expires_at = excluded.expires_at",
        moved,
    )
    connection.executemany(
        "UPDATE fading SET vals = ?, first_at = ?, last_at = ?, half_life_s = ?"
        " WHERE space = ? AND key = ?",
        stayed,
    )
