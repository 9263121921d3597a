"""Two verdicts on the same messages side by side: what changed, by what, for whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policies.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Side:
    """What one policy says of a message: the word of the action, points, what decided."""

    action: str
    score: float
    rule: str

    @classmethod
    def of(cls, verdict: Verdict) -> Side:
        """Return what `verdict` says."""
        return cls(verdict.action.word, verdict.score, verdict.rule)


@dataclass(frozen=True, slots=True)
class Change:
    """One message that is treated otherwise.

    Attributes:
        message: Its name.
        domain: Domain of its recipients; empty when not known.
        old: What the old policy says.
        new: What the new policy says.
        by: Rules and symbols that count under one of the two and not, or otherwise, under the
            other.
    """

    message: str
    domain: str
    old: Side
    new: Side
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """All messages of a comparison.

    Attributes:
        messages: How many were judged.
        changes: Those that are treated otherwise, in the order in which they were judged.
    """

    messages: int
    changes: tuple[Change, ...]

    def by_way(self) -> list[tuple[str, str, int]]:
        """Return how many messages go from which action to which, the most first."""
        counts = Counter((change.old.action, change.new.action) for change in self.changes)
        rows = [(old, new, count) for (old, new), count in counts.items()]
        return sorted(rows, key=lambda row: (-row[2], row[0], row[1]))

    def by_domain(self) -> list[tuple[str, str, str, int]]:
        """Return the same for each recipient domain, in the order of their names."""
        counts = Counter((each.domain, each.old.action, each.new.action) for each in self.changes)
        return sorted((domain, old, new, count) for (domain, old, new), count in counts.items())


def changed(message: str, domain: str, old: Verdict, new: Verdict) -> Change | None:
    """Return the change of one message; None where both policies do the same."""
    if old.action is new.action:
        return None
    return Change(message, domain, Side.of(old), Side.of(new), _by(old, new))


def _by(old: Verdict, new: Verdict) -> tuple[str, ...]:
    """Return what counts differently, what decided first."""
    sides = [
        {
            # Of a record only what decided is known to be a rule.
            **({verdict.rule: None} if verdict.rule else {}),
            **{finding.symbol: None for finding in verdict.found},
            **{one.symbol: one.counted for one in verdict.contributions},
        }
        for verdict in (old, new)
    ]
    missing = object()
    differing = sorted(
        symbol
        for symbol in sides[0].keys() | sides[1].keys()
        if sides[0].get(symbol, missing) != sides[1].get(symbol, missing)
    )
    decisive = [rule for rule in (new.rule, old.rule) if rule in differing]
    return tuple(dict.fromkeys([*decisive, *differing]))


def compared(changes: Iterable[Change | None]) -> Comparison:
    """Return the comparison of all messages, one item each."""
    every = list(changes)
    return Comparison(len(every), tuple(change for change in every if change is not None))
