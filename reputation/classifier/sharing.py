"""Bases that machines share: who joins late need not take every lesson there ever was.

The stream of lessons is bounded. Whoever learns puts its bases into the store too; all machines
make the same ones, and the first of them does it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from reputation.classifier.weights import packed, unpacked
from reputation.errors import StoreError
from reputation.store import Append, Retention

if TYPE_CHECKING:
    from reputation.classifier.model import State
    from reputation.store import Store

_STREAM: Final = "lesson-bases"
_MADE: Final = "lesson-bases-made"
_KEPT_S: Final = 400 * 86_400.0
# The two that are used, and two that take their place when a label was taken back.
_ENTRIES: Final = 4
_KEEP: Final = Retention(entries=_ENTRIES, total_bytes=64 * 2**20, age_s=_KEPT_S, share=1 / 16)
_HEAD: Final = struct.Struct("<Q")


def share(store: Store, number: int, state: State, *, seen: int, at: float) -> bool:
    """Give the base of the lessons up to `number` to the others; return whether nobody had.

    Args:
        store: Where it goes.
        number: Up to which lesson it goes.
        state: What it holds.
        seen: The newest lesson whose label it knows of: a later one may have taken one back.
        at: When the last of these lessons came.

    Raises:
        StoreError: The store does not answer.
    """
    key, new = str(number).encode(), str(seen).encode()
    old = store.records(_MADE, [key], at).get(key)
    if old is not None and int(old) >= seen:
        return False
    base = Append(_STREAM, at, _HEAD.pack(number) + packed(state), (), _KEEP)
    return store.replace(_MADE, key, old=old, new=new, now=at, expires_at=at + _KEPT_S, also=base)


def shared(store: Store) -> dict[int, State]:
    """Return the bases that were shared, each as it was shared last; damaged ones are left out.

    Raises:
        StoreError: The store does not answer.
    """
    found: dict[int, State] = {}
    for entry in store.follow(_STREAM, 0, _ENTRIES):
        try:
            found[_HEAD.unpack_from(entry.payload)[0]] = unpacked(entry.payload[_HEAD.size :])
        except (StoreError, struct.error):
            continue
    return found
