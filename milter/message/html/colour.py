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
_HEX: Final = re.compile(r"#?([0-9a-f]{8}|[0-9a-f]{6}|[0-9a-f]{3,4})(?![0-9a-f])")
_FUNCTION: Final = re.compile(r"(rgb|hsl)a?\(([^()]*)\)")
_NUMBER: Final = re.compile(r"([+-]?\d*\.?\d+)\s*(%)?")
_LONGEST: Final = 100
# All of CSS Color 4, those of the system included: one that is not known would be taken for
# the white of the page.
_NAMED_HEX: Final = """
white ffffff black 000000 red ff0000 green 008000 blue 0000ff yellow ffff00 gray 808080 grey 808080
silver c0c0c0 navy 000080 maroon 800000 orange ffa500 purple 800080 lime 00ff00 aqua 00ffff
cyan 00ffff fuchsia ff00ff magenta ff00ff olive 808000 teal 008080 lightgray d3d3d3 lightgrey d3d3d3
darkgray a9a9a9 darkgrey a9a9a9 dimgray 696969 dimgrey 696969 gainsboro dcdcdc whitesmoke f5f5f5
snow fffafa ivory fffff0 ghostwhite f8f8ff floralwhite fffaf0 mintcream f5fffa azure f0ffff
aliceblue f0f8ff seashell fff5ee lavenderblush fff0f5 honeydew f0fff0 oldlace fdf5e6 linen faf0e6
cornsilk fff8dc beige f5f5dc lightyellow ffffe0 darkblue 00008b darkred 8b0000 darkgreen 006400
gold ffd700 pink ffc0cb brown a52a2a crimson dc143c tomato ff6347 indigo 4b0082 royalblue 4169e1
steelblue 4682b4 dodgerblue 1e90ff skyblue 87ceeb slategray 708090 slategrey 708090
midnightblue 191970 darkslategray 2f4f4f darkslategrey 2f4f4f
antiquewhite faebd7 aquamarine 7fffd4 bisque ffe4c4 blanchedalmond ffebcd blueviolet 8a2be2
burlywood deb887 cadetblue 5f9ea0 chartreuse 7fff00 chocolate d2691e coral ff7f50 cornflowerblue
6495ed darkcyan 008b8b darkgoldenrod b8860b darkkhaki bdb76b darkmagenta 8b008b darkolivegreen
556b2f darkorange ff8c00 darkorchid 9932cc darksalmon e9967a darkseagreen 8fbc8f darkslateblue
483d8b darkturquoise 00ced1 darkviolet 9400d3 deeppink ff1493 deepskyblue 00bfff firebrick b22222
forestgreen 228b22 goldenrod daa520 greenyellow adff2f hotpink ff69b4 indianred cd5c5c khaki f0e68c
lavender e6e6fa lawngreen 7cfc00 lemonchiffon fffacd lightblue add8e6 lightcoral f08080 lightcyan
e0ffff lightgoldenrodyellow fafad2 lightgreen 90ee90 lightpink ffb6c1 lightsalmon ffa07a
lightseagreen 20b2aa lightskyblue 87cefa lightslategray 778899 lightslategrey 778899 lightsteelblue
b0c4de limegreen 32cd32 mediumaquamarine 66cdaa mediumblue 0000cd mediumorchid ba55d3 mediumpurple
9370db mediumseagreen 3cb371 mediumslateblue 7b68ee mediumspringgreen 00fa9a mediumturquoise 48d1cc
mediumvioletred c71585 mistyrose ffe4e1 moccasin ffe4b5 navajowhite ffdead olivedrab 6b8e23
orangered ff4500 orchid da70d6 palegoldenrod eee8aa palegreen 98fb98 paleturquoise afeeee
palevioletred db7093 papayawhip ffefd5 peachpuff ffdab9 peru cd853f plum dda0dd powderblue b0e0e6
rebeccapurple 663399 rosybrown bc8f8f saddlebrown 8b4513 salmon fa8072 sandybrown f4a460 seagreen
2e8b57 sienna a0522d slateblue 6a5acd springgreen 00ff7f tan d2b48c thistle d8bfd8 turquoise 40e0d0
violet ee82ee wheat f5deb3 yellowgreen 9acd32
canvas ffffff window ffffff canvastext 000000 windowtext 000000 fieldtext 000000
buttontext 000000 menutext 000000 infotext 000000 captiontext 000000 linktext 0000ee
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
    if match := _FUNCTION.search(text):
        return _from_numbers(match[1], _numbers(match[2]))
    word = text.split(" ", 1)[0]
    named = _NAMED.get(word)
    if named is None and (match := _HEX.match(word)):
        # Without its sign a colour has six digits; attributes of HTML are written so.
        named = match[1] if word[0] == "#" or len(match[1]) == 6 else None
    if named is None:
        return None
    if len(named) < 6:
        named = "".join(digit * 2 for digit in named)
    return int(named[:2], 16), int(named[2:4], 16), int(named[4:6], 16)


@lru_cache(maxsize=1024)
def alpha(text: str) -> float:
    """Return how much of a colour is seen: 1 for all of it, 0 for none."""
    text = text.strip().lower()[:_LONGEST]
    if text.startswith("transparent"):
        return 0.0
    if match := _FUNCTION.search(text):
        numbers = _numbers(match[2])
        if len(numbers) < 4:
            return 1.0
        value, percent = numbers[3]
        return value / 100 if percent else value
    match = _HEX.match(text) if text[:1] == "#" else None
    if match is None or len(match[1]) not in (4, 8):
        return 1.0
    digits = match[1][-1] * 2 if len(match[1]) == 4 else match[1][-2:]
    return int(digits, 16) / 255


def _numbers(text: str) -> list[tuple[float, bool]]:
    """Return the numbers in the brackets of a colour, each with whether it is a percentage."""
    return [(float(match[1][:12]), bool(match[2])) for match in _NUMBER.finditer(text)][:4]


def _from_numbers(model: str, numbers: list[tuple[float, bool]]) -> Colour | None:
    if len(numbers) < 3:
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
