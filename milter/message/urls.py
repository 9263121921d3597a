"""Web addresses in text, as far as they are written out with their scheme.

Found by the literal `://`, which is rare in text, and bounded in number and length. Schemeless,
wrapped and disguised addresses are not looked for here, and nothing is ever fetched.
"""

from __future__ import annotations

import html
import re
from typing import Final

from milter.message.guard import DEFAULT_BOUNDS, Bounds

_REST: Final = re.compile(r"[^\s<>\"'`\x00-\x1F\x7F\\^{|}]{1,2000}")
# Punctuation that ends the sentence around an address and not the address.
_TRAILING: Final = ".,;:!?)]*_"
_LOOKS_PER_URL: Final = 10


def find_urls(texts: list[str], bounds: Bounds = DEFAULT_BOUNDS) -> list[str]:
    """Return the http and https addresses in `texts`, each once, in the order of finding."""
    found: dict[str, None] = {}
    looks = bounds.urls * _LOOKS_PER_URL
    for text in texts:
        position = text.find("://")
        while position >= 0 and len(found) < bounds.urls and looks > 0:
            looks -= 1
            rest = _REST.match(text, position + 3)
            if rest and (scheme := _scheme(text, position)):
                url = scheme + "://" + rest[0].rstrip(_TRAILING)
                found.setdefault(html.unescape(url) if "&" in url else url)
            position = text.find("://", rest.end() if rest else position + 3)
    return list(found)


def _scheme(text: str, position: int) -> str:
    before = text[max(position - 5, 0) : position].lower()
    return "https" if before == "https" else "http" if before.endswith("http") else ""
