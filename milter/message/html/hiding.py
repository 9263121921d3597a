"""Why declarations of CSS hide an element, as far as they say it by themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.message.html.colour import FAINT
from milter.message.html.place import LENGTH, length_px

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOTHING: Final = r"\s*(?:0?\.0\d*|0)\s*[,)]"
_SCALED_AWAY: Final = re.compile(rf"\bscale(?:x|y|3d)?\({_NOTHING}")
_FILTERED: Final = re.compile(r"\bopacity\(\s*([^()]*?)\s*\)")
_CUTS: Final = frozenset(("hidden", "clip", "scroll", "auto"))
# Nothing of the element is left.
_CLIPPED: Final = re.compile(
    r"inset\((?:50|100)%\)|(?:circle|ellipse)\(0(?:px|%)?(?:[ )].*)?"
    r"|polygon\((?:0(?:px|%)? 0(?:px|%)?(?:, ?|\)))+"
)
_CLIP: Final = re.compile(r"rect\(([^()]*)\)")
TAKEN_OUT: Final = frozenset(("absolute", "fixed"))
# Sizes that nobody reads. Preview texts that mail programs show in the list are often 1px.
TINY_PX: Final = 2.0


def why_hidden(values: Mapping[str, str]) -> str:
    """Return why an element with these values is not seen; empty where it is, as far as they go."""
    # `mso-hide` is for Outlook alone: everybody else sees what it hides.
    if values.get("display") == "none" or values.get("content-visibility") == "hidden":
        return "display"
    if values.get("visibility") in ("hidden", "collapse"):
        return "visibility"
    if _is_faint(LENGTH.fullmatch(values.get("opacity", ""))) or _is_filtered(values):
        return "opacity"
    if _is_clipped(values):
        return "position"
    return "box" if _is_closed_box(values) or _is_scaled_away(values) else ""


def _is_faint(opacity: re.Match[str] | None) -> bool:
    if opacity is None:
        return False
    return float(opacity[2][:12]) / (100.0 if opacity[3] == "%" else 1.0) < FAINT


def _is_filtered(values: Mapping[str, str]) -> bool:
    found = _FILTERED.search(values.get("filter", "")[:200])
    return found is not None and _is_faint(LENGTH.fullmatch(found[1]))


def _is_clipped(values: Mapping[str, str]) -> bool:
    if _CLIPPED.fullmatch(values.get("clip-path", "")):
        return True
    found = _CLIP.fullmatch(values.get("clip", ""))
    # It holds for what is taken out of the text alone (CSS 2.1 §11.1.2).
    if found is None or values.get("position") not in TAKEN_OUT:
        return False
    sides = [length_px(side) for side in found[1].replace(",", " ").split()]
    if len(sides) != 4:
        return False
    top, right, bottom, left = sides
    return _is_closed(top, bottom) or _is_closed(left, right)


def _is_closed(begin: float | None, end: float | None) -> bool:
    return begin is not None and end is not None and end - begin <= TINY_PX


def _is_scaled_away(values: Mapping[str, str]) -> bool:
    if _SCALED_AWAY.search(values.get("transform", "")[:200]):
        return True
    return values.get("scale", "").split(" ", 1)[0] in ("0", "0%")


def _is_closed_box(values: Mapping[str, str]) -> bool:
    """Return whether the element is a box of no size that shows nothing beyond its edge."""
    return cuts(values) and any(_is_flat(values, side) for side in ("height", "width"))


def _is_flat(values: Mapping[str, str], side: str) -> bool:
    # Text goes on into the space inside of the edge.
    if any(name.startswith("padding") and length_px(values[name]) != 0 for name in values):
        return False
    least = length_px(values.get(f"min-{side}", "0"))
    sizes = (length_px(values.get(name, "")) for name in (f"max-{side}", side))
    return least is not None and any(
        size is not None and max(size, least) <= TINY_PX for size in sizes
    )


def cuts(values: Mapping[str, str]) -> bool:
    """Return whether nothing is shown beyond the edge of the element."""
    cut = (values.get(name, "").split(" ", 1)[0] for name in ("overflow", "overflow-y"))
    return not _CUTS.isdisjoint(cut)
