"""Whether the verdicts of a new configuration are too far from those of the one before.

Workers count their verdicts in the shared table. While nothing is on trial they make the usual
shares, which fade so that they follow the last thousands of messages. A configuration on trial is
compared once it has judged enough, or sooner when nothing that still comes can save it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from policies.verdict import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milter.daemon.shared import SharedTable
    from milter.settings.reload import Guard

# Usual shares are those of about so many messages.
REMEMBERED: Final = 10_000
_COMPARED: Final = (
    ("reject", (Action.REJECT, Action.DISCARD)),
    ("defer", (Action.DEFER,)),
    ("quarantine", (Action.QUARANTINE,)),
    ("tag", (Action.TAG,)),
)


class Trial(Enum):
    """How a configuration on trial is doing."""

    NONE = "none"
    RUNNING = "running"
    HELD = "held"
    FAILED = "failed"


def limit_of(usual: float, times: float, least: float) -> float:
    """Return the largest share that is not too large; all are between 0 and 1.

    >>> limit_of(0.04, 5, 0.05)
    0.2
    >>> limit_of(0.5, 5, 0.05)
    0.9
    """
    return max(least, min(usual * times, 1 - (1 - usual) / times))


def too_many(
    guard: Guard, usual: Sequence[float], seen: Sequence[int]
) -> tuple[str, float, float] | None:
    """Return what of the verdicts `seen` is too much already, with its share and the usual one.

    Args:
        guard: What the administrator asked for.
        usual: Verdicts by action, before.
        seen: Verdicts by action, of the configuration on trial.
    """
    before = sum(usual)
    # While there are fewer, those that still come are taken for what would save it.
    judged = max(sum(seen), guard.over_messages)
    for name, times, actions in _limits(guard):
        usually = sum(usual[action] for action in actions) / before
        share = sum(seen[action] for action in actions) / judged
        if share > limit_of(usually, times, guard.least_percent / 100):
            return name, share, usually
    return None


def _limits(guard: Guard) -> Iterator[tuple[str, float, Sequence[Action]]]:
    for name, actions in _COMPARED:
        times: float | None = getattr(guard, f"{name}_share_times")
        if times is not None:
            yield name, times, actions


class Watchman:
    """Counts verdicts of one generation of workers after the other, for the supervisor.

    Args:
        table: Where workers count them.

    Attributes:
        why: Why the last trial failed, in words.
    """

    def __init__(self, table: SharedTable) -> None:
        self._table = table
        self._usual = [0.0] * len(Action)
        # How many were ever taken for usual; a guard may ask for more than the shares are made of.
        self._known = 0
        self._generation = 0
        self._guard: Guard | None = None
        self._seen = [0] * len(Action)
        self._counted: dict[int, tuple[int, ...]] = {}
        self.why = ""

    def follow(self, generation: int) -> None:
        """Count the verdicts of `generation` from here on, and take them as usual."""
        self._generation, self._guard = generation, None
        self._seen = [0] * len(Action)
        self._counted = {}

    def begin(self, generation: int, guard: Guard | None) -> bool:
        """Put `generation` on trial; return whether it is, for that takes verdicts to compare."""
        if self._guard is None:
            self._remember(self._new())
        self.follow(generation)
        if guard is not None and self._known >= guard.over_messages:
            self._guard = guard
        return self._guard is not None

    def look(self) -> Trial:
        """Take in what was counted since the last time; return how the trial is doing."""
        new = self._new()
        if self._guard is None:
            self._remember(new)
            return Trial.NONE
        self._seen = [one + more for one, more in zip(self._seen, new, strict=True)]
        if found := too_many(self._guard, self._usual, self._seen):
            name, share, usually = found
            self.why = (
                f"{name}: {share:.1%} of {max(sum(self._seen), self._guard.over_messages)} "
                f"verdicts, usually {usually:.1%}"
            )
            # What it still says while it is taken back is nothing usual.
            self._guard, self._generation = None, 0
            return Trial.FAILED
        if sum(self._seen) < self._guard.over_messages:
            return Trial.RUNNING
        self._guard = None
        self._remember(self._seen)
        return Trial.HELD

    def _new(self) -> list[int]:
        """Return the verdicts since the last look; a worker that died took none with it but its."""
        new = [0] * len(Action)
        for slot in range(self._table.used):
            if self._table.generation[slot] != self._generation:
                continue
            now = self._table.verdicts_of(slot)
            before = self._counted.get(slot, (0,) * len(now))
            if sum(now) < sum(before):
                before = (0,) * len(now)
            self._counted[slot] = now
            new = [sum(each) - old for *each, old in zip(new, now, before, strict=True)]
        return new

    def _remember(self, new: Sequence[int]) -> None:
        self._known += sum(new)
        self._usual = [old + more for old, more in zip(self._usual, new, strict=True)]
        if (total := sum(self._usual)) > REMEMBERED:
            self._usual = [each * REMEMBERED / total for each in self._usual]
