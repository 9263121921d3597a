"""Letters of other scripts that look like Latin ones (UTS 39), and the way back for mixed words.

The table beside this file is made from Unicode's data by tests/support/icu.py, which names its
version; a test makes it anew.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Of letters that are typed in each other's place; they look alike in small or in capital letters.
_LATIN: Final = "aceopxykmhtbi"
_CYRILLIC: Final = "асеорхукмнтві"
_LATIN_OF_GREEK: Final = "aeioupvxnktbmhzy"
_GREEK: Final = "αειουρνχηκτβμηζυ"


@cache
def looks_latin() -> Mapping[int, str]:
    """Return for each letter that looks like Latin ones those, in lower case, for `translate`."""
    text = files("milter.message.text").joinpath("confusables.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return {ord(letter): looks for letter, looks in rows}


@cache
def to_cyrillic() -> Mapping[int, int]:
    """Return the Cyrillic letters that Latin ones stand for, for `translate`."""
    return str.maketrans(_LATIN, _CYRILLIC)


@cache
def to_greek() -> Mapping[int, int]:
    """Return the Greek letters that Latin ones stand for, for `translate`."""
    return str.maketrans(_LATIN_OF_GREEK, _GREEK)
