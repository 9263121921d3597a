"""Windows of time, and the slots that they are made of.

Everything is counted once for each width of slots, with its own expiry: rolling up later would need
a reader that must not run twice (`docs/decisions/store.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Width:
    """One width of slots.

    Attributes:
        name: Names the series and the sketches in the store.
        seconds: How wide a slot is; slots begin at whole multiples of it since 1970, UTC.
        keep_s: How long after its end a slot is kept.
    """

    name: str
    seconds: int
    keep_s: int

    @property
    def series(self) -> str:
        """Name of all sums in the store."""
        return f"statistics:{self.name}"

    @property
    def timeline(self) -> str:
        """Name of the sums that are told slot by slot."""
        return f"statistics:{self.name}:time"

    def slot(self, at: float) -> int:
        """Return the number of the slot that `at` lies in."""
        return int(at // self.seconds)

    def expires_at(self, slot: int) -> float:
        """Return when the slot may go."""
        return float((slot + 1) * self.seconds + self.keep_s)


MINUTE: Final = Width("minute", 60, 3 * _HOUR_S)
HOUR: Final = Width("hour", _HOUR_S, 9 * _DAY_S)
# Four quarters, and the one that a report is made of in its last days.
DAY: Final = Width("day", _DAY_S, 500 * _DAY_S)
WIDTHS: Final = (MINUTE, HOUR, DAY)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time that ends now: whole slots, the one that is running included.

    So it is up to one slot longer than its name says, and never shorter.

    Attributes:
        word: Its name.
        width: Of its slots.
        slots: How many whole ones lie before the running one.
    """

    word: str
    width: Width
    slots: int

    def span(self, now: float) -> tuple[int, int]:
        """Return the numbers of the first and the last slot."""
        last = self.width.slot(now)
        return last - self.slots, last


WINDOWS: Final = {
    window.word: window
    for window in (
        Window("5m", MINUTE, 5),
        Window("1h", MINUTE, 60),
        Window("24h", HOUR, 24),
        Window("7d", HOUR, 7 * 24),
        Window("30d", DAY, 30),
        Window("90d", DAY, 90),
    )
}


def pieces(width: Width, first: int, last: int) -> tuple[tuple[Width, int, int], ...]:
    """Return the slots `first` to `last`, those that make a whole wider one put together.

    The last slot is the one that is running: what follows it in its wider slot is empty yet.

    >>> [(piece.name, a, b) for piece, a, b in pieces(HOUR, 22, 73)]
    [('hour', 22, 23), ('day', 1, 3)]
    """
    wider = WIDTHS[min(WIDTHS.index(width) + 1, len(WIDTHS) - 1)]
    ratio = wider.seconds // width.seconds
    begin, end = -(-first // ratio), last // ratio
    if ratio == 1 or begin > end:
        return ((width, first, last),)
    before = ((width, first, begin * ratio - 1),) if first < begin * ratio else ()
    return (*before, (wider, begin, end))
