"""Macros of SPF records and explanations (RFC 7208 §7).

Read once, when the record is; filled in for each sender. Everything is linear in what was published
and in the values that are filled in, and no more is filled in than is used: sixteen thousand places
for a local part of 256 octets would be megabytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from milter.core.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping

# RFC 7208 §7.1: %{letter digits r delimiters}, or one of three marks.
_MACRO: Final = re.compile(
    r"%(?:\{(?P<letter>[slodiphcrtv])(?P<digits>[0-9]*)(?P<reverse>r?)(?P<marks>[.+,/_=-]*)\}"
    r"|(?P<mark>[%_-]))",
    re.IGNORECASE,
)
_MARKS: Final = {"%": "%", "_": " ", "-": "%20"}
# RFC 7208 §7.2: these three only mean something to whoever reads an explanation.
_EXPLANATION_ONLY: Final = frozenset("crt")
_VISIBLE: Final = re.compile(r"[!-~]*")
_VISIBLE_OR_SPACE: Final = re.compile(r"[ -~]*")
# RFC 7208 §7.3: a name of more than 253 characters loses labels on its left.
_MAX_NAME: Final = 253
# With a final dot and the dot in front of what remains; who knows so much knows the name.
MOST_OF_A_NAME: Final = _MAX_NAME + 2
# A name has no more labels than that, so a larger number keeps all of them.
_MAX_LABELS: Final = 128
_NO_LETTERS: Final = frozenset[str]()


@dataclass(frozen=True, slots=True)
class Macro:
    """One place to fill in.

    Attributes:
        letter: In lower case.
        keep: How many parts on the right are kept; 0: all.
        reverse: Whether the parts change their order.
        delimiters: What parts are split at.
        escape: Whether what comes out is escaped as in a URL.
    """

    letter: str
    keep: int
    reverse: bool
    delimiters: str
    escape: bool


@dataclass(frozen=True, slots=True)
class MacroString:
    """Text with places to fill in.

    Attributes:
        pieces: Texts and places in their order.
        letters: The letters of all places.
    """

    pieces: tuple[str | Macro, ...]
    letters: frozenset[str]

    def expand(self, values: Mapping[str, str], most: int = MOST_OF_A_NAME) -> str:
        """Return the text with `values`, by letter, filled in.

        Of a text of more than `most` characters, as much of its end as shows that it is longer.
        """
        texts: list[str] = []
        left = most
        for piece in reversed(self.pieces):
            text = piece if isinstance(piece, str) else _filled(piece, values[piece.letter])
            texts.append(text)
            left -= len(text)
            if left < 0:
                break
        return "".join(reversed(texts))


def parse_macros(text: str) -> MacroString:
    """Return a macro-string of a record.

    Raises:
        ParseError: A percent sign begins no macro, or a character may not stand there.
    """
    return _parse(text, _VISIBLE, explanation=False)


def parse_explanation(text: str) -> MacroString:
    """Return an explain-string (RFC 7208 §6.2), where spaces and three more letters may stand.

    Raises:
        ParseError: As for `parse_macros`.
    """
    return _parse(text, _VISIBLE_OR_SPACE, explanation=True)


def shortened_name(name: str) -> str:
    """Return `name` without a final dot, and without labels on the left that are too many."""
    name = name.removesuffix(".")
    if len(name) > _MAX_NAME:
        dot = name.find(".", len(name) - _MAX_NAME - 1)
        name = name[dot + 1 :] if dot >= 0 else name
    return name


def _parse(text: str, allowed: re.Pattern[str], *, explanation: bool) -> MacroString:
    if allowed.fullmatch(text) is None:
        raise ParseError("a character that may not stand in a record")
    pieces: list[str | Macro] = []
    position = 0
    while (percent := text.find("%", position)) >= 0:
        found = _MACRO.match(text, percent)
        if found is None:
            raise ParseError("a percent sign that begins no macro", percent)
        if percent > position:
            pieces.append(text[position:percent])
        pieces.append(_MARKS[found["mark"]] if found["mark"] else _macro(found))
        position = found.end()
    if position < len(text):
        pieces.append(text[position:])
    macros = [piece for piece in pieces if isinstance(piece, Macro)]
    # Most have none, and each empty set of its own would take 200 octets.
    letters = frozenset([macro.letter for macro in macros]) if macros else _NO_LETTERS
    if not explanation and letters & _EXPLANATION_ONLY:
        raise ParseError("a macro that only an explanation may have")
    return MacroString(tuple(pieces), letters)


def _macro(found: re.Match[str]) -> Macro:
    digits = found["digits"].lstrip("0")
    if found["digits"] and not digits:
        raise ParseError("a macro that keeps no part", found.start())
    keep = min(int(digits[:4] or 0), _MAX_LABELS)
    letter = found["letter"]
    return Macro(
        letter.lower(), keep, bool(found["reverse"]), found["marks"] or ".", letter.isupper()
    )


def _filled(macro: Macro, value: str) -> str:
    if macro.keep or macro.reverse or macro.delimiters != ".":
        # RFC 7208 §7.3: whatever the parts were split at, they are joined by dots.
        for mark in macro.delimiters[1:]:
            value = value.replace(mark, macro.delimiters[0])
        parts = value.split(macro.delimiters[0])
        if macro.reverse:
            parts.reverse()
        value = ".".join(parts[-macro.keep :] if macro.keep else parts)
    return quote(value, safe="") if macro.escape else value
