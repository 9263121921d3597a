"""What a reader keeps of the slots that are over, so that asking again costs little.

They hardly change, and yet they may: a worker whose store was away writes late. So what is kept
holds only while the store shows the same as when it was read. Of sums these are the rows that are
told over time: whatever else is counted comes in a batch with one of them. Of sketches it is a
digest of the records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from operator import add
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from reputation.statistics.campaigns import Campaigns
from reputation.statistics.deposit import decode, read_records
from reputation.statistics.heavy import Summary, merged
from reputation.statistics.observation import BY_NAME, CAMPAIGN, SKETCHES
from reputation.statistics.windows import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from reputation.statistics.tally import Sketches
    from reputation.statistics.windows import Width
    from reputation.store import Row, Store

T = TypeVar("T")
# Spans that are kept, each of a window; the fullest ones have some 20 MB.
_KEPT: Final = 3


class _Kept(Generic[T]):
    """The last few values that were made, by what they are of and what they were made from."""

    def __init__(self) -> None:
        self._values: dict[Hashable, tuple[Hashable, T]] = {}

    def get(self, name: Hashable, source: Hashable, make: Callable[[], T]) -> T:
        """Return the value of `name`, made anew where it was made from another source."""
        known = self._values.pop(name, None)
        value = known[1] if known and known[0] == source else make()
        self._values[name] = (source, value)
        if len(self._values) > _KEPT:
            del self._values[next(iter(self._values))]
        return value


@dataclass(frozen=True, slots=True)
class _Whole:
    """All that slots which are over have of one sketch.

    Attributes:
        summary: Nothing of it was thrown out.
        first: Its most frequent values.
        campaigns: For the sketch of campaigns, with all of the summary in its index.
    """

    summary: Summary
    first: frozenset[str]
    campaigns: Campaigns | None = None

    def with_running(self, running: Summary) -> Summary:
        """Return a summary of these slots and the running one, for its most frequent values.

        Those are among the most frequent ones before, whose counts can only have grown, and those
        of the running slot.
        """
        whole = self.summary
        if self.campaigns is None:
            known = self.first | (running.rows.keys() & whole.rows.keys())
            rows = {value: whole.rows[value] for value in known}
            before = Summary(whole.kept, whole.total, whole.error, rows)
            return merged(whole.kept, [before, running])
        campaigns = self.campaigns.copy()
        campaigns.merge(running)
        both = campaigns.summary
        both.rows = {
            value: row
            for value, row in both.rows.items()
            if value in self.first or row is not whole.rows.get(value)
        }
        return both


@dataclass(slots=True)
class Past:
    """Reads spans of slots of which the last one is running; for one thread.

    Attributes:
        most: Of each sketch so many values are wanted.
    """

    most: int
    _sums: _Kept[Mapping[bytes, tuple[int, ...]]] = field(default_factory=_Kept)
    _sketches: _Kept[Mapping[str, _Whole]] = field(default_factory=_Kept)

    def totals(
        self, store: Store, width: Width, span: tuple[int, int], told: Sequence[Row]
    ) -> Mapping[bytes, tuple[int, ...]]:
        """Return the sums of a span by key.

        Args:
            store: Has them.
            width: Of the slots.
            span: The first and the last slot.
            told: What is told over time of this span, read before.

        Raises:
            StoreError: The store does not answer.
        """
        first, last = span
        over = tuple([row for row in told if row.slot < last])
        before = self._sums.get(
            (width, span), over, lambda: store.totals(width.series, first, last - 1)
        )
        both = {**before}
        for key, amounts in store.totals(width.series, last, last).items():
            own = before.get(key)
            both[key] = amounts if own is None else tuple(map(add, own, amounts))
        return both

    def tops(
        self, store: Store, width: Width, span: tuple[int, int], now: float
    ) -> dict[str, Summary]:
        """Return by name the sketches of a span, whole as to their most frequent values.

        Raises:
            StoreError: The store does not answer.
        """
        records = [
            record
            for piece, first, last in pieces(width, *span)
            for record in read_records(store, piece, first, last, now)
        ]
        over, running = [one for one in records[:-1] if one], decode(records[-1])
        digest = blake2b()
        for one in over:
            digest.update(blake2b(one).digest())
        wholes = self._sketches.get(
            (width, span), digest.digest(), lambda: _wholes([*map(decode, over)], self.most)
        )
        return {
            name: whole.with_running(running.get(name, Summary(whole.summary.kept)))
            for name, whole in wholes.items()
        }


def _wholes(sketches: Sequence[Sketches], most: int) -> dict[str, _Whole]:
    return {one.name: _whole(one.name, sketches, most) for one in SKETCHES}


def _whole(name: str, sketches: Sequence[Sketches], most: int) -> _Whole:
    summary = merged(BY_NAME[name].kept, [one[name] for one in sketches if name in one])
    if name != CAMPAIGN:
        return _Whole(summary, _first(summary, most))
    # What has the same name needs no comparison; of the rest, as many may be left as there are.
    campaigns = Campaigns(Summary(len(summary.rows)))
    campaigns.merge(summary)
    summary = campaigns.summary
    return _Whole(summary, _first(summary, most), campaigns)


def _first(summary: Summary, most: int) -> frozenset[str]:
    return frozenset([one.value for one in summary.top(most)])
