"""The writes of a batch as statements; a transaction is around them.

What is kept already is read first and merged here: nobody else writes meanwhile, for the
transaction began with BEGIN IMMEDIATE.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from reputation.decay import Fading, add_fading
from reputation.sqlite import streams
from reputation.store import MAX_AMOUNTS, Add, Append, Fade, Put

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from reputation.store import Write

FADING: Final = "SELECT vals, first_at, last_at, half_life_s FROM fading"


def do(connection: sqlite3.Connection, batch: Sequence[Write]) -> None:
    """Do all of `batch`."""
    for one in batch:
        match one:
            case Put():
                put(connection, one)
            case Fade():
                _fade(connection, one)
            case Append():
                streams.append(connection, one)
            case Add():
                _add(connection, one)


def put(connection: sqlite3.Connection, new: Put) -> None:
    """Keep keys until a time."""
    connection.executemany(
        "INSERT INTO expiring (space, key, expires_at) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
        [(new.space, key, new.expires_at) for key in new.keys],
    )


def fading_of(row: tuple[bytes, float, float, float]) -> Fading:
    """Return what a row of `FADING` holds."""
    packed, first_at, last_at, half_life_s = row
    values = struct.unpack(f"<{len(packed) // 8}d", packed)
    return Fading(values, first_at, last_at, half_life_s)


def _fade(connection: sqlite3.Connection, change: Fade) -> None:
    row = connection.execute(
        f"{FADING} WHERE space = ? AND key = ?", (change.space, change.key)
    ).fetchone()
    fading = add_fading(None if row is None else fading_of(row), change)
    packed = struct.pack(f"<{len(fading.values)}d", *fading.values)
    connection.execute(
        "INSERT OR REPLACE INTO fading"
        " (space, key, vals, first_at, last_at, half_life_s, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(change.space, change.key, packed, fading.first_at, fading.last_at),
            *(fading.half_life_s, fading.last_at + change.keep_s),
        ),
    )


def _add(connection: sqlite3.Connection, new: Add) -> None:
    padded = (*new.amounts, *[0] * (MAX_AMOUNTS - len(new.amounts)))
    connection.execute(
        "INSERT INTO total (series, slot, key, a0, a1, a2, a3, amounts, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " a0 = a0 + excluded.a0, a1 = a1 + excluded.a1,"
        " a2 = a2 + excluded.a2, a3 = a3 + excluded.a3,"
        " amounts = max(amounts, excluded.amounts),"
        " expires_at = max(expires_at, excluded.expires_at)",
        (new.series, new.slot, new.key, *padded, len(new.amounts), new.expires_at),
    )
