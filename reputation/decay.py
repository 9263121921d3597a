"""Arithmetic of what fades and of what leaks, the same in every home of the store.

`reputation.redis.scripts` says it once more in Lua; one test suite runs against both.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from reputation.store import Faded, Taken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reputation.store import Drop, Fade

# What was written by a clock so far ahead, which was put right since, counts as written now. Less
# is what differs between machines, or what waited for the store.
AHEAD_S: Final = 86_400.0
BUCKET_AHEAD_S: Final = 300.0


class Fading(NamedTuple):
    """Fading values as they are kept: what they were at `last_at`."""

    values: tuple[float, ...]
    first_at: float
    last_at: float
    half_life_s: float

    def at(self, now: float) -> Faded:
        """Return the values at `now`; a clock that went back does not make them larger."""
        left = remaining(now - self.last_at, self.half_life_s)
        return Faded(tuple([value * left for value in self.values]), self.first_at, self.last_at)


def remaining(elapsed_s: float, half_life_s: float) -> float:
    """Return which part of a value is left after `elapsed_s`."""
    return 1.0 if elapsed_s <= 0 else 0.5 ** (elapsed_s / half_life_s)


def add_fading(known: Fading | None, change: Fade) -> Fading:
    """Return what is kept after `change`."""
    if known is None:
        return Fading(change.amounts, change.at, change.at, change.half_life_s)
    if known.last_at > change.at + AHEAD_S:
        known = known._replace(last_at=change.at)
    last_at = max(known.last_at, change.at)
    old = remaining(last_at - known.last_at, known.half_life_s)
    new = remaining(last_at - change.at, change.half_life_s)
    values = tuple(
        [a * old + b * new for a, b in zip_longest(known.values, change.amounts, fillvalue=0.0)]
    )
    return Fading(values, min(known.first_at, change.at), last_at, change.half_life_s)


def leaked(level: float, elapsed_s: float, leak_per_s: float) -> float:
    """Return the level of a bucket `elapsed_s` later."""
    return max(0.0, level - max(0.0, elapsed_s) * leak_per_s)


def fill(drops: Sequence[Drop], levels: Sequence[float]) -> Taken:
    """Return how filling buckets ends that are at `levels` now."""
    poured = [min(drop.amount, drop.capacity) for drop in drops]
    over = [
        level + amount - drop.capacity
        for drop, level, amount in zip(drops, levels, poured, strict=True)
    ]
    # A rounding error shall not keep somebody waiting who waited as long as told.
    full = tuple([i for i, drop in enumerate(drops) if over[i] > 1e-9 * drop.capacity])
    if not full:
        return Taken(tuple([a + b for a, b in zip(levels, poured, strict=True)]))
    return Taken(tuple(levels), full, max(over[i] / drops[i].leak_per_s for i in full))
