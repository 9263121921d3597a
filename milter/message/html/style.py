"""Whether a person sees text of a given style: the part of CSS that hides.

Not a style engine: declarations of one element, simple rules of style sheets (`.a`, `#a`, `a`), and
what is handed down. Rules for single media are left out, for they hide on purpose on small screens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

Colour = tuple[int, int, int]

_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_BRACE: Final = re.compile(r"[{}]")
_SELECTOR: Final = re.compile(r"[A-Za-z]*([.#])?([A-Za-z_][\w-]*)")
_LENGTH: Final = re.compile(r"([+-]?\d*\.?\d+)\s*(px|pt|em|rem|ex|ch|%|vw|vh|cm|mm|in)?")
_RGB: Final = re.compile(r"rgba?\(([^()]*)\)")
_HEX: Final = re.compile(r"#([0-9a-f]{3,8})")
_FONT_SIZE: Final = re.compile(r"(?:^|\s)(\d*\.?\d+(?:px|pt|em|rem|%))")
_MAX_STYLE: Final = 4_000
# Templates repeat their styles from element to element and from mail to mail; long ones are rare.
_MAX_KEPT: Final = 300
_MAX_RULES: Final = 2_000
# Sizes that nobody reads. Preview texts that mail programs show in the list are often 1px.
_TINY_PX: Final = 2.0
_PX: Final = {"px": 1.0, "pt": 1.333, "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0, "%": 0.16}
_FAR_PX: Final = -400.0
_FAINT: Final = 0.1
# Of 255 in each of red, green and blue; white on #fafafa is not seen.
_ALIKE: Final = 18
_NAMED: Final[dict[str, Colour]] = {
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "silver": (192, 192, 192),
    "navy": (0, 0, 128),
    "maroon": (128, 0, 0),
    "orange": (255, 165, 0),
    "purple": (128, 0, 128),
    "lime": (0, 255, 0),
    "aqua": (0, 255, 255),
    "cyan": (0, 255, 255),
    "fuchsia": (255, 0, 255),
    "magenta": (255, 0, 255),
    "olive": (128, 128, 0),
    "teal": (0, 128, 128),
    "snow": (255, 250, 250),
    "ivory": (255, 255, 240),
    "whitesmoke": (245, 245, 245),
    "ghostwhite": (248, 248, 255),
    "lightgray": (211, 211, 211),
    "lightgrey": (211, 211, 211),
}
WHITE: Final[Colour] = (255, 255, 255)
BLACK: Final[Colour] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Style:
    """What declarations say about being seen.

    Attributes:
        hidden: Why the element and all in it is not seen: display, visibility, opacity, position,
            box; empty when it is.
        visible: Whether `visibility: visible` takes back what an element around it said.
        size_px: Size of the letters; None where nothing is said.
        colour: Of the letters; None where nothing is said.
        transparent: Whether the letters have no colour at all.
        background: None where nothing is said.
        pictured: Whether a picture lies behind the letters, so that colours tell nothing.
    """

    hidden: str = ""
    visible: bool = False
    size_px: float | None = None
    colour: Colour | None = None
    transparent: bool = False
    background: Colour | None = None
    pictured: bool = False


PLAIN: Final = Style()
# Of declarations about space and borders: they change nothing, yet stand before rules of a sheet.
SILENT: Final = Style()


def parse_style(text: str) -> Style:
    """Return what the declarations `text` of one element say."""
    return _known_style(text) if len(text) <= _MAX_KEPT else _parsed(text)


@lru_cache(maxsize=8192)
def _known_style(text: str) -> Style:
    return _parsed(text)


def _parsed(text: str) -> Style:
    values = _declarations(text[:_MAX_STYLE].lower())
    if not values:
        return PLAIN
    colour = values.get("color", "")
    background = values.get("background-color") or values.get("background", "")
    size = values.get("font-size") or _size_of_font(values.get("font", ""))
    style = Style(
        hidden=_why_hidden(values),
        visible=values.get("visibility") == "visible",
        size_px=length_px(size) if size else None,
        colour=parse_colour(colour),
        transparent=colour == "transparent" or _alpha(colour) < _FAINT,
        background=None if _alpha(background) < _FAINT else parse_colour(background),
        pictured="url(" in background
        or "url(" in values.get("background-image", "")
        or "gradient(" in background,
    )
    return SILENT if style == SILENT else style


def parse_sheet(text: str) -> dict[str, Style]:
    """Return the simple rules of a style sheet by selector (`.a`, `#a`, `a`), where they hide."""
    rules: dict[str, Style] = {}
    sheet = _without_media(_COMMENT.sub(" ", text))
    for rule in sheet.split("}", _MAX_RULES)[:_MAX_RULES]:
        selectors, brace, declarations = rule.partition("{")
        style = parse_style(declarations.strip()) if brace else PLAIN
        if not style.hidden and not tiny(style.size_px):
            continue
        for selector in selectors[-_MAX_STYLE:].split(",")[:20]:
            if found := _SELECTOR.fullmatch(selector.strip()):
                rules[(found[1] or "") + found[2].lower()] = style
    return rules


def _without_media(text: str) -> str:
    """Return the sheet without its at-rules and all that stands in their braces."""
    if "@" not in text:
        return text
    pieces, position = [], 0
    while (at := text.find("@", position)) >= 0:
        pieces.append(text[position:at])
        brace, semicolon = text.find("{", at), text.find(";", at)
        if 0 <= semicolon < brace or brace < 0:
            position = semicolon + 1 if semicolon >= 0 else len(text)
            continue
        position = _block_end(text, brace)
    return "".join([*pieces, text[position:]])


def _block_end(text: str, brace: int) -> int:
    depth = 0
    for match in _BRACE.finditer(text, brace):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    return len(text)


def tiny(size_px: float | None) -> bool:
    """Return whether letters of this size are not read by anybody."""
    return size_px is not None and size_px <= _TINY_PX


def alike(one: Colour, other: Colour) -> bool:
    """Return whether letters of one colour are not seen on the other."""
    return (
        abs(one[0] - other[0]) <= _ALIKE
        and abs(one[1] - other[1]) <= _ALIKE
        and abs(one[2] - other[2]) <= _ALIKE
    )


@lru_cache(maxsize=1024)
def coloured(style: Style, colour: str, background: str, *, pictured: bool) -> Style:
    """Return `style` with the colours that attributes of HTML name."""
    return replace(
        style,
        colour=parse_colour(colour) if colour else None,
        background=parse_colour(background) if background else None,
        pictured=pictured or style.pictured,
    )


@lru_cache(maxsize=1024)
def parse_colour(text: str) -> Colour | None:
    """Return red, green and blue of a colour in CSS or HTML; None where it is not known."""
    text = text.strip().lower()[:100]
    word = text.split(" ", 1)[0] if not text.startswith("rgb") else text
    if (named := _NAMED.get(word)) is not None:
        return named
    if match := _RGB.search(text):
        return _from_numbers(match[1])
    if (match := _HEX.match(word)) or (match := re.fullmatch(r"([0-9a-f]{6})", word)):
        digits = match[1]
        if len(digits) < 6:
            digits = "".join(digit * 2 for digit in digits[:3])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
    return None


def length_px(text: str) -> float | None:
    """Return a length of CSS in pixels; None where it is none."""
    match = _LENGTH.match(text.strip()) if text else None
    if match is None:
        return None
    return float(match[1][:12]) * _PX.get(match[2] or "px", 16.0)


def _declarations(text: str) -> dict[str, str]:
    if "/*" in text:
        text = _COMMENT.sub(" ", text)
    values = {}
    for declaration in text.split(";"):
        name, colon, value = declaration.partition(":")
        if colon:
            values[name.strip()] = value.replace("!important", "").strip()
    return values


def _why_hidden(values: dict[str, str]) -> str:
    if values.get("display") == "none" or values.get("mso-hide") == "all":
        return "display"
    if values.get("visibility") in ("hidden", "collapse"):
        return "visibility"
    opacity = _LENGTH.match(values["opacity"]) if "opacity" in values else None
    if opacity and float(opacity[1][:12]) < _FAINT and opacity[2] != "%":
        return "opacity"
    if _is_far(values):
        return "position"
    return "box" if _is_closed_box(values) else ""


def _is_far(values: dict[str, str]) -> bool:
    indent = length_px(values.get("text-indent", ""))
    if indent is not None and indent < _FAR_PX:
        return True
    if values.get("position") in ("absolute", "fixed"):
        for side in ("left", "top", "right", "bottom", "margin-left", "margin-top"):
            place = length_px(values.get(side, ""))
            if place is not None and place < _FAR_PX:
                return True
    return values.get("clip", "").replace(" ", "").startswith(("rect(0", "rect(1px,1px"))


def _is_closed_box(values: dict[str, str]) -> bool:
    """Return whether the element is a box of no size that shows nothing beyond its edge."""
    if values.get("overflow", "") != "hidden":
        return False
    for side in ("max-height", "height", "max-width", "width"):
        size = length_px(values.get(side, ""))
        if size is not None and size <= _TINY_PX:
            return True
    return False


def _size_of_font(font: str) -> str:
    match = _FONT_SIZE.search(font[:200])
    return match[1] if match else ""


def _alpha(colour: str) -> float:
    if not colour.startswith("rgba("):
        return 1.0
    numbers = colour[5:].rstrip(") ").replace("/", ",").split(",")
    if len(numbers) != 4:
        return 1.0
    match = _LENGTH.match(numbers[3].strip())
    return float(match[1][:12]) if match else 1.0


def _from_numbers(text: str) -> Colour | None:
    numbers = []
    for word in text.replace(",", " ").replace("/", " ").split()[:3]:
        match = _LENGTH.match(word)
        if match is None:
            return None
        value = float(match[1][:12]) * (2.55 if match[2] == "%" else 1.0)
        numbers.append(max(0, min(255, int(value))))
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None
