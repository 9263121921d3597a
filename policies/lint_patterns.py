"""What lint says of a single pattern that cannot find in its view what it looks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from unicodedata import name, normalize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.engine import PatternSpec

# Views of many lines in which one is looked for by where it begins and ends.
_OF_LINES: Final = frozenset({"headers", "body", "text"})
_FOLDED: Final = frozenset({"folded", "skeleton"})
# What is no sign of its own outside: quoted text, escapes and classes.
_INSIDE: Final = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\[pP](?:\{\^?\w+\}|\w)|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL
)
# The same without classes, whose letters are looked for as well.
_ESCAPED: Final = re.compile(r"\\[pP](?:\{\^?\w+\}|\w)|\\.|\(\?P?<\w+>", re.DOTALL)
_BY_LINE: Final = re.compile(r"\(\?[a-zA-Z]*m")
_CASED: Final = re.compile(r"\(\?[a-zA-Z]*-[a-zA-Z]*i[a-zA-Z]*[:)]")
_INSTEAD: Final = {"^": r"\A", "$": r"\z"}


def of_pattern(spec: PatternSpec) -> Iterator[tuple[str, str]]:
    """Yield a code and what is wrong for each trap in `spec`."""
    if spec.view in _OF_LINES and not _BY_LINE.search(spec.text):
        outside = _INSIDE.sub("", spec.text)
        for anchor, instead in _INSTEAD.items():
            if anchor in outside:
                end = "beginning" if anchor == "^" else "end"
                what = (
                    f"`{anchor}` is the {end} of all that is in `{spec.view}`, not of a line: put "
                    f"(?m) before the pattern, or write {instead} where that is meant"
                )
                yield "anchor", what
    if spec.view in _FOLDED and (letter := _impossible(spec)):
        yield "never", f"`{letter}` never stands in `{spec.view}`: this finds nothing with it"


def _impossible(spec: PatternSpec) -> str:
    """Return a letter that no text of the view has; empty where there is none."""
    said = _ESCAPED.sub("", spec.text)
    cased = _CASED.search(said)
    for place, letter in enumerate(said):
        if cased and place >= cased.end() and letter.isupper():
            return letter
        if spec.view == "skeleton" and _is_accented(letter):
            return letter
    return ""


def _is_accented(letter: str) -> bool:
    """Whether it is a Latin letter with an accent; those of other scripts can be letters apart."""
    return (
        not letter.isascii()
        and len(normalize("NFD", letter)) > 1
        and name(letter, "").startswith("LATIN ")
    )
