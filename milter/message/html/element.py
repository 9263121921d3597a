"""How one element is seen by what it says itself: its name, its attributes, its rules."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from milter.message.html.place import leading_px
from milter.message.html.style import (
    PLAIN,
    SILENT,
    Style,
    coloured,
    linked,
    parse_style,
    restyled,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milter.message.html.sheet import Sheet

_BLOCKS_NAMES: Final = """
address article aside blockquote body center dd details dialog dir div dl dt fieldset figcaption
figure footer form h1 h2 h3 h4 h5 h6 header hr li main menu nav ol p pre section summary table
tbody td tfoot th thead tr ul option
"""
BLOCKS: Final = frozenset(_BLOCKS_NAMES.split())
# With those that stand in a line of text.
_BOXES: Final = BLOCKS | {"button", "html", "legend", "marquee", "object", "select", "video"}
_COLOUR_TAGS: Final = frozenset(
    ("font", "body", "table", "thead", "tbody", "tfoot", "tr", "td", "th", "marquee", "basefont")
)
_NOT_DISPLAYED: Final = Style(hidden="display")
_REVERSED: Final = Style(reversed=True)
# Of the seven that `<font size>` knows each can be read.
_SIZED: Final = Style(size_px=16.0)
_TRACKING_PX: Final = 2.0
_MAX_COLOUR: Final = 100


def style_of(tag: str, attributes: Mapping[str, str | None], sheet: Sheet | None) -> Style:
    """Return what an element says about being seen."""
    style = PLAIN
    if "hidden" in attributes:
        style = _NOT_DISPLAYED
    elif tag == "bdo" and (attributes.get("dir") or "").lower() == "rtl":
        style = _REVERSED
    elif tag == "font" and "size" in attributes:
        style = _SIZED
    if sheet is not None:
        style = sheet.style(tag, attributes, style)
    if written := _declared(attributes):
        style = parse_style(written) if style is PLAIN else restyled(style, written)
    if tag in _COLOUR_TAGS:
        colour = attributes.get("color") or (attributes.get("text") if tag == "body" else None)
        background = attributes.get("bgcolor")
        picture = attributes.get("background")
        if colour or background or picture:
            names = (colour or "")[:_MAX_COLOUR], (background or "")[:_MAX_COLOUR]
            style = coloured(style, *names, pictured=bool(picture))
    elif tag == "a" and style.colour is None and "href" in attributes:
        style = linked(style)
    if style is PLAIN or style is SILENT or (tag in _BOXES and style.boxed is None):
        return style
    return style if style.boxed or not style.is_for_boxes else _in_a_line(style)


def _declared(attributes: Mapping[str, str | None]) -> str | None:
    """Return the declarations of an element, its direction among them where they tell of that."""
    written = attributes.get("style")
    if written and "unicode-bidi" in written and (attributes.get("dir") or "").lower() == "rtl":
        return f"direction:rtl;{written}"
    return written


@lru_cache(maxsize=1024)
def _in_a_line(style: Style) -> Style:
    """Return what is left of `style` for words in a line, which have no size of their own.

    Neither do they begin a line, nor do margins or transforms move them up (CSS 2.1 §10.6.1, CSS
    Transforms 1, §2).
    """
    return replace(
        style,
        hidden="" if style.hidden == "box" else style.hidden,
        x=style.x if style.x >= 0 else 0.0,
        y=style.y if style.y >= 0 else 0.0,
        indent=None,
    )


def is_small(attributes: Mapping[str, str | None]) -> bool:
    """Return whether a picture is too small to be seen, or is not displayed."""
    for side in ("width", "height"):
        size = leading_px((attributes.get(side) or "")[:20].strip())
        if size is not None and size <= _TRACKING_PX:
            return True
    style = attributes.get("style") or ""
    return "width:1px" in style.replace(" ", "") or bool(parse_style(style).hidden)
