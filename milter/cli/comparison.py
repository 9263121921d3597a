"""A comparison of verdicts for people: as a table, as JSON, as a page."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.compare import Change, Comparison

_SHOWN: Final = 200
_FITS: Final = '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
# Names of files may be long and have no blank; colours are those of the reader's system.
_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:15px/1.5 sans-serif;margin:2em}"
    "h1{overflow-wrap:anywhere}table{border-collapse:collapse}"
    "td,th{border-bottom:1px solid #888;padding:.2em .8em;text-align:left;vertical-align:top}"
    "td{overflow-wrap:anywhere;min-width:4em}"
)


def table(comparison: Comparison) -> str:
    """Return the changes, and their sums by way and by recipient domain."""
    lines = []
    for change in comparison.changes[:_SHOWN]:
        lines.append(f"{_way(change)}  {change.message}  by {', '.join(change.by) or 'thresholds'}")
    if len(comparison.changes) > _SHOWN:
        lines.append(f"... and {len(comparison.changes) - _SHOWN} more: --json has all")
    lines.append(f"{len(comparison.changes)} of {comparison.messages} messages change")
    lines += [f"  {count:>6}  {old} -> {new}" for old, new, count in comparison.by_way()]
    domains = [row for row in comparison.by_domain() if row[0]]
    if domains:
        lines.append("by recipient domain")
        lines += [f"  {count:>6}  {domain}: {old} -> {new}" for domain, old, new, count in domains]
    return "\n".join(lines)


def _way(change: Change) -> str:
    points = f"{change.old.score:g} -> {change.new.score:g}"
    return f"{change.old.action} -> {change.new.action} ({points})"


def as_json(comparison: Comparison) -> str:
    """Return all of it as one JSON object."""
    return json.dumps(
        {
            "messages": comparison.messages,
            "changes": [
                {
                    "message": change.message,
                    "domain": change.domain,
                    "old": _side(change, new=False),
                    "new": _side(change, new=True),
                    "by": change.by,
                }
                for change in comparison.changes
            ],
            "by_way": comparison.by_way(),
            "by_domain": comparison.by_domain(),
        },
        indent=2,
    )


def _side(change: Change, *, new: bool) -> dict[str, object]:
    side = change.new if new else change.old
    return {"action": side.action, "score": side.score, "rule": side.rule}


def page(old: str, new: str, comparison: Comparison) -> str:
    """Return a page of its own, without scripts or anything from elsewhere."""
    changes = [
        (change.message, change.domain, _way(change), ", ".join(change.by) or "thresholds")
        for change in comparison.changes
    ]
    domains = [(domain or "not known", *row) for domain, *row in comparison.by_domain()]
    title = f"{html.escape(old)} &rarr; {html.escape(new)}"
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n{_FITS}'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n<h1>{title}</h1>\n"
        f"<p>{len(comparison.changes)} of {comparison.messages} messages change.</p>\n"
        f"{_table('', ('from', 'to', 'messages'), comparison.by_way())}"
        f"{_table('By recipient domain', ('domain', 'from', 'to', 'messages'), domains)}"
        f"{_table('Messages', ('message', 'recipient domain', 'change', 'by'), changes)}"
        "</html>\n"
    )


def _table(title: str, names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> str:
    """Return a table below its title; nothing where it has no rows."""
    if not rows:
        return ""
    head = f"<h2>{title}</h2>\n" if title else ""
    return f"{head}<table>\n{_row('th', names)}{''.join(_row('td', row) for row in rows)}</table>\n"


def _row(kind: str, cells: Sequence[object]) -> str:
    return f"<tr>{''.join(f'<{kind}>{html.escape(str(cell))}' for cell in cells)}</tr>\n"
