"""Formatting elements that are left open, before the parser makes them anew in every block.

`<b>` that is not closed where its block ends goes on in the next one (WHATWG HTML, "reconstruct the
active formatting elements"): a parser opens all that are left open again in each block, so that its
work and its memory are their number times that of the blocks. Here the list of them is followed.
Where it is not clear what closes an element, none is taken to be closed.
"""

from __future__ import annotations

import re
from typing import Final

_FORMATTING_NAMES: Final = "a b big code em font i nobr s small strike strong tt u"
_FORMATTING: Final = frozenset(_FORMATTING_NAMES.split())
_OPENED: Final = re.compile(
    rf"<(?:{'|'.join(_FORMATTING_NAMES.split())})(?![A-Za-z0-9])", re.IGNORECASE
)
# One piece of markup; comments and what the parser takes for them go by as a whole.
_MARKUP: Final = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))|<(?:[!?]|/[^A-Za-z])[^>]*+"
    r"|<(/)?([A-Za-z][^\s/>]*+)((?:[^>\"']++|\"[^\"]*+\"|'[^']*+'|[\"'])*+)",
    re.DOTALL,
)
# They change what tags mean. Mail has no use for them, so nobody follows how.
_ODD_NAMES: Final = "applet frameset marquee math object plaintext svg template"
_ODD: Final = frozenset(_ODD_NAMES.split())
# What stands in a `<select>` where it is one.
_OPTIONS: Final = frozenset(("hr", "optgroup", "option"))
# What they hold is text, tags in it included.
_TEXTS: Final = frozenset(
    ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")
)
_ALONE: Final = frozenset(("a", "nobr"))
_CELLS: Final = frozenset(("caption", "td", "th"))
_ENDS_CELL: Final = frozenset(("col", "colgroup", "tbody", "tfoot", "thead", "tr"))
# Of those that are alike the parser keeps the last three ("Noah's Ark").
_MOST_ALIKE: Final = 3
# Elements that the parser may open once more; 160,000 of them took 60 MB.
_MOST_REOPENED: Final = 200_000


def reopens_too_much(text: str) -> bool:
    """Return whether a parser would open more formatting elements again than it may."""
    opened = len(_OPENED.findall(text))
    return opened * text.count("<") > _MOST_REOPENED and _Follower().is_too_much(text)


class _Follower:
    """Follows the list of one document; lives as long as that takes."""

    def __init__(self) -> None:
        # Names and attributes.
        self._active: list[tuple[str, str]] = []
        # Tables and cells that are open, and how long the list was before each: what stands before
        # a table is not closed in it, and a cell that ends closes what was opened in it.
        self._around: list[tuple[str, int]] = []
        # In a `<select>`, which closes nothing around it; and behind what nobody follows.
        self._selecting = self._lost = False

    def is_too_much(self, text: str) -> bool:
        reopened, position = 0, 0
        while match := _MARKUP.search(text, position):
            position = match.end()
            if match[2] is None:
                continue
            slash, name = match[1], match[2].lower()
            if name in _TEXTS and not slash:
                end = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(text, position)
                position = end.start() if end else len(text)
            else:
                self._take(name, bool(slash), match[3])
            reopened += len(self._active)
            if reopened > _MOST_REOPENED:
                return True
        return False

    def _take(self, name: str, ends: bool, attributes: str) -> None:
        formats = name in _FORMATTING
        if name == "select" and (ends or not self._selecting):
            self._selecting = not ends
        elif name in _ODD or (self._selecting and not formats and name not in _OPTIONS):
            self._lost = True
        elif formats and not ends:
            self._open(name, attributes)
        elif not self._lost and not self._selecting:
            if formats:
                self._close(name)
            else:
                (self._end if ends else self._begin)(name)

    def _open(self, name: str, attributes: str) -> None:
        if not self._lost:
            if name in _ALONE:
                self._close(name)
            places = range(self._floor(), len(self._active))
            alike = [place for place in places if self._active[place] == (name, attributes)]
            if len(alike) >= _MOST_ALIKE:
                del self._active[alike[0]]
        self._active.append((name, attributes))

    def _close(self, name: str) -> None:
        for place in range(len(self._active) - 1, self._floor() - 1, -1):
            if self._active[place][0] == name:
                del self._active[place]
                return

    def _begin(self, name: str) -> None:
        if name in _CELLS or name in _ENDS_CELL:
            if self._is_in(_CELLS):
                self._end_cell()
            if name in _CELLS and self._around:
                self._around.append((name, len(self._active)))
        elif name == "table" and not self._is_in(("table",)):
            self._around.append((name, len(self._active)))

    def _end(self, name: str) -> None:
        if name == "table":
            if self._is_in(_CELLS):
                self._end_cell()
            if self._around:
                self._around.pop()
        elif name in _CELLS and self._is_in((name,)):
            self._end_cell()
        elif name in _ENDS_CELL and self._is_in(_CELLS):
            # It depends on what lies around whether this ends the cell: nothing is closed.
            self._around.pop()

    def _floor(self) -> int:
        return self._around[-1][1] if self._around else 0

    def _is_in(self, names: frozenset[str] | tuple[str, ...]) -> bool:
        return bool(self._around) and self._around[-1][0] in names

    def _end_cell(self) -> None:
        _, before = self._around.pop()
        del self._active[before:]
