"""Letters of other scripts that look like Latin ones (UTS 39), and the way back for mixed words.

The table beside this file is made from Unicode's data by tests/support/icu.py, which names its
version; a test makes it anew.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# The first of 26 in a row: in brackets, in black circles, in black boxes, of flags.
_DRAWN: Final = (0x249C, 0x1F150, 0x1F170, 0x1F1E6)
_SMALL_CAPITALS: Final = (*range(0x250, 0x2B0), *range(0x1D00, 0x1D30), *range(0xA720, 0xA800))
# Of letters that are typed in each other's place; they look alike in small or in capital letters.
_LATIN: Final = "aceopxykmhtbi"
_CYRILLIC: Final = "асеорхукмнтві"
_LATIN_OF_GREEK: Final = "aeioupvxnktbmhzy"
_GREEK: Final = "αειουρνχηκτβμηζυ"

# Letters on their heads, and upright ones that are another one so.
_TURNED: Final = "ɐɔǝɟƃɓɥᴉıɾʞꞁɯɹʇʌʍʎbqdpnu"
_UPRIGHT: Final = "acefgghiijklmrtvwyqbpdun"


@cache
def looks_latin() -> Mapping[int, str]:
    """Return for each letter that looks like Latin ones those, in lower case, for `translate`."""
    text = files("milter.message.text").joinpath("confusables.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return {ord(letter): looks for letter, looks in rows}


@cache
def drawn_letters() -> Mapping[int, str]:
    """Return letters in boxes, circles and brackets, of flags and small capitals, as Latin ones.

    NFKC takes those that are white in black, and small capitals, for signs of their own. The blank
    of Braille is space.
    """
    drawn = {first + n: chr(ord("a") + n) for first in _DRAWN for n in range(26)}
    for code in _SMALL_CAPITALS:
        name = unicodedata.name(chr(code), "")
        letter = name.removeprefix("LATIN LETTER SMALL CAPITAL ")
        if len(letter) == 1 and letter.isalpha():
            drawn[code] = letter.lower()
    return drawn | {0x2800: " "}


@cache
def to_cyrillic() -> Mapping[int, int]:
    """Return the Cyrillic letters that Latin ones stand for, for `translate`."""
    return str.maketrans(_LATIN, _CYRILLIC)


@cache
def to_greek() -> Mapping[int, int]:
    """Return the Greek letters that Latin ones stand for, for `translate`."""
    return str.maketrans(_LATIN_OF_GREEK, _GREEK)


@cache
def to_upright() -> Mapping[int, int]:
    """Return the letters that letters on their heads are, for `translate`."""
    return str.maketrans(_TURNED, _UPRIGHT)
