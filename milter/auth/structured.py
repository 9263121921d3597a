"""The pieces of a structured header field: words, quoted strings, and what ends a part.

Comments and white space are passed over (RFC 5322 §3.2.2, §3.2.4). One linear scan; nesting is
counted, not called, for a field may open a hundred thousand parentheses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.core.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Each alternative begins with another character and none backtracks into another.
_PIECE: Final = re.compile(
    r"""(?P<space>[\x00-\x20\x7f]+)"""
    r"""|(?P<open>\()"""
    r"""|"(?P<quoted>(?:[^"\\]|\\.)*+)\""""
    r"""|(?P<end>;)"""
    r"""|(?P<text>[^\x00-\x20\x7f(";]+)""",
    re.DOTALL,
)
_COMMENT_MARK: Final = re.compile(r"\\.|[()]", re.DOTALL)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)


class Piece(NamedTuple):
    """One piece.

    Attributes:
        text: Without quotes; `;` for the end of a part.
        quoted: Whether it stood in quotes.
        joined: Whether nothing stood between it and the piece before it.
    """

    text: str
    quoted: bool = False
    joined: bool = False

    @property
    def ends(self) -> bool:
        """Whether this is the semicolon between two parts."""
        return self.text == ";" and not self.quoted


def pieces(text: str) -> Iterator[Piece]:
    """Yield the pieces of `text` in order.

    Raises:
        ParseError: A comment or a quoted string does not end.
    """
    position, joined = 0, False
    while position < len(text):
        found = _PIECE.match(text, position)
        if found is None:
            raise ParseError("a quoted string without an end", position)
        position = found.end()
        if found["open"] is not None:
            position, joined = _after_comment(text, position), False
        elif found["space"] is not None:
            joined = False
        else:
            quoted = found["quoted"]
            if quoted is not None:
                yield Piece(_QUOTED_PAIR.sub(r"\1", quoted), quoted=True, joined=joined)
            else:
                yield Piece(found[0], joined=joined)
            joined = True


def _after_comment(text: str, position: int) -> int:
    depth = 1
    for mark in _COMMENT_MARK.finditer(text, position):
        if mark[0] == "(":
            depth += 1
        elif mark[0] == ")":
            depth -= 1
            if depth == 0:
                return mark.end()
    raise ParseError("a comment without an end", position)
