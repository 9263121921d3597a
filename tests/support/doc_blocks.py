"""Blocks of the pages in `docs`: tests take them from there, so that what is shown is what runs."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Final

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
# Between fences, or indented behind an empty line.
_BLOCK: Final = re.compile(
    r"^```[^\n]*\n(.*?)^```$|(?<=\n\n)((?:    [^\n]*\n|\n(?=    ))+)", re.MULTILINE | re.DOTALL
)


def block(page: str, words: str) -> str:
    """Return the one block of a page that has `words`, without its indent."""
    text = (_DOCS / page).read_text("utf-8")
    blocks = [fenced or textwrap.dedent(indented) for fenced, indented in _BLOCK.findall(text)]
    (found,) = [one for one in blocks if words in one]
    return found
