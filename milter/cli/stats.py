"""`gatepost stats`: what came in and what was done with it, drawn in the terminal."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from milter.cli.explain import printable
from milter.cli.options import configuration_option
from milter.cli.stores import opened_store
from milter.daemon.figures import prices_of
from reputation.statistics.figures import read_window
from reputation.statistics.money import money
from reputation.statistics.shapes import plain, windows
from reputation.statistics.windows import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from reputation.statistics.figures import Figures
    from reputation.statistics.money import Money

_SPARKS: Final = "▁▂▃▄▅▆▇█"
_BAR: Final = 24
_MOST: Final = 10
_WIDEST: Final = 90
_EXACT: Final = (
    *("action", "kind", "stage", "country", "route", "hops", "symbol", "auth", "language"),
    "shadow",
)
_TOPS: Final = ("network", "block", "recipient_domain", "campaign")
_PRIVATE: Final = ("network", "campaign")


@click.command(help="Show what was counted over a window of time.")
@click.option("--window", "word", default="1h", type=click.Choice(windows()), help="How long.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@configuration_option("Configuration that names the store")
def stats(word: str, path: str | None, *, as_json: bool) -> None:
    """Print the statistics of a window; read from the store, whether or not a daemon runs."""
    with opened_store(path) as (store, settings):
        figures = read_window(store, WINDOWS[word], time.time())
    spent = money(figures, prices_of(settings))
    personal = not settings.statistics.privacy
    if as_json:
        told = {"window": word, **plain(figures, spent, personal=personal)}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    Console().print(drawn(figures, spent, personal=personal))


def drawn(figures: Figures, spent: Money, *, personal: bool) -> RenderableType:
    """Return the figures as a person reads them."""
    parts: list[RenderableType] = [_head(figures), _over_time(figures)]
    for name in _EXACT:
        values = figures.counts.get(name, {})
        if values:
            counts = [(value, one.messages) for value, one in values.items()]
            parts.append(_bars(name, counts, figures.total.messages))
    for name in _TOPS if personal else _PRIVATE:
        top = figures.tops[name]
        if top.entries:
            title = f"{name} (each up to {top.error} more)" if top.error else name
            counts = [(one.value, one.messages) for one in top.entries]
            parts.append(_bars(title, counts, figures.total.messages))
    if spent.spent_total or spent.saved_total:
        parts.append(_money(spent))
    return Group(*parts)


def _head(figures: Figures) -> Text:
    total = figures.total
    share = f" ({100 * total.unwanted / total.messages:.1f} %)" if total.messages else ""
    return Text(
        f"{_time(figures.since)} to {_time(figures.until)} UTC\n"
        f"{total.messages:,} messages, {total.bytes:,} bytes\n"
        f"{total.unwanted:,}{share} marked or refused; {total.saved:,} bytes never sent\n"
    )


def _over_time(figures: Figures) -> Text:
    counts = [moment.counts.get("all", {}).get("") for moment in figures.timeline]
    messages = [one.messages if one else 0 for one in counts]
    bounded = _summed(messages, _WIDEST)
    most = max(bounded, default=0) or 1
    sparks = "".join([_SPARKS[(len(_SPARKS) - 1) * each // most] for each in bounded])
    return Text(f"{sparks}  up to {max(messages, default=0):,} in {figures.step_s} s\n")


def _summed(values: Sequence[int], most: int) -> list[int]:
    """Return at most `most` values: neighbours together where there are more."""
    step = -(-len(values) // most) if values else 1
    return [sum(values[i : i + step]) for i in range(0, len(values), step)]


def _bars(title: str, counts: Iterable[tuple[str, int]], total: int) -> Table:
    table = Table(title=title.replace("_", " "), title_justify="left", box=None, show_header=False)
    table.add_column(max_width=40)
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column()
    some = list(counts)
    most = max((messages for _, messages in some), default=0) or 1
    for value, messages in some[:_MOST]:
        share = f"{100 * messages / total:.1f} %" if total else ""
        bar = "█" * max(1, _BAR * messages // most)
        # Names of networks are from a table of others.
        table.add_row(Text(printable(value)), f"{messages:,}", share, bar)
    if len(some) > _MOST:
        table.add_row(Text(f"and {len(some) - _MOST} more"), "", "", "")
    return table


def _money(spent: Money) -> Table:
    table = Table(title=f"money, {spent.currency}", title_justify="left", box=None)
    for name in ("what", "amount", "formula"):
        table.add_column(name)
    for word, items in (("spent", spent.spent), ("saved", spent.saved)):
        for item in items:
            table.add_row(f"{word}: {item.name}", f"{item.amount:.2f}", item.formula)
    return table


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
