"""Whether a person sees text of a given style: the part of CSS that hides.

Not a style engine: declarations of one element, and how they change what rules of a style sheet say
(`milter.message.html.sheet`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from milter.message.html.colour import BLACK, Colour, alpha, parse_colour

if TYPE_CHECKING:
    from collections.abc import Mapping

# One that is never closed goes on to the end: nothing is looked for twice.
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:([0-9a-f]{1,6})\s?|(.))", re.DOTALL)
_LENGTH: Final = re.compile(
    r"(?:calc\(\s*)?([+-]?\d*\.?\d+)\s*(px|pt|em|rem|ex|ch|%|vw|vh|cm|mm|in)?"
)
_ONE_LENGTH: Final = re.compile(r"calc\(\s*[+-]?\d*\.?\d+[a-z%]*\s*\)")
# In the shorthand the size stands before the family, and before a slash and the height of lines.
_FONT_SIZE: Final = re.compile(r"(?:^|\s)(\d*\.?\d+(?:px|pt|em|rem|%)|0(?=[\s/]))")
_NOTHING: Final = r"\s*(?:0?\.0\d*|0)\s*[,)]"
_SCALED_AWAY: Final = re.compile(rf"\bscale(?:x|y|3d)?\({_NOTHING}")
_MOVED: Final = re.compile(r"\btranslate(?:x|y|3d)?\(([^)]{0,100})\)")
_FILTERED: Final = re.compile(r"\bopacity\(\s*(\d*\.?\d+)\s*(%)?")
_MAX_STYLE: Final = 4_000
# Templates repeat their styles from element to element and from mail to mail; long ones are rare.
_MAX_KEPT: Final = 300
# Sizes that nobody reads. Preview texts that mail programs show in the list are often 1px.
_TINY_PX: Final = 2.0
_USUAL_PX: Final = 16.0
_SIZES: Final = frozenset(
    [
        *("xx-small", "x-small", "small", "medium", "large", "x-large", "xx-large", "xxx-large"),
        *("initial", "menu", "caption", "icon", "message-box", "small-caption", "status-bar"),
    ]
)
_DRAWN: Final = ("text-shadow", "-webkit-text-stroke", "mix-blend-mode")
_NOT_DRAWN: Final = frozenset(("none", "normal", "initial", "inherit", "unset", "0", "0px", ""))
_REPAINTS: Final = ("invert(", "contrast(", "brightness(", "drop-shadow(")
_PX: Final = {"px": 1.0, "pt": 1.333, "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0, "%": 0.16}
_FAR_PX: Final = -400.0
# Pictures are laid over each other by margins; none is moved so far.
_FAR_MARGIN_PX: Final = -900.0
_FAR_RIGHT_PX: Final = 3_000.0
_FAINT: Final = 0.1
_LINK: Final[Colour] = (0, 0, 238)
_MAX_COLOUR: Final = 100
# Of a background with its picture, place and so on.
_MAX_WORDS: Final = 12
_INLINE: Final = frozenset(("a", "b", "em", "font", "i", "label", "small", "span", "strong", "u"))
_BOXES: Final = frozenset(("display", "float", "position"))
_CUTS: Final = ("hidden", "clip", "scroll", "auto")
_CLIPPED: Final = ("inset(50%", "inset(100%", "circle(0", "ellipse(0", "polygon(00,00")
_KEEPS_OPEN: Final = ("min-height", "min-width", "padding-top", "padding-bottom")
_PLACED: Final = frozenset(("absolute", "fixed", "relative"))
_OVERRIDES: Final = frozenset(("bidi-override", "isolate-override"))
# What takes back that something is hidden, by the reason.
_SHOWN_BY: Final[dict[str, frozenset[str]]] = {
    "display": frozenset(("display", "content-visibility")),
    "visibility": frozenset(("visibility",)),
    "opacity": frozenset(("opacity", "filter")),
    "position": frozenset(("position", "left", "top", "text-indent", "clip", "transform")),
    "box": frozenset(("overflow", "height", "max-height", "width", "max-width", "transform")),
}


@dataclass(frozen=True, slots=True)
class Style:
    """What declarations say about being seen.

    Attributes:
        hidden: Why the element and all in it is not seen: display, visibility, opacity, position,
            box; empty when it is.
        pinned: Whether only another `!important` takes that back.
        visible: Whether `visibility: visible` takes back what an element around it said.
        size_px: Size of the letters; None where nothing is said.
        colour: Of the letters; None where nothing is said.
        transparent: Whether the letters have no colour at all.
        background: None where nothing is said.
        pictured: Whether a picture lies behind the letters, or they are drawn in another way, so
            that colours tell nothing.
        reversed: Whether the letters stand in the other order than they are written in.
    """

    hidden: str = ""
    pinned: bool = False
    visible: bool = False
    size_px: float | None = None
    colour: Colour | None = None
    transparent: bool = False
    background: Colour | None = None
    pictured: bool = False
    reversed: bool = False


PLAIN: Final = Style()
# Of declarations about space and borders: they change nothing.
SILENT: Final = Style()


def parse_style(text: str) -> Style:
    """Return what the declarations `text` of one element say."""
    return _known_style(text) if len(text) <= _MAX_KEPT else _parsed(text)


def restyled(style: Style, text: str) -> Style:
    """Return what is left of `style` where the declarations `text` hold as well, and come later."""
    return _known_restyled(style, text) if len(text) <= _MAX_KEPT else _restyled(style, text)


@lru_cache(maxsize=8192)
def _known_style(text: str) -> Style:
    return _parsed(text)


@lru_cache(maxsize=8192)
def _known_restyled(style: Style, text: str) -> Style:
    return _restyled(style, text)


def _parsed(text: str) -> Style:
    values, pinned = _declarations(text[:_MAX_STYLE].lower())
    if not values:
        return PLAIN
    colour = values.get("-webkit-text-fill-color") or values.get("color", "")
    background = values.get("background-color") or values.get("background", "")
    image = values.get("background-image", "")
    hidden, drawn = _why_hidden(values), _is_drawn(values)
    style = Style(
        hidden=hidden,
        pinned=bool(hidden and not pinned.isdisjoint(_SHOWN_BY[hidden])),
        visible=values.get("visibility") == "visible",
        size_px=_size(values.get("font-size") or _size_of_font(values.get("font", ""))),
        colour=BLACK if colour == "initial" else parse_colour(colour),
        transparent=bool(colour) and alpha(colour) < _FAINT and not drawn,
        background=_backdrop(background),
        pictured=drawn or any(map(_is_picture, (colour, background, image))),
        reversed=values.get("unicode-bidi") in _OVERRIDES and values.get("direction") == "rtl",
    )
    return SILENT if style == SILENT else style


def _restyled(style: Style, text: str) -> Style:
    values, pinned = _declarations(text[:_MAX_STYLE].lower())
    if not values:
        return style
    own, hidden = parse_style(text), style.hidden
    if hidden and not own.hidden:
        says = pinned if style.pinned else values.keys()
        hidden = hidden if _SHOWN_BY[hidden].isdisjoint(says) else ""
    coloured = own.colour is not None or own.transparent
    behind = own.background is not None or own.pictured
    return Style(
        hidden=own.hidden or hidden,
        pinned=own.pinned or (style.pinned and bool(hidden)),
        visible=own.visible or style.visible,
        size_px=style.size_px if own.size_px is None else own.size_px,
        colour=own.colour if coloured else style.colour,
        transparent=own.transparent if coloured else style.transparent,
        background=own.background if behind else style.background,
        pictured=own.pictured if behind else style.pictured,
        reversed=own.reversed or style.reversed,
    )


def shows(text: str) -> frozenset[str]:
    """Return the reasons for being hidden that the declarations `text` take back."""
    values, _ = _declarations(text[:_MAX_STYLE].lower())
    if not values or parse_style(text).hidden:
        return frozenset()
    return frozenset([why for why, names in _SHOWN_BY.items() if not names.isdisjoint(values)])


def tiny(size_px: float | None) -> bool:
    """Return whether letters of this size are not read by anybody."""
    return size_px is not None and size_px <= _TINY_PX


def attributed(style: Style, tag: str, attributes: Mapping[str, str | None]) -> Style:
    """Return `style` with the colours that attributes of HTML name, where CSS names none."""
    colour = attributes.get("color") or (attributes.get("text") if tag == "body" else None)
    background, picture = attributes.get("bgcolor"), attributes.get("background")
    if not (colour or background or picture):
        return style
    names = (colour or "")[:_MAX_COLOUR], (background or "")[:_MAX_COLOUR]
    return _coloured(style, *names, pictured=bool(picture))


def in_a_line(style: Style, tag: str, text: str) -> Style:
    """Return `style` of an element that has no size in a line, unless `text` makes it a box."""
    if style.hidden != "box" or tag not in _INLINE:
        return style
    values, _ = _declarations(text[:_MAX_STYLE].lower())
    return style if _BOXES & values.keys() else replace(style, hidden="", pinned=False)


def linked(style: Style) -> Style:
    """Return `style` for a link, which has a colour of its own where CSS names none."""
    return style if style.colour is not None or style.transparent else _linked(style)


@lru_cache(maxsize=1024)
def _linked(style: Style) -> Style:
    return replace(style, colour=_LINK)


@lru_cache(maxsize=1024)
def _coloured(style: Style, colour: str, background: str, *, pictured: bool) -> Style:
    # Attributes are hints: each property of CSS goes before the hint for it, and not before others.
    said = style.colour is not None or style.transparent
    behind = style.background is not None or style.pictured
    return replace(
        style,
        colour=style.colour if said else parse_colour(colour),
        background=style.background if behind else _backdrop(background.lower()),
        pictured=style.pictured or pictured or (not behind and _is_picture(background.lower())),
    )


def _backdrop(text: str) -> Colour | None:
    """Return the colour in `background`, among whatever else is said there."""
    if alpha(text) < _FAINT:
        return None
    if (colour := parse_colour(text)) is not None:
        return colour
    words = (parse_colour(word) for word in text.split()[:_MAX_WORDS])
    return next((colour for colour in words if colour is not None), None)


def _is_picture(text: str) -> bool:
    """Return whether a colour or background is none that is known: url(), oklch(), var()."""
    if "url(" in text or "gradient(" in text:
        return True
    return "(" in text and alpha(text) >= _FAINT and _backdrop(text) is None


def _is_drawn(values: Mapping[str, str]) -> bool:
    """Return whether letters are seen by other means than their colour on that of the element."""
    if any(values.get(name, "none") not in _NOT_DRAWN for name in _DRAWN):
        return True
    clip = values.get("background-clip") or values.get("-webkit-background-clip", "")
    repainted = any(way in values.get("filter", "") for way in _REPAINTS)
    return clip == "text" or repainted or "inset" in values.get("box-shadow", "")


def _size(text: str) -> float | None:
    """Return the size of letters that `text` states: that of usual ones where it is a word."""
    if text in _SIZES or ("(" in text and not _ONE_LENGTH.fullmatch(text)):
        return _USUAL_PX
    return length_px(text)


def length_px(text: str) -> float | None:
    """Return a length of CSS in pixels; None where it is none."""
    match = _LENGTH.match(text.strip()) if text else None
    if match is None:
        return None
    return float(match[1][:12]) * _PX.get(match[2] or "px", 16.0)


def _declarations(text: str) -> tuple[dict[str, str], frozenset[str]]:
    """Return the values by property, and the properties of which `!important` says that they stay.

    The last one of a property holds, as in browsers, unless an earlier one is to stay.
    """
    if "/*" in text:
        text = _COMMENT.sub(" ", text)
    if "\\" in text:
        text = _ESCAPE.sub(_unescaped, text)
    values: dict[str, str] = {}
    pinned: set[str] = set()
    for declaration in text.split(";"):
        name, colon, value = declaration.partition(":")
        if not colon:
            continue
        name, important = name.strip(), False
        if "!" in value:
            value, _, word = value.partition("!")
            important = word.strip() == "important"
        if important:
            pinned.add(name)
        elif name in pinned:
            continue
        values[name] = value.strip()
    return values, frozenset(pinned)


def _unescaped(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[2]
    number = int(match[1], 16)
    return chr(number) if 0x20 <= number < 0x7F else " "


def _why_hidden(values: Mapping[str, str]) -> str:
    # Not by `mso-hide: all`: Outlook alone does not show that, and everybody else does.
    if values.get("display") == "none" or values.get("content-visibility") == "hidden":
        return "display"
    if values.get("visibility") in ("hidden", "collapse"):
        return "visibility"
    if _is_faint(_LENGTH.match(values.get("opacity", ""))) or _is_faint(
        _FILTERED.search(values.get("filter", "")[:200])
    ):
        return "opacity"
    if _is_far(values) or _is_moved_away(values):
        return "position"
    return "box" if _is_closed_box(values) or _is_scaled_away(values) else ""


def _is_faint(opacity: re.Match[str] | None) -> bool:
    if opacity is None:
        return False
    return float(opacity[1][:12]) / (100.0 if opacity[2] == "%" else 1.0) < _FAINT


def _is_far(values: Mapping[str, str]) -> bool:
    if _is_beyond(values, "text-indent", _FAR_PX):
        return True
    if _cuts(values) and values.get("text-indent", "").startswith("100%"):
        return True
    if values.get("position") in _PLACED:
        if any(_is_beyond(values, side, _FAR_PX) for side in ("left", "top", "right", "bottom")):
            return True
        if _is_beyond(values, "inset", _FAR_PX):
            return True
    if any(_is_beyond(values, side, _FAR_MARGIN_PX) for side in ("margin-left", "margin-top")):
        return True
    clipped = values.get("clip-path", "").replace(" ", "").startswith(_CLIPPED)
    return clipped or values.get("clip", "").replace(" ", "").startswith(("rect(0", "rect(1px,1px"))


def _is_beyond(values: Mapping[str, str], name: str, least: float) -> bool:
    """Return whether the length `name` leads out of the page, to the left, above or far right."""
    place = length_px(values[name]) if name in values else None
    return place is not None and (
        place < least or (place > _FAR_RIGHT_PX and name in ("left", "text-indent"))
    )


def _is_moved_away(values: Mapping[str, str]) -> bool:
    moved = _MOVED.search(values.get("transform", "")[:200])
    places = (length_px(place) for place in moved[1].split(",")) if moved else ()
    return any(place is not None and place < _FAR_MARGIN_PX for place in places)


def _is_scaled_away(values: Mapping[str, str]) -> bool:
    if _SCALED_AWAY.search(values.get("transform", "")[:200]):
        return True
    return values.get("scale", "").split(" ", 1)[0] in ("0", "0%")


def _cuts(values: Mapping[str, str]) -> bool:
    """Return whether nothing is shown beyond the edge of the element."""
    return any(values.get(name, "").startswith(_CUTS) for name in ("overflow", "overflow-y"))


def _is_closed_box(values: Mapping[str, str]) -> bool:
    """Return whether the element is a box of no size that shows nothing beyond its edge."""
    if not _cuts(values):
        return False
    for side in ("max-height", "height", "max-width", "width"):
        size = length_px(values.get(side, ""))
        if size is not None and size <= _TINY_PX:
            return not _is_kept_open(values)
    return False


def _is_kept_open(values: Mapping[str, str]) -> bool:
    """Return whether a box of no height shows what is in it all the same."""
    sizes = (length_px(values.get(name, "")) for name in _KEEPS_OPEN)
    return any(size is not None and size > _TINY_PX for size in sizes)


def _size_of_font(font: str) -> str:
    if match := _FONT_SIZE.search(font[:200]):
        return match[1]
    words = (word.partition("/")[0] for word in font[:200].split())
    return next((word for word in words if word in _SIZES), "")
