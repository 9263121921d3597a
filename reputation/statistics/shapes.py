"""Figures as plain values, for JSON and CSV.

Values that may point to somebody (`Dimension.personal`) are left out unless they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reputation.statistics.observation import BY_NAME, DIMENSIONS
from reputation.statistics.windows import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reputation.statistics.figures import Count, Figures, Moment, Top
    from reputation.statistics.money import Item, Money

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

COLUMNS: Final = ("dimension", "value", "messages", "bytes", "unwanted", "bytes_saved", "error")


def plain(figures: Figures, spent: Money, *, personal: bool) -> dict[str, Json]:
    """Return all figures as JSON has them.

    `dimensions` are exact, `top` is of sketches: no count there is too high, and none too low by
    more than `error` messages. Times are seconds since the epoch.
    """
    exact = {name: _values(values) for name, values in figures.counts.items() if name != "all"}
    tops = {
        name: _top(top)
        for name, top in figures.tops.items()
        if personal or not BY_NAME[name].personal
    }
    return {
        "since": figures.since,
        "until": figures.until,
        "step_s": figures.step_s,
        "totals": _count(figures.total),
        "dimensions": {one.name: exact[one.name] for one in DIMENSIONS if one.name in exact},
        "timeline": [_moment(moment) for moment in figures.timeline],
        "top": dict(tops),
        "cpu_s": round(figures.cpu_s, 3),
        "money": _money(spent),
    }


def rows(figures: Figures, *, personal: bool) -> Iterator[tuple[str | int, ...]]:
    """Give the rows of a table with `COLUMNS`; sketches have no bytes that were saved."""
    yield COLUMNS
    for dimension in DIMENSIONS:
        if dimension.personal and not personal:
            continue
        for value, count in figures.counts.get(dimension.name, {}).items():
            yield (dimension.name, value, *count, 0)
        if top := figures.tops.get(dimension.name):
            for one in top.entries:
                counts = (one.messages, one.bytes, one.unwanted, "")
                yield (dimension.name, one.value, *counts, top.error)


def windows() -> list[str]:
    """Return the names of the windows, the shortest first."""
    return list(WINDOWS)


def _values(values: Mapping[str, Count]) -> list[Json]:
    return [{"value": value, **_count(count)} for value, count in values.items()]


def _count(count: Count) -> dict[str, Json]:
    return {
        "messages": count.messages,
        "bytes": count.bytes,
        "unwanted": count.unwanted,
        "bytes_saved": count.saved,
    }


def _moment(moment: Moment) -> Json:
    def by(name: str) -> dict[str, Json]:
        return {value: count.messages for value, count in moment.counts.get(name, {}).items()}

    everything = moment.counts.get("all", {}).get("")
    return {
        "at": moment.at,
        "messages": everything.messages if everything else 0,
        "bytes": everything.bytes if everything else 0,
        "unwanted": everything.unwanted if everything else 0,
        "actions": by("action"),
        "kinds": by("kind"),
        "directions": by("direction"),
    }


def _top(top: Top) -> Json:
    return {
        "error": top.error,
        "counted": top.total,
        "entries": [
            {
                "value": one.value,
                "messages": one.messages,
                "unwanted": one.unwanted,
                "bytes": one.bytes,
            }
            for one in top.entries
        ],
    }


def _money(spent: Money) -> Json:
    def items(some: tuple[Item, ...]) -> list[Json]:
        return [
            {"name": one.name, "amount": round(one.amount, 4), "formula": one.formula}
            for one in some
        ]

    return {
        "currency": spent.currency,
        "spent": items(spent.spent),
        "saved": items(spent.saved),
        "spent_total": round(spent.spent_total, 4),
        "saved_total": round(spent.saved_total, 4),
    }
