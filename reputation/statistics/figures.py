"""The figures of a window, read from the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from reputation.statistics.observation import BY_NAME
from reputation.statistics.past import Past
from reputation.statistics.tally import CPU
from reputation.statistics.windows import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reputation.statistics.heavy import Heavy
    from reputation.statistics.windows import Width, Window
    from reputation.store import Store

TOP: Final = 50
_CPU_KEY: Final = f"{CPU[0]}={CPU[1]}".encode()


class Count(NamedTuple):
    """What was counted for one value.

    Attributes:
        messages: How many.
        bytes: Their bytes.
        unwanted: How many were marked or refused.
        saved: Announced bytes that were never sent.
    """

    messages: int = 0
    bytes: int = 0
    unwanted: int = 0
    saved: int = 0


NOTHING: Final = Count()


@dataclass(frozen=True, slots=True)
class Moment:
    """One slot.

    Attributes:
        at: Its beginning, in seconds since the epoch.
        counts: By dimension and value, for those that are told over time.
    """

    at: int
    counts: Mapping[str, Mapping[str, Count]]


@dataclass(frozen=True, slots=True)
class Top:
    """The most frequent values of a sketch.

    Attributes:
        entries: The most frequent first.
        error: How many messages any count may be too low by; none is too high.
        total: Messages that were counted.
    """

    entries: tuple[Heavy, ...]
    error: int
    total: int


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a span of time.

    Attributes:
        since: Its first second, since the epoch.
        until: The first second after it, or now.
        step_s: Width of its slots.
        counts: By dimension and value, the most messages first.
        timeline: Slot by slot up to now, those without mail too.
        tops: By dimension.
        cpu_s: CPU time that the workers used.
    """

    since: int
    until: int
    step_s: int
    counts: Mapping[str, Mapping[str, Count]]
    timeline: tuple[Moment, ...]
    tops: Mapping[str, Top]
    cpu_s: float = 0.0

    @property
    def total(self) -> Count:
        """Of all messages."""
        return self.of("all", "")

    def of(self, dimension: str, value: str) -> Count:
        """Return the count of one value."""
        return self.counts.get(dimension, {}).get(value, NOTHING)


def read_window(store: Store, window: Window, now: float, past: Past | None = None) -> Figures:
    """Return the figures of a window that ends now.

    Args:
        store: Has them.
        window: Which one.
        now: Seconds since the epoch.
        past: Who asks again and again gives the same one: it costs a fraction then.

    Raises:
        StoreError: The store does not answer.
    """
    return _read(store, window.width, window.span(now), now, past or Past(TOP))


def read_days(store: Store, first: int, last: int, now: float, most: int = TOP) -> Figures:
    """Return the figures of whole days, numbered since 1970 (UTC), both included.

    Raises:
        StoreError: The store does not answer.
    """
    return _read(store, DAY, (first, last), now, Past(most))


def _read(store: Store, width: Width, span: tuple[int, int], now: float, past: Past) -> Figures:
    first, last = span
    told = store.sums(width.timeline, first, last)
    totals = past.totals(store, width, span, told)
    cpu_us = totals.get(_CPU_KEY, (0,))[0]
    slots: dict[int, dict[bytes, Sequence[int]]] = {}
    for row in told:
        slots.setdefault(row.slot, {})[row.key] = row.amounts
    # Slots that have not come yet are none without mail.
    told_to = min(last, max(width.slot(now), *slots, first))
    return Figures(
        since=first * width.seconds,
        until=int(min((last + 1) * width.seconds, max(now, first * width.seconds))),
        step_s=width.seconds,
        counts={name: _ordered(values) for name, values in _counts(totals).items()},
        timeline=tuple(
            [
                Moment(slot * width.seconds, _counts(slots.get(slot, {})))
                for slot in range(first, told_to + 1)
            ]
        ),
        tops={
            name: Top(one.top(past.most), one.error, one.total)
            for name, one in past.tops(store, width, span, now).items()
        },
        cpu_s=cpu_us / 1e6,
    )


def _counts(rows: Mapping[bytes, Sequence[int]]) -> dict[str, dict[str, Count]]:
    """Return rows of the store by dimension and value."""
    counts: dict[str, dict[str, Count]] = {}
    for key, amounts in rows.items():
        name, _, value = key.decode("utf-8", "replace").partition("=")
        if name in BY_NAME and len(amounts) == len(NOTHING):
            counts.setdefault(name, {})[value] = Count(*amounts)
    return counts


def _ordered(values: Mapping[str, Count]) -> dict[str, Count]:
    return dict(sorted(values.items(), key=lambda item: (-item[1].messages, item[0])))
