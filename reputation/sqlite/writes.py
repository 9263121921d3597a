"""The writes of a batch as statements; a transaction is around them.

Each kind has tables of its own, so that the order counts only among those of one kind: each kind is
done at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reputation.sqlite import streams
from reputation.sqlite.fading import fade
from reputation.store import MAX_AMOUNTS, Add, Append, Fade, Put

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from reputation.store import Write


def do(connection: sqlite3.Connection, batch: Sequence[Write]) -> None:
    """Do all of `batch`."""
    fades, adds = [], []
    for one in batch:
        match one:
            case Put():
                put(connection, one)
            case Fade():
                fades.append(one)
            case Append():
                streams.append(connection, one)
            case Add():
                adds.append(one)
    fade(connection, fades)
    _add(connection, adds)


def put(connection: sqlite3.Connection, new: Put) -> None:
    """Keep keys until a time."""
    connection.executemany(
        "INSERT INTO expiring (space, key, expires_at) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
        [(new.space, key, new.expires_at) for key in new.keys],
    )


def _add(connection: sqlite3.Connection, adds: Sequence[Add]) -> None:
    connection.executemany(
        "INSERT INTO total (series, slot, key, a0, a1, a2, a3, amounts, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " a0 = a0 + excluded.a0, a1 = a1 + excluded.a1,"
        " a2 = a2 + excluded.a2, a3 = a3 + excluded.a3,"
        " amounts = max(amounts, excluded.amounts),"
        " expires_at = max(expires_at, excluded.expires_at)",
        [
            (
                *(new.series, new.slot, new.key, *new.amounts),
                *[0] * (MAX_AMOUNTS - len(new.amounts)),
                *(len(new.amounts), new.expires_at),
            )
            for new in adds
        ],
    )
