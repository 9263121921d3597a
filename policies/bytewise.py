"""A pattern for characters, rewritten for an engine that sees bytes and need not be exact.

What the pattern finds in a text, its rewriting finds in the text's bytes in UTF-8; it may find
more, for it is a filter. Seen by bytes, a gap such as `.{0,300}` costs an engine hundreds of
states and one without an upper end costs one, so that no repetition of "anything" keeps its end.
Letters beyond ASCII are written in both cases, for such an engine knows only the cases of ASCII;
for texts without case they are written once, so that words stay words, which engines find best.
A text ends before a line feed: whoever searches puts one behind it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Cases = Callable[[str], list[str]]

_CLASS: Final = r"\[\^?\]?(?:\\.|[^\]\\])*\]"
_STEP: Final = re.compile(
    rf"(?P<piece>\\.|{_CLASS}|.)(?P<times>[*+?]\??|\{{\d+(?:,\d*)?\}}\??)?", re.DOTALL
)
# An item of a class: a range, or one character.
_ITEM: Final = re.compile(r"(\\.|[^\\])-(\\.|[^\\])|\\.|[^\\]", re.DOTALL)
# Characters by number or by the name of a class, which may be of any case, bytes within
# characters, and quoted text: nothing is said of what they find.
_UNKNOWN: Final = re.compile(r"\\[pPxCQ]|\\0?[0-7]{2}|\[:\^?\w+:\]")
# The rest of a character whose first byte has matched.
_REST: Final = r"[\x80-\xbf]{0,3}"
_BEYOND_ASCII: Final = r"[\xc2-\xf4][\x80-\xbf]{1,3}"
# Letters beyond ASCII that are another case of one of ASCII.
_PARTNERS: Final = {"\u017f": "s", "\u212a": "k"}
# To Perl, whose words the engine uses, a vertical tab is white space, and `\v` is more than it.
_SPACE: Final = r"\t\n\f\r "
_IN_CLASS: Final = {r"\s": _SPACE, r"\S": r"\S\x0b", r"\v": r"\x0b"}
_OUTSIDE: Final = {r"\s": f"[{_SPACE}]", r"\S": f"[^{_SPACE}]", r"\v": r"\x0b"}
_ENDS: Final = frozenset(("$", r"\z"))
# Before any line feed, so that more is found behind the text.
_END: Final = "(?m:$)"
_LAST_LETTER: Final = 0x1FFFF


def bytewise(text: str, *, folded: bool = False) -> str | None:
    """Return the pattern for bytes that finds at least what `text` finds; None: nobody knows.

    Args:
        text: The pattern.
        folded: Whether all texts are in NFKC and without case, as the views `folded` and
            `skeleton` are.
    """
    if _UNKNOWN.search(text):
        return None
    cases = _folded_case if folded else _cases
    return "".join(
        [_rewritten(step["piece"], step["times"] or "", cases) for step in _STEP.finditer(text)]
    )


def _rewritten(piece: str, times: str, cases: Cases) -> str:
    if len(piece) > 1 and piece.startswith("["):
        return _class(piece, times, cases)
    if piece in _ENDS:
        return _END + times
    piece = _OUTSIDE.get(piece, piece)
    if piece in (".", r"\W", r"\D") or piece.startswith("[^"):
        return _anything(piece, times)
    if piece.isascii():
        return piece + times
    alternatives = cases(piece)
    if len(alternatives) == 1 and not times:
        return alternatives[0]
    return _one_of(alternatives, times)


def _class(piece: str, times: str, cases: Cases) -> str:
    negated = piece.startswith("[^")
    body = piece[2:-1] if negated else piece[1:-1]
    if negated or re.search(r"\\[WDS]", body):
        kept, _ = _split(body, cases)
        sign = "^" if negated else ""
        return _anything(f"[{sign}{kept}]" if kept else r"[\x00-\xff]", times)
    kept, others = _split(body, cases)
    if not others:
        return f"[{kept}]{times}"
    return _one_of([*others, f"[{kept}]"] if kept else others, times)


def _split(body: str, cases: Cases) -> tuple[str, list[str]]:
    """Return what a class holds of ASCII, and patterns for what it holds beyond."""
    kept, others = "", []
    for item in _ITEM.finditer(body):
        first, last = item[1] or item[0], item[2] or item[0]
        if first.isascii() and last.isascii():
            kept += _IN_CLASS.get(item[0], item[0])
        elif first != last:
            kept += rf"{first}-\x7f" if first.isascii() else ""
            others.append(_BEYOND_ASCII)
            kept += "".join(like for letter, like in _PARTNERS.items() if first <= letter <= last)
        else:
            others += cases(first)
    return kept, others


def _anything(piece: str, times: str) -> str:
    """Return the pattern for a class of bytes that holds all beyond ASCII."""
    if times.startswith(("*", "+")):
        return piece + times[0]
    if least := re.match(r"\{(\d+)", times):
        # A character has a byte or more.
        return f"{piece}{{{least[1]},}}"
    return f"(?:{piece}{_REST}){times}"


def _one_of(alternatives: list[str], times: str) -> str:
    return f"(?:{'|'.join(dict.fromkeys(alternatives))}){times}"


def _cases(letter: str) -> list[str]:
    family = _families().get(letter.casefold(), ())
    return sorted({letter, *family})


def _folded_case(letter: str) -> list[str]:
    """Return the one form that stands in folded texts; some letters become several there."""
    form = normalize("NFKC", normalize("NFKC", letter).casefold())
    return [form if len(form) == 1 else letter]


@cache
def _families() -> Mapping[str, list[str]]:
    """Return the letters beyond ASCII that have cases, with all of their cases, by folded form."""
    families: dict[str, list[str]] = {}
    for letter in map(chr, range(0x80, _LAST_LETTER)):
        if (folded := letter.casefold()) != letter:
            family = families.setdefault(folded, [folded] if len(folded) == 1 else [])
            family.append(letter)
    return families
