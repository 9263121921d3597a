"""A comparison of verdicts for people: as a table, as JSON, as a page."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policies.compare import Change, Comparison

_SHOWN: Final = 200


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
    ways = _rows(comparison.by_way())
    domains = _rows(comparison.by_domain())
    changes = _rows(
        (change.message, change.domain, _way(change), ", ".join(change.by) or "thresholds")
        for change in comparison.changes
    )
    title = f"{html.escape(old)} &rarr; {html.escape(new)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font:15px/1.5 sans-serif;margin:2em}table{border-collapse:collapse}"
        "td,th{border-bottom:1px solid #ccc;padding:.2em .8em;text-align:left}</style>"
        f"<h1>{title}</h1>"
        f"<p>{len(comparison.changes)} of {comparison.messages} messages change.</p>"
        f"<table><tr><th>from<th>to<th>messages</tr>{ways}</table>"
        f"<h2>By recipient domain</h2><table><tr><th>domain<th>from<th>to<th>messages</tr>{domains}"
        "</table><h2>Messages</h2><table><tr><th>message<th>recipients<th>change<th>by</tr>"
        f"{changes}</table></html>\n"
    )


def _rows(rows: Iterator[tuple[object, ...]] | Sequence[tuple[object, ...]]) -> str:
    return "".join(
        f"<tr>{''.join(f'<td>{html.escape(str(cell))}' for cell in row)}</tr>" for row in rows
    )
