"""How far declarations of CSS move an element, so that it may stand where nobody looks.

What one element moves away another one around it, or the same one, may move back: only the sum
tells what is beside the page.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LENGTH: Final = re.compile(
    r"(calc\(\s*)?([+-]?\d*\.?\d+)\s*(px|pt|em|rem|ex|ch|%|vw|vh|cm|mm|in)?(?(1)\s*\))"
)
_PX: Final = {"px": 1.0, "pt": 1.333, "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0, "%": 0.16}
_MOVED: Final = re.compile(r"\btranslate(x|y|3d)?\(([^)]{0,100})\)")
_EDGES: Final = ("top", "right", "bottom", "left")
_SHORT: Final = frozenset(("margin", "padding", "inset"))
_PLACED: Final = frozenset(("absolute", "fixed", "relative"))
_LOGICAL: Final = {"inline-start": "left", "block-start": "top"}
_FAR_PX: Final = -400.0
# Pictures are laid over each other by margins, and by places beside their own; none is moved so
# far. What stands in the text may be moved up over something high that stands before it.
_FAR_MARGIN_PX: Final = -900.0
_FAR_UP_PX: Final = -3_000.0
_FAR_RIGHT_PX: Final = 3_000.0


def length_px(text: str) -> float | None:
    """Return a length of CSS in pixels; None where it is none."""
    return _pixels(LENGTH.fullmatch(text.strip())) if text else None


def leading_px(text: str) -> float | None:
    """Return the length that `text` begins with, as attributes of HTML are read."""
    return _pixels(LENGTH.match(text)) if text else None


def _pixels(match: re.Match[str] | None) -> float | None:
    if match is None:
        return None
    return float(match[2][:12]) * _PX.get(match[3] or "px", 16.0)


def is_beside(x: float, y: float) -> bool:
    """Return whether what was moved so far, in pixels, is beside the page."""
    return not (_FAR_PX <= x <= _FAR_RIGHT_PX and y >= _FAR_PX) and not math.isnan(x + y)


def moved_on(place: float, by: float) -> float:
    """Return where what lies at `place` is moved; small steps alone lead nowhere.

    Else each answer to a long thread would lie further to the right, until nobody saw it.
    """
    return place + by if by > -_FAR_MARGIN_PX else min(place + by, max(place, _FAR_RIGHT_PX))


def moved(values: Mapping[str, str]) -> tuple[float, float]:
    """Return how far to the right and down an element is moved; NaN where nobody can tell."""
    edges = _edges(values)
    x, y = (
        _inside(edges, side) + _margin(edges, side) + _placed(edges, side, opposite, values)
        for side, opposite in (("left", "right"), ("top", "bottom"))
    )
    if found := _MOVED.search(values.get("transform", "")[:200]):
        across, down = _translated(found)
        x, y = x + across, y + down
    return x, y


def _edges(values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of single sides: those of what says all sides at once, too."""
    edges: dict[str, str] = {}
    for name, value in values.items():
        if name in _SHORT:
            said = value.split() or [""]
            # CSS Box 4: the second is for the right, and each that is left out as the one opposite.
            four = said * (4 // len(said)) if len(said) < 3 else [*said, said[1]][:4]
            edges |= {f"{name}-{edge}": one for edge, one in zip(_EDGES, four, strict=True)}
        elif name in _EDGES:
            edges[f"inset-{name}"] = value
        else:
            kind, _, side = name.partition("-")
            if kind in _SHORT:
                edges[f"{kind}-{_LOGICAL.get(side, side)}"] = value
            elif kind == "border":
                width = next((word for word in value.split() if length_px(word) is not None), "")
                edges |= {f"border-{edge}": width for edge in _EDGES if side in ("", edge)}
    return edges


def _inside(edges: Mapping[str, str], side: str) -> float:
    return sum(max(_length(edges.get(f"{kind}-{side}", "")), 0.0) for kind in ("padding", "border"))


def _margin(edges: Mapping[str, str], side: str) -> float:
    margin = _length(edges.get(f"margin-{side}", ""))
    return 0.0 if _FAR_MARGIN_PX <= margin < 0 else margin


def _placed(edges: Mapping[str, str], side: str, opposite: str, values: Mapping[str, str]) -> float:
    position = values.get("position")
    if position not in _PLACED:
        return 0.0
    if f"inset-{side}" in edges:
        place = _length(edges[f"inset-{side}"])
    else:
        place = -_length(edges.get(f"inset-{opposite}", ""))
        # From the other edge of the page inwards.
        place = place if position == "relative" else max(place, 0.0)
    near = position == "relative" and side == "top" and _FAR_UP_PX <= place < 0
    return 0.0 if near else place


def _translated(found: re.Match[str]) -> tuple[float, float]:
    first, _, second = found[2].partition(",")
    places = [
        0.0 if "%" in place else _length(place) for place in (first, second.partition(",")[0])
    ]
    x, y = (0.0, places[0]) if found[1] == "y" else (places[0], places[1])
    return 0.0 if _FAR_MARGIN_PX <= x < 0 else x, 0.0 if _FAR_MARGIN_PX <= y < 0 else y


def _length(text: str) -> float:
    if not text or text == "auto":
        return 0.0
    length = length_px(text)
    if length is None:
        # What is to be worked out; words say nothing of lengths.
        return math.nan if "(" in text else 0.0
    return math.nan if "%" in text and length > 4 else length
