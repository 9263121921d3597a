"""The most frequent of any number of values, in bounded memory, with an error that is known.

Misra and Gries, Finding repeated elements (1982); merged as Agarwal and others show in Mergeable
summaries (2012): counters are added, then the counter that is the first too many is taken from all,
and those that reach 0 go. Whatever is merged in whatever order, a summary of `kept` counters over n
messages misses at most n / (kept + 1) of any value; the exact bound of each summary is its `error`.

Beside its counter each value has what was counted for it since it came in. That is never too high,
and too low by at most `error` as well: a value that was thrown out had not more than that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import nsmallest
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

# Pruning looks at all counters; done for many new values at once it costs each of them little.
_SLACK: Final = 2


# Counter, messages, unwanted ones, bytes.
Row = tuple[int, int, int, int]


class Heavy(NamedTuple):
    """One frequent value.

    Attributes:
        value: The value.
        messages: How many had it, at least; at most `error` more.
        unwanted: Of these, how many were marked or refused.
        bytes: Bytes of these.
    """

    value: str
    messages: int
    unwanted: int
    bytes: int


@dataclass(slots=True)
class Summary:
    """Counts values.

    Attributes:
        kept: Counters that are left after pruning.
        total: Messages that were counted.
        error: How many messages of any one value may be missing.
        rows: By value.
    """

    kept: int
    total: int = 0
    error: int = 0
    rows: dict[str, Row] = field(default_factory=dict)

    def add(self, value: str, unwanted: int, size: int) -> None:
        """Count one message."""
        self.total += 1
        try:
            counter, messages, bad, total = self.rows[value]
        except KeyError:
            self.rows[value] = (1, 1, unwanted, size)
        else:
            self.rows[value] = (counter + 1, messages + 1, bad + unwanted, total + size)
            return
        if len(self.rows) > _SLACK * self.kept:
            self.prune()

    def copy(self) -> Summary:
        """Return one that may be changed without changing this one."""
        return Summary(self.kept, self.total, self.error, {**self.rows})

    def put(self, value: str, row: Row) -> None:
        """Add the row of another summary to that of `value`; `prune` follows."""
        own = self.rows.get(value)
        if own is not None:
            row = (own[0] + row[0], own[1] + row[1], own[2] + row[2], own[3] + row[3])
        self.rows[value] = row

    def merge(self, other: Summary) -> None:
        """Count all that `other` counted."""
        self.total += other.total
        self.error += other.error
        for value, row in other.rows.items():
            self.put(value, row)
        self.prune()

    def prune(self) -> None:
        """Keep at most `kept` values."""
        if len(self.rows) <= self.kept:
            return
        counters = sorted((row[0] for row in self.rows.values()), reverse=True)
        surplus = counters[self.kept]
        self.error += surplus
        self.rows = {
            value: (row[0] - surplus, *row[1:])
            for value, row in self.rows.items()
            if row[0] > surplus
        }

    def top(self, most: int) -> tuple[Heavy, ...]:
        """Return the `most` frequent values."""
        # Of many thousands that a long window has, few are wanted.
        first = nsmallest(most, self.rows.items(), key=lambda item: (-item[1][1], item[0]))
        return tuple([Heavy(value, *row[1:]) for value, row in first])


def merged(kept: int, summaries: Iterable[Summary]) -> Summary:
    """Return a summary of all that `summaries` counted, for reading: nothing is thrown out."""
    whole = Summary(kept)
    rows = whole.rows
    for summary in summaries:
        whole.total += summary.total
        whole.error += summary.error
        # As `put` does it; a question about a long window adds some 40,000.
        for value, row in summary.rows.items():
            own = rows.get(value)
            rows[value] = (
                row
                if own is None
                else (own[0] + row[0], own[1] + row[1], own[2] + row[2], own[3] + row[3])
            )
    return whole
