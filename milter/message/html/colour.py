"""Colours as HTML and CSS write them, and whether letters of one are seen on the other."""

from __future__ import annotations

import colorsys
import re
from functools import lru_cache
from typing import Final

Colour = tuple[int, int, int]

WHITE: Final[Colour] = (255, 255, 255)
BLACK: Final[Colour] = (0, 0, 0)
# Of 255 in each of red, green and blue; white on #fafafa is not seen.
_ALIKE: Final = 18
_HEX: Final = re.compile(r"#?([0-9a-f]{8}|[0-9a-f]{6}|[0-9a-f]{3,4})")
# Of anything but numbers the colour is to be worked out.
_FUNCTION: Final = re.compile(r"(rgb|hsl)a?\(([-+\d.,%/\s]*+(?:deg[-+\d.,%/\s]*+)?)\)")
_WORD: Final = re.compile(r"[^\s(]+(?:\([^()]*+\))?")
# Of the shorthand for backgrounds, beside the colour.
_NO_COLOURS: Final = re.compile(
    r"none|repeat(?:-[xy])?|no-repeat|space|round|scroll|fixed|local|top|bottom|left|right|center"
    r"|cover|contain|auto|initial|inherit|unset|transparent|(?:border|padding|content)-box|/|[-+.\d].*|url\(.*"
)
_FOREIGN: Final = re.compile("[^0-9a-f]")
_NUMBER: Final = re.compile(r"([+-]?\d*\.?\d+)\s*(%)?")
_LONGEST: Final = 100
# Less of a colour is none.
FAINT: Final = 0.1
# CSS Color 4, §6.1.
_NAMED_HEX: Final = """
aliceblue f0f8ff antiquewhite faebd7 aqua 00ffff aquamarine 7fffd4 azure f0ffff beige f5f5dc
bisque ffe4c4 black 000000 blanchedalmond ffebcd blue 0000ff blueviolet 8a2be2 brown a52a2a
burlywood deb887 cadetblue 5f9ea0 chartreuse 7fff00 chocolate d2691e coral ff7f50
cornflowerblue 6495ed cornsilk fff8dc crimson dc143c cyan 00ffff darkblue 00008b darkcyan 008b8b
darkgoldenrod b8860b darkgray a9a9a9 darkgreen 006400 darkgrey a9a9a9 darkkhaki bdb76b
darkmagenta 8b008b darkolivegreen 556b2f darkorange ff8c00 darkorchid 9932cc darkred 8b0000
darksalmon e9967a darkseagreen 8fbc8f darkslateblue 483d8b darkslategray 2f4f4f
darkslategrey 2f4f4f darkturquoise 00ced1 darkviolet 9400d3 deeppink ff1493 deepskyblue 00bfff
dimgray 696969 dimgrey 696969 dodgerblue 1e90ff firebrick b22222 floralwhite fffaf0
forestgreen 228b22 fuchsia ff00ff gainsboro dcdcdc ghostwhite f8f8ff gold ffd700 goldenrod daa520
gray 808080 green 008000 greenyellow adff2f grey 808080 honeydew f0fff0 hotpink ff69b4
indianred cd5c5c indigo 4b0082 ivory fffff0 khaki f0e68c lavender e6e6fa lavenderblush fff0f5
lawngreen 7cfc00 lemonchiffon fffacd lightblue add8e6 lightcoral f08080 lightcyan e0ffff
lightgoldenrodyellow fafad2 lightgray d3d3d3 lightgreen 90ee90 lightgrey d3d3d3 lightpink ffb6c1
lightsalmon ffa07a lightseagreen 20b2aa lightskyblue 87cefa lightslategray 778899
lightslategrey 778899 lightsteelblue b0c4de lightyellow ffffe0 lime 00ff00 limegreen 32cd32
linen faf0e6 magenta ff00ff maroon 800000 mediumaquamarine 66cdaa mediumblue 0000cd
mediumorchid ba55d3 mediumpurple 9370db mediumseagreen 3cb371 mediumslateblue 7b68ee
mediumspringgreen 00fa9a mediumturquoise 48d1cc mediumvioletred c71585 midnightblue 191970
mintcream f5fffa mistyrose ffe4e1 moccasin ffe4b5 navajowhite ffdead navy 000080 oldlace fdf5e6
olive 808000 olivedrab 6b8e23 orange ffa500 orangered ff4500 orchid da70d6 palegoldenrod eee8aa
palegreen 98fb98 paleturquoise afeeee palevioletred db7093 papayawhip ffefd5 peachpuff ffdab9
peru cd853f pink ffc0cb plum dda0dd powderblue b0e0e6 purple 800080 rebeccapurple 663399
red ff0000 rosybrown bc8f8f royalblue 4169e1 saddlebrown 8b4513 salmon fa8072 sandybrown f4a460
seagreen 2e8b57 seashell fff5ee sienna a0522d silver c0c0c0 skyblue 87ceeb slateblue 6a5acd
slategray 708090 slategrey 708090 snow fffafa springgreen 00ff7f steelblue 4682b4 tan d2b48c
teal 008080 thistle d8bfd8 tomato ff6347 turquoise 40e0d0 violet ee82ee wheat f5deb3 white ffffff
whitesmoke f5f5f5 yellow ffff00 yellowgreen 9acd32
"""
_WORDS: Final = _NAMED_HEX.split()
_NAMED: Final[dict[str, str]] = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))


def alike(one: Colour, other: Colour) -> bool:
    """Return whether letters of one colour are not seen on the other."""
    return (
        abs(one[0] - other[0]) <= _ALIKE
        and abs(one[1] - other[1]) <= _ALIKE
        and abs(one[2] - other[2]) <= _ALIKE
    )


@lru_cache(maxsize=1024)
def parse_colour(text: str) -> Colour | None:
    """Return red, green and blue of a colour in CSS or HTML; None where it is not known."""
    text = text.strip().lower()[:_LONGEST]
    if match := _FUNCTION.fullmatch(text):
        return _from_numbers(match[1], _numbers(match[2]))
    named = _NAMED.get(text)
    if named is None and (match := _HEX.fullmatch(text)):
        # Without its sign a colour has six digits (CSS in mail without a doctype).
        named = match[1] if text[0] == "#" or len(match[1]) == 6 else None
    if named is None:
        return None
    if len(named) < 6:
        named = "".join(digit * 2 for digit in named)
    return int(named[:2], 16), int(named[2:4], 16), int(named[4:6], 16)


@lru_cache(maxsize=1024)
def legacy_colour(text: str) -> Colour | None:
    """Return the colour that an attribute names (WHATWG HTML, rules for legacy colour values)."""
    text = text.strip(" \t\n\f\r").lower()
    if text in ("", "transparent"):
        return None
    short = len(text) == len("#abc") and text[0] == "#"
    if (text in _NAMED or short) and (colour := parse_colour(text)) is not None:
        return colour
    digits = _FOREIGN.sub("0", text[:128].removeprefix("#")) or "0"
    length = -(-len(digits) // 3)
    digits = digits.ljust(3 * length, "0")
    parts = [digits[start : start + length][-8:] for start in range(0, 3 * length, length)]
    while len(parts[0]) > 2 and all(part[0] == "0" for part in parts):
        parts = [part[1:] for part in parts]
    red, green, blue = (int(part[:2], 16) for part in parts)
    return red, green, blue


@lru_cache(maxsize=1024)
def colour_in(background: str) -> tuple[Colour | None, bool]:
    """Return the colour in the value of `background`, and whether all of it is known.

    There is none where it is transparent, or nearly so.
    """
    for word in _WORD.findall(background[:_LONGEST]):
        if (colour := parse_colour(word)) is not None:
            return (colour if alpha(word) >= FAINT else None), True
        if not _NO_COLOURS.fullmatch(word):
            return None, False
    return None, True


@lru_cache(maxsize=1024)
def alpha(text: str) -> float:
    """Return how much of a colour is seen: 1 for all of it, 0 for none."""
    text = text.strip().lower()[:_LONGEST]
    if text.startswith("transparent"):
        return 0.0
    if match := _FUNCTION.fullmatch(text):
        numbers = _numbers(match[2])
        if len(numbers) < 4:
            return 1.0
        value, percent = numbers[3]
        return value / 100 if percent else value
    match = _HEX.fullmatch(text) if text[:1] == "#" else None
    if match is None or len(match[1]) not in (4, 8):
        return 1.0
    digits = match[1][-1] * 2 if len(match[1]) == 4 else match[1][-2:]
    return int(digits, 16) / 255


def _numbers(text: str) -> list[tuple[float, bool]]:
    """Return the numbers in the brackets of a colour, each with whether it is a percentage."""
    return [(float(match[1][:12]), bool(match[2])) for match in _NUMBER.finditer(text)][:5]


def _from_numbers(model: str, numbers: list[tuple[float, bool]]) -> Colour | None:
    if not 3 <= len(numbers) <= 4:
        return None
    if model == "hsl":
        (hue, _), (saturation, _), (light, _) = numbers[:3]
        parts = colorsys.hls_to_rgb(hue / 360 % 1, _share(light / 100), _share(saturation / 100))
        red, green, blue = (round(part * 255) for part in parts)
        return red, green, blue
    red, green, blue = (
        int(255 * _share(value / 100 if percent else value / 255)) for value, percent in numbers[:3]
    )
    return red, green, blue


def _share(value: float) -> float:
    return max(0.0, min(1.0, value))
