"""Whether workers answer: each counts the turns of its event loop, and the supervisor looks on.

Time is counted in looks of the supervisor, never by a clock. A machine that slept, or gave nobody
any time, kept the supervisor from looking as it kept the workers from turning.

A worker that stands still holds its clients' connections and answers none of them. It is told of
early, and ended late: one message may keep an event loop for seconds, and a debugger for longer.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milter.daemon.shared import WorkerState

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.daemon.shared import SharedTable

_log: Final = logging.getLogger("gatepost.daemon")

LOOK_S: Final = 1.0
# Longer than the largest message that is taken keeps an event loop on a slow machine.
SILENT_LOOKS: Final = 10
# One that starts reads and compiles before its loop turns at all.
_STARTING_LOOKS: Final = 60


@dataclass(slots=True)
class _Seen:
    """A worker as it was at the last look.

    Attributes:
        pid: Its process id; 0 while it starts.
        beats: What it had counted.
        looks: So many looks in a row found the same.
        ended: Whether its end was asked for.
    """

    pid: int
    beats: int
    looks: int = 0
    ended: bool = False


class Pulse:
    """Which workers answer.

    Args:
        table: Where workers count.
    """

    def __init__(self, table: SharedTable) -> None:
        self._table = table
        self._seen: dict[int, _Seen] = {}

    def answering(self) -> list[int]:
        """Return the slots of the workers that take mail and answer."""
        return [slot for slot in self._table.in_state(WorkerState.READY) if not self._silent(slot)]

    def silent_pids(self) -> tuple[int, ...]:
        """Return the process ids of the workers that should take mail and do not answer."""
        ready = self._table.in_state(WorkerState.READY)
        return tuple(self._table.pid[slot] for slot in ready if self._silent(slot))

    async def watch(self, most_looks: Callable[[], float], end: Callable[[int, str], None]) -> None:
        """Look again and again, until cancelled; the arguments are those of `look`."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look(most_looks(), end)

    def look(self, most_looks: float, end: Callable[[int, str], None]) -> None:
        """Look at all workers once.

        Args:
            most_looks: A worker that stood still for so many looks is to be ended.
            end: Called once with the slot of such a worker, and why.
        """
        for slot in range(self._table.used):
            state = self._table.state[slot]
            if state == WorkerState.FREE:
                self._seen.pop(slot, None)
                continue
            seen = self._look_at(slot)
            starting = state == WorkerState.STARTING
            if seen.looks == SILENT_LOOKS and not starting:
                _log.error("worker does not answer", extra={"worker": slot, "pid": seen.pid})
            most = max(most_looks, _STARTING_LOOKS) if starting else most_looks
            if seen.looks >= most and not seen.ended:
                seen.ended = True
                end(slot, f"it has not answered for {seen.looks * LOOK_S:.0f} s")

    def _look_at(self, slot: int) -> _Seen:
        pid, beats = self._table.pid[slot], self._table.beats[slot]
        seen = self._seen.get(slot)
        if seen is not None and (seen.pid, seen.beats) == (pid, beats):
            seen.looks += 1
            return seen
        if seen is not None and seen.pid == pid and self._silent(slot):
            _log.warning("worker answers again", extra={"worker": slot, "pid": pid})
        self._seen[slot] = now = _Seen(pid, beats)
        return now

    def _silent(self, slot: int) -> bool:
        seen = self._seen.get(slot)
        if seen is None or seen.looks < SILENT_LOOKS:
            return False
        # Another process may have the slot since the last look.
        return seen.pid == self._table.pid[slot]
