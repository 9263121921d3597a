"""A report as Markdown, and as one HTML file with its pictures in it."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reputation.statistics.report import Report, Section, Table

_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>#|!])")
_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { padding: .2rem .8rem .2rem 0; text-align: start; border-bottom: 1px solid #8886; }
td:not(:first-child) { font-variant-numeric: tabular-nums; }
svg { max-width: 100%; height: auto; display: block; }
svg rect { fill: #2f6fb3; }
svg text { fill: currentColor; font: 12px system-ui, sans-serif; }
"""
_BARS: Final = 15
_ROW: Final = 20
_NAME: Final = 220
_WIDTH: Final = 640
_HEIGHT: Final = 140
# So many bars side by side are a picture of time; fewer stand below each other with their names.
_MANY: Final = 25


def as_markdown(report: Report) -> str:
    """Return the report as Markdown with tables."""
    lines = [f"# {_plain(report.title)}", "", _plain(report.period), ""]
    for number, section in enumerate(report.sections, 1):
        lines += [f"## {number}. {section.title}", ""]
        for table in section.tables:
            lines += _markdown_table(table)
    return "\n".join(lines)


def as_html(report: Report) -> str:
    """Return the report as a page that needs nothing else: no script, no font, no request."""
    sections = "\n".join(
        _html_section(number, section) for number, section in enumerate(report.sections, 1)
    )
    title = escape(report.title)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        f"<h1>{title}</h1>\n<p>{escape(report.period)}</p>\n{sections}\n</main></body>\n</html>\n"
    )


def _markdown_table(table: Table) -> list[str]:
    lines = [f"### {_plain(table.title)}", ""]
    if not table.rows:
        return [*lines, "Nothing was counted.", ""]
    if table.note:
        lines += [_plain(table.note), ""]
    for row in (table.head, ["---"] * len(table.head), *table.rows):
        lines.append(f"| {' | '.join(cell if cell == '---' else _plain(cell) for cell in row)} |")
    return [*lines, ""]


def _plain(text: str) -> str:
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _html_section(number: int, section: Section) -> str:
    tables = "\n".join(_html_table(table) for table in section.tables)
    return f"<section>\n<h2>{number}. {escape(section.title)}</h2>\n{tables}\n</section>"


def _html_table(table: Table) -> str:
    title = f"<h3>{escape(table.title)}</h3>"
    if not table.rows:
        return f"{title}\n<p>Nothing was counted.</p>"
    note = f"<p>{escape(table.note)}</p>" if table.note else ""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.head)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return (
        f"{title}\n{note}{_picture(table)}\n<table>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )


def _picture(table: Table) -> str:
    """Return the bars of a table as inline SVG; nothing where it has none."""
    if not any(number for _, number in table.bars):
        return ""
    return _columns(table) if len(table.bars) > _MANY else _lines(table)


def _lines(table: Table) -> str:
    bars = table.bars[:_BARS]
    most = max(number for _, number in bars)
    height = _ROW * len(bars)
    drawn = "".join(
        f'<text x="0" y="{_ROW * place + 14}">{escape(name[:32])}</text>'
        f'<rect x="{_NAME}" y="{_ROW * place + 3}" height="{_ROW - 6}"'
        f' width="{max(1.0, (_WIDTH - _NAME) * number / most):.1f}"/>'
        for place, (name, number) in enumerate(bars)
    )
    return _svg(table, height, drawn)


def _columns(table: Table) -> str:
    most = max(number for _, number in table.bars)
    step = _WIDTH / len(table.bars)
    drawn = "".join(
        f'<rect x="{step * place:.1f}" y="{_HEIGHT - _HEIGHT * number / most:.1f}"'
        f' width="{step * 0.8:.1f}" height="{_HEIGHT * number / most:.1f}">'
        f"<title>{escape(name)}: {number:,.0f}</title></rect>"
        for place, (name, number) in enumerate(table.bars)
    )
    return _svg(table, _HEIGHT, drawn)


def _svg(table: Table, height: int, drawn: str) -> str:
    words = escape(f"Bars: {table.title}. The table below has the figures.")
    return (
        f'<svg role="img" aria-label="{words}" width="{_WIDTH}" height="{height}"'
        f' viewBox="0 0 {_WIDTH} {height}">{drawn}</svg>'
    )
