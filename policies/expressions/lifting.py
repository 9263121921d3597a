"""Whole numbers where a number is needed: `score > 5` is read as `score > 5.0`.

The library says at which operator two types do not meet; the literals beside it are rewritten, and
places are told in the text as it was written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from policies.expressions.syntax import Node

_PLACE: Final = re.compile(r"<input>:(\d+):(\d+): ")
_UNEQUAL: Final = re.compile(
    r"found no matching overload for '([^']+)' applied to '\(((?:int, double)|(?:double, int)|"
    r"(?:double, list\(int\)))\)'"
)
_INTEGER: Final = re.compile(r"-?\s*(0[xX][0-9a-fA-F]+|[0-9]+)(?![uU])")
_ARITHMETIC: Final = frozenset({"_+_", "_-_", "_*_", "_/_", "-_"})


def place_of(error: str) -> tuple[int, int] | None:
    """Return line and column, both from 1, that the library's message names."""
    found = _PLACE.search(error)
    return (int(found[1]), int(found[2])) if found else None


def offset_of(text: str, line: int, column: int) -> int:
    """Return the character of `text` at that line and column, the end at most."""
    lines = text.split("\n")
    before = sum(len(each) + 1 for each in lines[: line - 1])
    return min(before + column - 1, len(text))


class Lifted:
    """A text and the literals of it that are written as numbers with a point.

    Attributes:
        text: As it is compiled.
    """

    def __init__(self, text: str) -> None:
        self._written = text
        self._literals: dict[int, tuple[int, str]] = {}
        self.text = text

    def lift(self, error: str, tree: Node) -> bool:
        """Rewrite the literals that `error` is about; whether there are some."""
        place, unequal = place_of(error), _UNEQUAL.search(error)
        if place is None or unequal is None:
            return False
        offset = self.original(offset_of(self.text, *place))
        before = len(self._literals)
        for node in tree.walk():
            if node.offset == offset and node.function == unequal[1]:
                for child in node.children:
                    self._lift_below(child)
        self.text = self._rewritten()
        return len(self._literals) > before

    def original(self, offset: int) -> int:
        """Return where the character at `offset` of `text` stands in what was written."""
        longer = 0
        for start, (end, number) in sorted(self._literals.items()):
            if start + longer >= offset:
                break
            longer += len(number) - (end - start)
        return max(offset - longer, 0)

    def moved(self, offset: int) -> int:
        """Return where the character at `offset` of what was written stands in `text`."""
        longer = (
            len(number) - (end - start)
            for start, (end, number) in self._literals.items()
            if start < offset
        )
        return offset + sum(longer)

    def _lift_below(self, node: Node) -> None:
        if isinstance(node.constant, int) and not isinstance(node.constant, bool):
            found = _INTEGER.match(self._written, node.offset)
            if found is not None:
                self._literals[node.offset] = (found.end(), f"{node.constant}.0")
        elif node.is_list or node.function in _ARITHMETIC:
            for child in node.children:
                self._lift_below(child)

    def _rewritten(self) -> str:
        pieces, position = [], 0
        for start, (end, number) in sorted(self._literals.items()):
            pieces += [self._written[position:start], number]
            position = end
        return "".join([*pieces, self._written[position:]])
