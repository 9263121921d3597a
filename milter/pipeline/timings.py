"""What the checks of some transactions took, kept until their traces are made.

Only where traces are wanted: without them nothing here runs. What is kept is bounded, for a client
that never ends its transaction leaves what was noted of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.pipeline.stage_run import Observe

_MOST_KEPT: Final = 4096
_MOST_RUNS: Final = 200
_ALL: Final = 2**32


class CheckRun(NamedTuple):
    """One run of a check.

    Attributes:
        check: Its name.
        result: `ok`, `error` or `timeout`.
        seconds: How long it took.
        started: When, in monotonic seconds.
    """

    check: str
    result: str
    seconds: float
    started: float


class Kept(NamedTuple):
    """What is known of a transaction or a connection.

    Attributes:
        began: When it was first heard of, in monotonic seconds.
        runs: The checks that ran for it.
    """

    began: float
    runs: list[CheckRun]


class Timings:
    """Keeps what checks took by transaction, and by connection for CONNECT and HELO.

    Args:
        share: Of connections that are chosen, from 0 to 1.
        clock: Monotonic seconds.
    """

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        self._limit = int(share * _ALL)
        self._clock = clock
        self._kept: dict[str, Kept] = {}

    def chooses(self, session_id: str) -> bool:
        """Return whether the transactions of a connection are traced: always the same answer."""
        return crc32(session_id.encode()) < self._limit

    def noting(self, reference: str, observe: Observe) -> Observe:
        """Return what keeps each run of a check under `reference` and tells `observe` of it."""
        kept = self._kept.get(reference)
        if kept is None:
            if len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            kept = self._kept[reference] = Kept(self._clock(), [])

        def note(check: str, result: str, seconds: float, started: float) -> None:
            observe(check, result, seconds, started)
            if len(kept.runs) < _MOST_RUNS:
                kept.runs.append(CheckRun(check, result, seconds, started))

        return note

    def take(self, reference: str) -> Kept | None:
        """Return what is kept under `reference`, and forget it; None: nothing."""
        return self._kept.pop(reference, None)
