"""A text as readers show it: lines that belong together are whole, and signs of nothing gone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from milter.message.part import Part

# Parsers of HTML know themselves where they are nothing.
_HTML_TYPES: Final = frozenset(("text/html", "application/xhtml+xml"))
_CARDS: Final = frozenset(("text/calendar", "text/vcard", "text/x-vcard", "text/directory"))
# A space that ends a line, but for that of `-- ` above a signature, and the one that the next line
# was stuffed with. A quoted line is not taken into the one before it.
_SOFT_BREAK: Final = re.compile("(?<!\n--) \n(?!>) ?")


def joined(text: str, part: Part) -> str:
    """Return the text of `part` with the lines joined that were parted for the way only.

    Zero bytes are shown by nobody: between letters of ASCII they are the other half of UTF-16.
    Only where a word may have been cut: other flowed text has a space at each of these breaks.
    """
    if "\0" in text and part.content_type not in _HTML_TYPES:
        text = text.replace("\0", "")
    if part.content_type in _CARDS:
        # RFC 5545 §3.1, RFC 6350 §3.2: a line goes on behind a break and a space.
        return text.replace("\n ", "").replace("\n\t", "").replace("\\n", "\n")
    if part.delsp:
        # RFC 3676 §4.2, §4.3, §4.4: with DelSp=yes the space before the break goes, too.
        return _SOFT_BREAK.sub("", text)
    return text
