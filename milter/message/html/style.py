"""Whether a person sees text of a given style: the part of CSS that hides.

Not a style engine: declarations of one element, and how they change what rules of a style sheet say
(`milter.message.html.sheet`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from milter.message.html.colour import FAINT, Colour, alpha, colour_in, legacy_colour, parse_colour
from milter.message.html.declarations import declarations
from milter.message.html.hiding import TAKEN_OUT, TINY_PX, cuts, why_hidden
from milter.message.html.place import LENGTH, length_px, moved

if TYPE_CHECKING:
    from collections.abc import Mapping

# In the shorthand the size stands before the family, and before a slash and the height of lines.
_FONT_SIZE: Final = re.compile(
    r"(?:^|\s)(\d*\.?\d+(?:px|pt|em|rem|%)|0(?=[\s/])|(?:x*-)?(?:small|large)|medium)(?=[\s/]|$)"
)
_DRAWN: Final = ("text-shadow", "-webkit-text-stroke", "-webkit-text-stroke-width")
_MAX_STYLE: Final = 4_000
# Templates repeat their styles from element to element and from mail to mail; long ones are rare.
_MAX_KEPT: Final = 300
# What has a size of its own: else words in a line have none, and are not cut to one.
_BOXES: Final = re.compile(
    r"block|inline-block|(?:inline-)?(?:flex|grid|table)|table-cell|list-item"
)
_REPAINTS: Final = ("invert(", "contrast(", "brightness(", "drop-shadow(")
_LINK: Final[Colour] = (0, 0, 238)
_OWN_SIZE: Final = 16.0
_OUTSIDE_PX: Final = 9_999.0
_SIZES_AROUND: Final = frozenset(("inherit", "unset", "smaller", "larger"))
_TIMES: Final = {"em": 1.0, "%": 0.01, "ex": 0.5, "ch": 0.5}
_COLOURS_AROUND: Final = frozenset(("inherit", "unset", "currentcolor"))
_OVERRIDES: Final = frozenset(("bidi-override", "isolate-override"))
# What takes back that something is hidden, by the reason.
_SHOWN_BY: Final[dict[str, frozenset[str]]] = {
    "display": frozenset(("display", "content-visibility")),
    "visibility": frozenset(("visibility",)),
    "opacity": frozenset(("opacity", "filter")),
    "position": frozenset(("position", "clip", "clip-path")),
    "box": frozenset(("overflow", "height", "max-height", "width", "max-width", "transform")),
    "size": frozenset(("font-size", "font")),
    "colour": frozenset(("color", "-webkit-text-fill-color", "background", "background-color")),
}
EVERY_REASON: Final = frozenset(_SHOWN_BY)
# What moves an element, and so hides or shows it by its position.
_MOVES: Final = re.compile(
    r"position|left|right|top|bottom|inset|margin|padding|border|transform|text-indent"
)


@dataclass(frozen=True, slots=True)
class Style:
    """What declarations say about being seen.

    Attributes:
        hidden: Why the element and all in it is not seen: display, visibility, opacity, position,
            box; empty when it is.
        pinned: Whether only another `!important` takes that back.
        keeps: Reasons for which only another `!important` hides it.
        visible: Whether `visibility: visible` takes back what an element around it said.
        boxed: Whether the element has a size of its own, or is part of a line; None where its name
            tells.
        size_px: Size of the letters; None where nothing is said.
        size_times: The same, as a multiple of that around the element.
        x: How far it is moved to the right, in pixels; NaN where nobody can tell.
        y: How far it is moved down.
        indent: How far the first line of its text is moved; None where nothing is said.
        colour: Of the letters; None where nothing is said.
        transparent: Whether the letters have no colour at all.
        background: None where nothing is said.
        pictured: Whether a picture lies behind the letters, so that colours tell nothing.
        reversed: Whether the letters stand in the other order than they are written in.
    """

    hidden: str = ""
    pinned: bool = False
    keeps: frozenset[str] = frozenset()
    visible: bool = False
    boxed: bool | None = None
    size_px: float | None = None
    size_times: float | None = None
    x: float = 0.0
    y: float = 0.0
    indent: float | None = None
    colour: Colour | None = None
    transparent: bool = False
    background: Colour | None = None
    pictured: bool = False
    reversed: bool = False

    @property
    def is_for_boxes(self) -> bool:
        """Whether something of it holds for elements alone that have a size of their own."""
        return bool(self.hidden == "box" or self.x or self.y or self.indent is not None)


PLAIN: Final = Style()
# Of declarations about space and borders: they change nothing.
SILENT: Final = Style()
# Of more than is read: it hides nothing, nor does what is around it by colour or size.
UNREAD: Final = Style(keeps=EVERY_REASON, visible=True, size_px=_OWN_SIZE, pictured=True)


class Declared(NamedTuple):
    """Declarations, read.

    Attributes:
        style: What they say by themselves.
        says: The properties in them.
        pinned: Those of which only another `!important` takes anything back.
    """

    style: Style
    says: frozenset[str] = frozenset()
    pinned: frozenset[str] = frozenset()


def parse_style(text: str) -> Style:
    """Return what the declarations `text` of one element say."""
    return _known_style(text) if len(text) <= _MAX_KEPT else _declared(text).style


def declared(text: str) -> Declared:
    """Return the declarations `text`, read."""
    return _known_declared(text) if len(text) <= _MAX_KEPT else _declared(text)


def restyled(style: Style, text: str) -> Style:
    """Return what is left of `style` where the declarations `text` hold as well, and come later."""
    return (
        _known_restyled(style, text) if len(text) <= _MAX_KEPT else overlaid(style, _declared(text))
    )


@lru_cache(maxsize=8192)
def _known_style(text: str) -> Style:
    return _declared(text).style


@lru_cache(maxsize=8192)
def _known_declared(text: str) -> Declared:
    return _declared(text)


@lru_cache(maxsize=8192)
def _known_restyled(style: Style, text: str) -> Style:
    return overlaid(style, declared(text))


def _declared(text: str) -> Declared:
    if len(text) > _MAX_STYLE:
        return Declared(UNREAD, frozenset.union(*_SHOWN_BY.values()))
    values, pinned = declarations(text.lower())
    if not values:
        return Declared(PLAIN)
    style = _style_of(values, pinned)
    return Declared(SILENT if style == SILENT else style, frozenset(values), pinned)


def _style_of(values: Mapping[str, str], pinned: frozenset[str]) -> Style:
    colour = values.get("-webkit-text-fill-color") or values.get("color", "")
    letters = parse_colour(colour)
    hidden = why_hidden(values)
    size_px, size_times = _size(values, pinned)
    behind, pictured = _behind(values, pinned)
    x, y = moved(values)
    return Style(
        hidden=hidden,
        pinned=bool(hidden and hidden in _reasons(pinned)),
        keeps=(_reasons(pinned) - {hidden}) if pinned else frozenset(),
        visible=values.get("visibility") == "visible",
        boxed=_is_boxed(values),
        size_px=size_px,
        size_times=size_times,
        x=x,
        y=y,
        indent=_indent(values),
        colour=letters,
        transparent=bool(colour) and alpha(colour) < FAINT and not pictured,
        background=behind,
        # Of a colour that is not known nobody can tell what it is not seen on.
        pictured=pictured or bool(colour and letters is None and colour not in _COLOURS_AROUND),
        reversed=values.get("unicode-bidi") in _OVERRIDES and values.get("direction") == "rtl",
    )


def overlaid(style: Style, more: Declared) -> Style:
    """Return what is left of `style` where other declarations hold as well, and come later."""
    own, hidden = more.style, style.hidden
    if own is PLAIN:
        return style
    kept = style.keeps - own.keeps
    said = _reasons(more.says) - kept
    if hidden and (own.hidden or (style.pinned and hidden not in _reasons(more.pinned))):
        said -= {hidden}
    if own.hidden and (own.pinned or own.hidden not in kept):
        hidden = own.hidden
    elif hidden in said:
        hidden = ""
    sized = "size" in said and (own.size_px is not None or own.size_times is not None)
    moves = "position" in said
    coloured = "colour" in said and (own.colour is not None or own.transparent)
    behind = "colour" in said and (own.background is not None or own.pictured)
    return Style(
        hidden=hidden,
        pinned=own.pinned or (style.pinned and bool(hidden)),
        keeps=style.keeps | own.keeps,
        visible=own.visible or style.visible,
        boxed=style.boxed if own.boxed is None else own.boxed,
        size_px=own.size_px if sized else style.size_px,
        size_times=own.size_times if sized else style.size_times,
        x=own.x if moves else style.x,
        y=own.y if moves else style.y,
        indent=own.indent if moves and own.indent is not None else style.indent,
        colour=own.colour if coloured else style.colour,
        transparent=own.transparent if coloured else style.transparent,
        background=own.background if behind else style.background,
        pictured=own.pictured if behind else style.pictured,
        reversed=own.reversed or style.reversed,
    )


@lru_cache(maxsize=1024)
def _reasons(says: frozenset[str]) -> frozenset[str]:
    """Return the reasons for being hidden that properties have to do with."""
    found = [why for why, names in _SHOWN_BY.items() if not names.isdisjoint(says)]
    return frozenset([*found, "position"] if any(map(_MOVES.match, says)) else found)


def shows(more: Declared) -> frozenset[str]:
    """Return the reasons for being hidden that declarations take back."""
    if more.style.hidden:
        return frozenset()
    reasons = _reasons(more.says)
    return reasons - {"size"} if tiny(more.style.size_px) else reasons


def shown(style: Style, reasons: frozenset[str], kept: frozenset[str]) -> Style:
    """Return `style` where none of `reasons` hides, and for none of `kept` a later one may."""
    hidden = style.hidden not in reasons and style.hidden
    moves, sized = "position" in reasons, "size" in reasons
    return replace(
        style,
        hidden=hidden or "",
        pinned=style.pinned and bool(hidden),
        keeps=style.keeps | kept,
        visible=style.visible or "visibility" in reasons,
        size_px=_OWN_SIZE if sized else style.size_px,
        size_times=None if sized else style.size_times,
        x=0.0 if moves else style.x,
        y=0.0 if moves else style.y,
        indent=None if moves else style.indent,
        transparent=style.transparent and "colour" not in reasons,
        pictured=style.pictured or "colour" in reasons,
    )


def tiny(size_px: float | None) -> bool:
    """Return whether letters of this size are not read by anybody."""
    return size_px is not None and size_px <= TINY_PX


@lru_cache(maxsize=1024)
def coloured(style: Style, colour: str, background: str, *, pictured: bool) -> Style:
    """Return `style` with the colours that attributes of HTML name, where CSS names none.

    They are hints: each property goes before the hint for it, and not before others (WHATWG HTML,
    §15.2).
    """
    said = style.colour is not None or style.transparent
    behind = style.background is not None or style.pictured
    return replace(
        style,
        colour=style.colour if said or not colour else legacy_colour(colour),
        background=style.background if behind or not background else legacy_colour(background),
        pictured=pictured or style.pictured,
    )


@lru_cache(maxsize=1024)
def linked(style: Style) -> Style:
    """Return `style` for a link, which has a colour of its own where CSS names none."""
    return style if style.transparent else replace(style, colour=_LINK)


def _latest(values: Mapping[str, str], pinned: frozenset[str], *names: str) -> list[str]:
    """Return those of `names` that are said, from the one that holds before the others."""
    said = [name for name in values if name in names][::-1]
    return sorted(said, key=lambda name: name not in pinned) if len(said) > 1 else said


def _size(values: Mapping[str, str], pinned: frozenset[str]) -> tuple[float | None, float | None]:
    """Return the size of letters in pixels, or as a multiple of that around; None: not said."""
    for name in _latest(values, pinned, "font-size", "font"):
        size = values[name] if name == "font-size" else _size_of_font(values[name])
        if not size or size in _SIZES_AROUND:
            continue
        match = LENGTH.fullmatch(size)
        if match is None:
            # Words for sizes, and what is to be worked out.
            return _OWN_SIZE, None
        if times := _TIMES.get(match[3] or ""):
            return None, float(match[2][:12]) * times
        return length_px(size), None
    return None, None


def _behind(values: Mapping[str, str], pinned: frozenset[str]) -> tuple[Colour | None, bool]:
    """Return the colour behind the letters, and whether there is something that is not known."""
    colour: Colour | None = None
    for name in _latest(values, pinned, "background-color", "background")[:1]:
        colour, known = colour_in(values[name])
        if not known:
            return None, True
    pictures = values.get("background", "") + values.get("background-image", "")
    drawn = "url(" in pictures or "gradient(" in pictures
    # A shadow inside of the box, or around the letters, is a background, too.
    drawn = drawn or "inset" in values.get("box-shadow", "") or _is_repainted(values)
    return colour, drawn or any(values.get(name, "none") != "none" for name in _DRAWN)


def _is_repainted(values: Mapping[str, str]) -> bool:
    """Return whether letters have another colour on the screen than the one that is said."""
    clip = values.get("background-clip") or values.get("-webkit-background-clip", "")
    return clip == "text" or any(way in values.get("filter", "") for way in _REPAINTS)


def _is_boxed(values: Mapping[str, str]) -> bool | None:
    if values.get("float") in ("left", "right") or values.get("position") in TAKEN_OUT:
        return True
    display = values.get("display", "")
    if display in ("inline", "contents"):
        return False
    return True if _BOXES.fullmatch(display) else None


def _indent(values: Mapping[str, str]) -> float | None:
    indent = values.get("text-indent", "")
    if indent.startswith("100%") and cuts(values):
        return _OUTSIDE_PX
    return length_px(indent)


def _size_of_font(font: str) -> str:
    match = _FONT_SIZE.search(font[:200])
    return match[1] if match else ""
