"""Sketches in the store: one record for each slot, merged by who has something to add.

Read, merge, and replace if it is still what was read: no worker and no machine can overwrite what
another one added meanwhile. A server that breaks off in the middle leaves open whether it was done;
then it is done again, and these few seconds may count twice.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from reputation.errors import StoreError
from reputation.statistics.campaigns import Campaigns
from reputation.statistics.heavy import Summary
from reputation.statistics.observation import BY_NAME, CAMPAIGN
from reputation.statistics.windows import MINUTE, WIDTHS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reputation.statistics.heavy import Row
    from reputation.statistics.tally import Sketches
    from reputation.statistics.windows import Width
    from reputation.store import Store

_TRIES: Final = 20
_MOST_WAITING: Final = 500
_VERSION: Final = 1
# Three counts of 4 bytes, and bytes of messages in 8.
_ROW_BYTES: Final = 20


class Deposits:
    """What waits to be merged into the store; what fails waits for the next time.

    Filled by one thread and emptied by one.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int], Sketches] = {}

    @property
    def waiting(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def add(self, gathered: Mapping[int, Sketches]) -> None:
        """Take what was counted, by minute."""
        for minute, sketches in gathered.items():
            for width in WIDTHS:
                slot = minute * MINUTE.seconds // width.seconds
                merge(self._waiting.setdefault((width.name, slot), {}), sketches)
        while len(self._waiting) > _MOST_WAITING:
            # A store that is gone for hours: what is oldest and narrowest goes first.
            del self._waiting[next(iter(self._waiting))]

    def settle(self, store: Store, now: float) -> None:
        """Merge all that waits into the store.

        Raises:
            StoreError: The store failed; what is not there yet still waits.
        """
        widths = {width.name: width for width in WIDTHS}
        for name, slot in list(self._waiting):
            deposit(store, widths[name], slot, self._waiting[name, slot], now)
            del self._waiting[name, slot]


def deposit(store: Store, width: Width, slot: int, sketches: Sketches, now: float) -> None:
    """Merge `sketches` into those of a slot.

    Raises:
        StoreError: The store failed, or others changed it again and again.
    """
    key = _key(slot)
    for _ in range(_TRIES):
        old = store.records(_space(width), [key], now).get(key)
        both = decode(old) if old else {}
        merge(both, sketches)
        expires_at = max(width.expires_at(slot), now + 1)
        if store.replace(
            _space(width), key, old=old, new=encode(both), now=now, expires_at=expires_at
        ):
            return
    raise StoreError("others change the same sketches all the time", reason="locked")


def read_records(store: Store, width: Width, first: int, last: int, now: float) -> list[bytes]:
    """Return the sketches of the slots `first` to `last` as they are kept; empty: there are none.

    Raises:
        StoreError: The store does not answer.
    """
    keys = [_key(slot) for slot in range(first, last + 1)]
    found = store.records(_space(width), keys, now)
    return [found.get(key, b"") for key in keys]


def merge(into: Sketches, more: Sketches) -> None:
    """Add the counts of `more`."""
    for name, summary in more.items():
        own = into.get(name)
        if own is None:
            into[name] = summary.copy()
            into[name].prune()
        elif name == CAMPAIGN:
            Campaigns(own).merge(summary)
        else:
            own.merge(summary)


def encode(sketches: Sketches) -> bytes:
    """Return sketches as they are kept.

    A line of JSON says what follows, and of what version it is; then for each sketch its values, a
    line each, and its numbers, column by column, little endian. Numbers as text take far longer to
    read, and a question about 30 days reads 40,000 rows of them.
    """
    told, blocks = [], []
    for name, one in sketches.items():
        if one.total:
            values = "\n".join(one.rows).encode("utf-8", "replace")
            told.append([name, one.total, one.error, len(one.rows), len(values)])
            blocks += [values, _columns(one.rows.values())]
    return b"\n".join([json.dumps([_VERSION, told]).encode(), b"".join(blocks)])


def decode(data: bytes) -> Sketches:
    """Return the sketches in a record; what is not one counts nothing."""
    head, _, body = data.partition(b"\n")
    sketches: Sketches = {}
    try:
        version, told = json.loads(head)
        start = 0
        for name, total, error, count, size in told if version == _VERSION else ():
            middle, end = start + size, start + size + count * _ROW_BYTES
            rows = _rows(body[start:middle], body[middle:end], count)
            start = end
            if name in BY_NAME:
                sketches[name] = Summary(BY_NAME[name].kept, int(total), int(error), rows)
    except (ValueError, TypeError):
        return {}
    return sketches


def _columns(rows: Iterable[Row]) -> bytes:
    columns = np.array([*rows], dtype="<i8").reshape(-1, 4).T
    counts: bytes = columns[:3].astype("<u4").tobytes()
    return counts + bytes(columns[3].tobytes())


def _rows(values: bytes, numbers: bytes, count: int) -> dict[str, Row]:
    names = values.decode().split("\n") if count else []
    if len(numbers) != count * _ROW_BYTES or len(names) != count:
        raise ValueError
    few = np.frombuffer(numbers, "<u4", 3 * count).reshape(3, count)
    sizes = np.frombuffer(numbers[12 * count :], "<i8")
    return dict(zip(names, zip(*few.tolist(), sizes.tolist(), strict=True), strict=True))


def _space(width: Width) -> str:
    return f"sketches:{width.name}"


def _key(slot: int) -> bytes:
    return b"%d" % slot
