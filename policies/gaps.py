"""Wide gaps in a pattern, and the same pattern without their ends.

Over a gap such as `.{0,300}` an engine needs a state for every character that it has counted, and
makes them anew for every text. Without its end a gap is one state. What such a loose pattern finds
within the reach of the narrowest gap, the strict one finds as well: the same, for both prefer the
shortest gaps, and what comes first for the loose one is not too long for the strict one.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

# Narrower ones are counted in no time.
_WIDE: Final = 60
_STEP: Final = re.compile(
    r"(?P<piece>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.)(?:\{(?P<least>\d+),(?P<most>\d+)\}\??)?",
    re.DOTALL,
)


class Loose(NamedTuple):
    """A pattern whose wide gaps have no end.

    Attributes:
        text: It.
        reach: A match of so many characters keeps to the ends of all gaps.
    """

    text: str
    reach: int


def shortest(text: str) -> str:
    """Return the pattern with wide gaps that are as short as can be."""
    return _STEP.sub(
        lambda step: f".{{{step['least']},{step['most']}}}?" if _is_wide(step) else step[0], text
    )


def loosened(text: str) -> Loose | None:
    """Return the pattern without the ends of its wide gaps; None where it has none."""
    ends = [int(step["most"]) for step in _STEP.finditer(text) if _is_wide(step)]
    if not ends or r"\Q" in text:
        return None
    loose = _STEP.sub(lambda step: f".{{{step['least']},}}?" if _is_wide(step) else step[0], text)
    return Loose(loose, min(ends))


def _is_wide(step: re.Match[str]) -> bool:
    return step["piece"] == "." and step["most"] is not None and int(step["most"]) >= _WIDE
