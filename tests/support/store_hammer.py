"""A process that writes to a store as fast as it can; started by tests of faults.

`python -m tests.support.store_hammer PLACE ROUNDS` works ROUNDS rounds and prints, as JSON, the
milliseconds that each operation took. With ROUNDS 0 it goes on until it is killed, and prints the
number of each batch as soon as it is written.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Final

from milter.memory.opening import Home
from milter.memory.presence import Presence
from reputation.store import Add, Append, Drop, Fade, Put, Retention

if TYPE_CHECKING:
    from collections.abc import Callable

    from reputation.store import Store, Write

BATCH: Final = 20
# In the future, for a server removes what expired by its own clock.
NOW: Final = 4_000_000_000.0
KEEP: Final = Retention(entries=10**6, total_bytes=10**9, age_s=10**6)


def a_batch(number: int) -> list[Write]:
    """Return writes of every kind, that count the same thing four times."""
    writes: list[Write] = []
    for index in range(BATCH // 4):
        writes += [
            Add("series", 1, b"key", (1, number), NOW + 10**6),
            Fade("space", b"key", (1.0,), NOW, half_life_s=10**9, keep_s=10**6),
            Append("stream", NOW, b"%d %d" % (number, index), (b"word",), KEEP),
            Put("space", (b"%d %d %d" % (os.getpid(), number, index),), NOW + 10**6),
        ]
    return writes


def increment(store: Store) -> None:
    """Count in a record: read, and replace if nobody else did meanwhile."""
    while True:
        old = store.records("space", [b"record"], NOW).get(b"record")
        new = b"%d" % (int(old or 0) + 1)
        if store.replace("space", b"record", old=old, new=new, now=NOW, expires_at=NOW + 10**6):
            return


def work(store: Store, rounds: int) -> dict[str, list[float]]:
    """Do all operations `rounds` times; return the milliseconds of each."""
    drop = Drop("space", b"bucket", 1, 10**9, 1e-9)
    took: dict[str, list[float]] = {"write": [], "take": [], "replace": [], "faded": []}
    for number in range(rounds):
        operations: dict[str, Callable[[], object]] = {
            "write": lambda number=number: store.write(a_batch(number)),  # type: ignore[misc]
            "take": lambda: store.take([drop], NOW),
            "replace": lambda: increment(store),
            "faded": lambda: store.faded("space", [b"key"], NOW),
        }
        for name, operation in operations.items():
            started = time.perf_counter()
            operation()
            took[name].append((time.perf_counter() - started) * 1000)
    return took


def main() -> None:
    """Hammer."""
    place, rounds = sys.argv[1], int(sys.argv[2])
    store = Home(place, timeout_s=30).open()
    if rounds:
        sys.stdout.write(json.dumps(work(store, rounds)))
        store.close()
        return
    Presence().arrive(store, NOW)
    for number in itertools.count():
        store.write(a_batch(number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
