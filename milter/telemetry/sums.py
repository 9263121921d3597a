"""Sums that a process keeps of a metric until they are moved into the library's series.

prometheus-client takes 3 to 8 microseconds for each call where several processes share their
numbers: a lock, and a write into a mapped file. A message makes some twenty such calls. Here a call
adds to a number of our own, and `flush` moves what has gathered. Which metrics there are is not
known here.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client import Counter, Histogram

# A label value that a mistake of ours took from the peer must not grow the memory of the scraper.
MAX_SERIES: Final = 500
OTHER: Final = "other"


class _Sum:
    """What is to be added to one series of a counter."""

    __slots__ = ("series", "waiting")

    def __init__(self, series: Counter) -> None:
        self.series = series
        self.waiting = 0.0

    def flush(self) -> None:
        if self.waiting:
            waiting, self.waiting = self.waiting, 0.0
            self.series.inc(waiting)


class Sums:
    """The series of one counter: made once for each set of labels, bounded in number.

    Args:
        family: The counter.
        labels: How many labels it has.
        known: First labels that get a series; None: the first ones that occur.
    """

    __slots__ = ("_family", "_known", "_other", "_sums")

    def __init__(self, family: Counter, labels: int, known: frozenset[str] | None = None) -> None:
        self._family = family
        self._other = (OTHER,) * labels
        self._known = known
        self._sums: dict[tuple[str, ...], _Sum] = {}

    def add(self, labels: tuple[str, ...], amount: float = 1) -> None:
        """Add `amount` to the series with these label values."""
        one = self._sums.get(labels)
        if one is None:
            one = self._new(labels)
        one.waiting += amount

    def flush(self) -> None:
        """Move what has gathered into the series."""
        for one in self._sums.values():
            one.flush()

    def _new(self, labels: tuple[str, ...]) -> _Sum:
        unknown = self._known is not None and labels[0] not in self._known
        if unknown or len(self._sums) >= MAX_SERIES:
            labels = self._other
            if labels in self._sums:
                # What became `other` is looked up again each time: a dictionary of it would grow.
                return self._sums[labels]
        one = self._sums[labels] = _Sum(self._family.labels(*labels) if labels else self._family)
        return one


class Timing:
    """The durations of one series of a histogram.

    Args:
        series: A histogram with the buckets `bounds`.
        bounds: Upper bounds of its buckets, rising, without the infinite one.
    """

    __slots__ = ("_bounds", "_durations", "_series")

    def __init__(self, series: Histogram, bounds: Sequence[float]) -> None:
        self._series = series
        self._bounds = bounds
        self._durations: list[float] = []

    def add(self, seconds: float) -> None:
        """Observe `seconds`."""
        self._durations.append(seconds)

    def flush(self) -> None:
        """Move what has gathered into the series."""
        if not self._durations:
            return
        durations, self._durations = self._durations, []
        # Sorted into buckets here, many at once, and not where a message waits for it.
        counts = [0] * (len(self._bounds) + 1)
        for seconds in durations:
            counts[bisect_left(self._bounds, seconds)] += 1
        _observe_all(self._series, counts, sum(durations))


class Timings:
    """The series of one histogram: made once for each label value, bounded in number.

    Args:
        make: Returns the series with a label value.
    """

    __slots__ = ("_durations", "_make", "_timings")

    def __init__(self, make: Callable[[str], Timing]) -> None:
        self._make = make
        self._timings: dict[str, Timing] = {}
        self._durations: list[tuple[str, float]] = []

    def add(self, label: str, seconds: float) -> None:
        """Observe `seconds` in the series with this label value."""
        self._durations.append((label, seconds))

    def flush(self) -> None:
        """Move what has gathered into the series."""
        durations, self._durations = self._durations, []
        for label, seconds in durations:
            timing = self._timings.get(label)
            if timing is None:
                timing = self._new(label)
            timing.add(seconds)
        for timing in self._timings.values():
            timing.flush()

    def _new(self, label: str) -> Timing:
        label = label if len(self._timings) < MAX_SERIES else OTHER
        if label not in self._timings:
            self._timings[label] = self._make(label)
        return self._timings[label]


def _observe_all(series: Histogram, counts: Sequence[int], seconds: float) -> None:
    """Do what `series.observe` does for each of many durations, sorted into buckets already.

    The library has no call for it. Its attributes are not public, so they are touched here alone,
    and a test compares with `observe`.
    """
    series._sum.inc(seconds)  # noqa: SLF001
    for bucket, count in zip(series._buckets, counts, strict=True):  # noqa: SLF001
        if count:
            bucket.inc(count)
