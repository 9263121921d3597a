"""Counters that all workers see: one piece of shared memory, a slot for each worker.

Each worker writes its own slot alone and everybody sums over all, so no lock is needed and a worker
that is killed while it counts can spoil no number but its own; the supervisor then clears its slot.

A worker adds first, looks at the sum, and takes back when it is too much. The bounds are never
exceeded; of two that race for the last place both may be refused, with a 4xx, and come again.

Sessions of one client are counted in a small table of two rows, addressed by keyed hashes of the
client; the lower of the two cells counts. Only a client that shares both cells with a busy one is
refused in its stead, and nobody outside can compute with whom it shares.
"""

from __future__ import annotations

import mmap
import os
from enum import IntEnum
from hashlib import blake2b
from struct import Struct, calcsize
from typing import TYPE_CHECKING, Final

from milter.core.limits import client_key
from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.core.connection import IpAddress
    from milter.settings import Limits

# Two generations of at most 256 workers meet in a reload.
SLOTS: Final = 512
CELLS: Final = 4096
_ROWS: Final = 2
# Verdicts of a worker, one column for each action.
_VERDICTS: Final = len(Action)
_COLUMNS: Final = 7 + _VERDICTS
_WORD: Final = calcsize("q")
_CELL: Final = calcsize("I")
_TABLE: Final = _WORD * (1 + _COLUMNS * SLOTS)
_SKETCH: Final = _CELL * _ROWS * CELLS
SIZE: Final = _TABLE + _SKETCH * SLOTS
_TWO_HASHES: Final = Struct("<HH")


class WorkerState(IntEnum):
    """Where a worker is in its life."""

    FREE = 0
    STARTING = 1
    READY = 2
    DRAINING = 3


class NextHopState(IntEnum):
    """What a worker knows of the next hop."""

    UNKNOWN = 0
    UP = 1
    DOWN = 2


def create_memory() -> int:
    """Return the descriptor of new shared memory, all zero; pages never touched cost nothing."""
    fd = os.memfd_create("gatepost", os.MFD_CLOEXEC)
    os.ftruncate(fd, SIZE)
    return fd


class SharedTable:
    """The shared memory in this process, until `close`."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, SIZE)
        self._bytes = memoryview(self._map)
        self._words = self._bytes[:_TABLE].cast("q")
        self._cells = self._bytes[_TABLE:].cast("I")
        columns = [
            self._words[1 + number * SLOTS : 1 + (number + 1) * SLOTS] for number in range(_COLUMNS)
        ]
        self.pid, self.state, self.sessions, self.bytes_in_flight = columns[:4]
        self.next_hop, self.generation, self.beats = columns[4:7]
        self._verdicts = columns[7:]

    @property
    def used(self) -> int:
        """One more than the highest slot that was ever in use; sums look no further."""
        return self._words[0]

    def take(self, generation: int) -> int | None:
        """Return a free slot, marked as starting; None when there is none. For the supervisor."""
        for slot in range(SLOTS):
            if self.state[slot] == WorkerState.FREE:
                self.state[slot] = WorkerState.STARTING
                self.generation[slot] = generation
                self._words[0] = max(self.used, slot + 1)
                return slot
        return None

    def clear(self, slot: int) -> None:
        """Forget all that a dead worker counted, and free its slot. For the supervisor."""
        start = slot * _ROWS * CELLS
        self._cells[start : start + _ROWS * CELLS] = memoryview(bytes(_SKETCH)).cast("I")
        for column in (
            self.pid,
            self.sessions,
            self.bytes_in_flight,
            self.next_hop,
            self.beats,
            *self._verdicts,
        ):
            column[slot] = 0
        self.generation[slot] = 0
        self.state[slot] = WorkerState.FREE

    def total_sessions(self) -> int:
        """Return the sessions of all workers."""
        return sum(self.sessions[: self.used])

    def total_bytes(self) -> int:
        """Return the bytes of messages that all workers hold."""
        return sum(self.bytes_in_flight[: self.used])

    def in_state(self, state: WorkerState) -> list[int]:
        """Return the slots whose worker is in `state`."""
        return [slot for slot in range(self.used) if self.state[slot] == state]

    def verdicts_of(self, slot: int) -> tuple[int, ...]:
        """Return the verdicts of a worker since its start, by action."""
        return tuple(column[slot] for column in self._verdicts)

    def tell_verdicts(self, slot: int, verdicts: Sequence[int]) -> None:
        """Write the verdicts of the own slot, by action."""
        for column, count in zip(self._verdicts, verdicts, strict=True):
            column[slot] = count

    def cell(self, slot: int, row: int, bucket: int) -> int:
        """Return where the count of a bucket of a slot stands, for `counted` and `count`."""
        return (slot * _ROWS + row) * CELLS + bucket

    def counted(self, row: int, bucket: int) -> int:
        """Return the sum of a bucket over all workers."""
        cells, step = self._cells, _ROWS * CELLS
        first = row * CELLS + bucket
        return sum([cells[place] for place in range(first, first + self.used * step, step)])

    def count(self, cell: int, by: int) -> None:
        """Change one cell of the own slot."""
        self._cells[cell] += by

    def close(self) -> None:
        """Let go of the memory."""
        columns = (self.pid, self.state, self.sessions, self.bytes_in_flight)
        later = (self.next_hop, self.generation, self.beats, *self._verdicts)
        for view in (*columns, *later, self._words, self._cells):
            view.release()
        self._bytes.release()
        self._map.close()


class WorkerLimits:
    """The limits as one worker counts them: `SharedLimits` over all workers.

    Args:
        table: The shared memory.
        slot: The worker's own.
        limits: The bounds.
        key: For the hashes of clients; the same in every worker, unknown outside.
    """

    def __init__(self, table: SharedTable, slot: int, limits: Limits, key: bytes) -> None:
        self._table = table
        self._slot = slot
        self._limits = limits
        self._key = key

    def client_full(self, client: IpAddress | None) -> bool:
        """Return whether `client` already holds all the sessions that one address may hold."""
        if client is None:
            return False
        counts = [self._table.counted(row, bucket) for row, bucket in self._buckets(client)]
        return min(counts) >= self._limits.sessions_per_client

    def admit(self, client: IpAddress | None) -> bool:
        """Count a session; False when all are taken."""
        table, slot = self._table, self._slot
        table.sessions[slot] += 1
        if table.total_sessions() > self._limits.sessions:
            table.sessions[slot] -= 1
            return False
        self._count(client, 1)
        return True

    def release(self, client: IpAddress | None) -> None:
        """Give back a session."""
        self._table.sessions[self._slot] -= 1
        self._count(client, -1)

    def reserve(self, size: int) -> bool:
        """Count bytes as held; False when too many are."""
        table, slot = self._table, self._slot
        table.bytes_in_flight[slot] += size
        if table.total_bytes() > self._limits.bytes_in_flight:
            table.bytes_in_flight[slot] -= size
            return False
        return True

    def give_back(self, size: int) -> None:
        """Give back bytes."""
        self._table.bytes_in_flight[self._slot] -= size

    def _count(self, client: IpAddress | None, by: int) -> None:
        if client is None:
            return
        for row, bucket in self._buckets(client):
            self._table.count(self._table.cell(self._slot, row, bucket), by)

    def _buckets(self, client: IpAddress) -> tuple[tuple[int, int], ...]:
        digest = blake2b(client_key(client).to_bytes(16, "big"), key=self._key, digest_size=4)
        first, second = _TWO_HASHES.unpack(digest.digest())
        return (0, first % CELLS), (1, second % CELLS)
