"""A report on a period, in the order of the questions that the ITU asked its members about spam.

Volume, types, features, routes, sources, measures, investment (WTSA Resolution 52). Pure: figures
in, sections out; how they are written is the business of whoever writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from reputation.statistics.observation import BY_NAME

if TYPE_CHECKING:
    from reputation.statistics.figures import Figures
    from reputation.statistics.money import Money
    from reputation.statistics.period import Period

_MOST: Final = 30
_HEAD: Final = ("messages", "share", "unwanted", "bytes")
_NOTES: Final = {"country": "ZZ: unknown.", "route": "ZZ: unknown."}


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        title: What it shows.
        head: Names of its columns.
        rows: Texts, one a column.
        note: What has to be known to read it; may be empty.
        bars: For a picture: name and number of each row; empty: no picture.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    bars: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """The answer to one question."""

    title: str
    tables: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All of it.

    Attributes:
        title: Of the report.
        period: What it is about, in words.
        sections: In the order of the questions.
    """

    title: str
    period: str
    sections: tuple[Section, ...]


def report(period: Period, figures: Figures, spent: Money, *, personal: bool = False) -> Report:
    """Return the report; values that may point to somebody only with `personal`."""
    return Report(
        f"Spam report {period.name}",
        f"{_day(figures.since)} to {_day(figures.until - 1)} (UTC)",
        (
            Section("Volume", (_volume(figures), _exact(figures, "direction"), _days(figures))),
            Section("Types", (_exact(figures, "kind"),)),
            Section(
                "Features",
                (
                    *(_exact(figures, name) for name in ("language", "script", "size", "auth")),
                    _exact(figures, "symbol"),
                    _top(figures, "campaign"),
                ),
            ),
            Section(
                "Routes",
                (
                    *(_exact(figures, name) for name in ("listener", "hops", "route")),
                    _top(figures, "network_route"),
                ),
            ),
            Section("Sources", _sources(figures, personal=personal)),
            Section("Measures", tuple(_exact(figures, n) for n in ("action", "stage", "shadow"))),
            Section("Investment", (_investment(spent),)),
        ),
    )


def _volume(figures: Figures) -> Table:
    total = figures.total
    rows = (
        ("Messages", f"{total.messages:,}"),
        ("Of these marked or refused", f"{total.unwanted:,} ({_share(figures, total.unwanted)})"),
        ("Bytes", f"{total.bytes:,}"),
        ("Bytes that were announced and never sent", f"{total.saved:,}"),
    )
    return Table("All mail", ("", ""), rows)


def _days(figures: Figures) -> Table:
    rows, bars = [], []
    counted = [place for place, one in enumerate(figures.timeline) if one.counts]
    began = counted[0] if counted else len(figures.timeline)
    for moment in figures.timeline[began:]:
        count = moment.counts.get("all", {}).get("")
        messages = count.messages if count else 0
        unwanted = count.unwanted if count else 0
        rows.append((_day(moment.at), f"{messages:,}", f"{unwanted:,}"))
        bars.append((_day(moment.at), float(messages)))
    head = ("day", "messages", "unwanted")
    note = f"Nothing was counted before {rows[0][0]}." if rows and began else ""
    return Table("Day by day", head, tuple(rows), note, bars=tuple(bars))


def _exact(figures: Figures, name: str) -> Table:
    values = list(figures.counts.get(name, {}).items())[:_MOST]
    rows = tuple(
        [
            (value, *_cells(figures, count.messages, count.unwanted, count.bytes))
            for value, count in values
        ]
    )
    bars = tuple([(value, float(count.messages)) for value, count in values])
    note = _NOTES.get(name, "")
    return Table(_title(name), (name.replace("_", " "), *_HEAD), rows, note, bars=bars)


def _top(figures: Figures, name: str) -> Table:
    top = figures.tops[name]
    entries = top.entries[:_MOST]
    rows = tuple(
        [(one.value, *_cells(figures, one.messages, one.unwanted, one.bytes)) for one in entries]
    )
    note = f"Each count may be too low by up to {top.error:,} messages." if top.error else ""
    bars = tuple([(one.value, float(one.messages)) for one in entries])
    return Table(_title(name), (name.replace("_", " "), *_HEAD), rows, note, bars)


def _sources(figures: Figures, *, personal: bool) -> tuple[Table, ...]:
    tables = (_exact(figures, "country"), _top(figures, "network"))
    if not personal:
        return tables
    return (*tables, _top(figures, "block"), _top(figures, "recipient_domain"))


def _investment(spent: Money) -> Table:
    rows = [
        *((f"spent: {one.name}", f"{one.amount:.2f}", one.formula) for one in spent.spent),
        ("spent, all", f"{spent.spent_total:.2f}", ""),
        *((f"saved: {one.name}", f"{one.amount:.2f}", one.formula) for one in spent.saved),
        ("saved, all", f"{spent.saved_total:.2f}", ""),
    ]
    note = "An estimate: prices and times are settings of this site (`statistics.costs`)."
    if not (spent.spent_total or spent.saved_total):
        note = "Without prices and times (`statistics.costs`) all of it is 0."
    return Table("Money", ("what", spent.currency, "formula"), tuple(rows), note)


def _cells(figures: Figures, messages: int, unwanted: int, size: int) -> tuple[str, ...]:
    return f"{messages:,}", _share(figures, messages), f"{unwanted:,}", f"{size:,}"


def _share(figures: Figures, messages: int) -> str:
    total = figures.total.messages
    return f"{100 * messages / total:.1f} %" if total else "-"


def _title(name: str) -> str:
    words = BY_NAME[name].words
    return f"{words[0].upper()}{words[1:]}"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
